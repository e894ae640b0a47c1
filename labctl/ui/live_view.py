"""The live part of what a terminal shows: the step that runs, what each node does right now, and how long it will take.

It is drawn anew a few times each second, as wide and as high as the terminal is at that moment, and no line of it ever
wraps. What is finished stands above it for good: a terminal that is resized loses nothing.
"""

import time
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAMES = 5  # of the spinner, each second
_BAR = 24  # columns
_AROUND = 4  # lines of the view that are not nodes, and one of the terminal that stays free
_GREEN, _CYAN, _DIM, _BOLD = Style(color="green"), Style(color="cyan"), Style(dim=True), Style(bold=True)


def duration(seconds: float) -> str:
    """A time for people: 42 s, 2:05 min."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 100 else f"{whole // 60}:{whole % 60:02} min"


@dataclass
class NodeNow:
    """What a node does, since when (monotonic clock), and whether it still does."""

    activity: str
    since: float = field(default_factory=time.monotonic)
    busy: bool = True


@dataclass
class View:
    """The state that is shown. left is the step's remaining seconds, whole_left those of the whole run.

    Both are None when nothing is known of them.
    """

    title: str
    started: float = field(default_factory=time.monotonic)
    activity: str = ""
    nodes: dict[str, NodeNow] = field(default_factory=dict)
    left: float | None = None
    run_started: float = 0.0
    whole_left: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, each cut to the terminal's width."""
        width = max(1, options.max_width - 1)  # a full line makes some terminals begin another one
        for line in self._lines(console.height):
            line.truncate(width, overflow="ellipsis")
            yield from line.render(console, end="")
            yield Segment.line()

    def _lines(self, height: int) -> list[Text]:
        now = time.monotonic()
        lines = [self._head(now)]
        nodes = sorted(self.nodes.items(), key=lambda item: not item[1].busy) if self._too_many(height) else None
        shown = (nodes or list(self.nodes.items()))[: max(1, height - _AROUND)]
        names = max((len(name) for name, _ in shown), default=0)
        for name, node in shown:
            line = Text("  ")
            line.append("● " if node.busy else "○ ", _CYAN if node.busy else _DIM)
            line.append(name.ljust(names), _BOLD if node.busy else _DIM)
            line.append(f"  {node.activity}", "" if node.busy else _DIM)
            if node.busy and now - node.since >= 1:
                line.append(f"  {duration(now - node.since)}", _DIM)
            lines.append(line)
        if len(self.nodes) > len(shown):
            lines.append(Text.assemble((f"    and {len(self.nodes) - len(shown)} more", _DIM)))
        if self.whole_left is not None:
            text = f"  {duration(now - self.run_started)} so far"
            text += f", about {duration(self.whole_left)} to the end" if self.whole_left >= 1 else ""
            lines.append(Text.assemble((text, _DIM)))
        return lines

    def _too_many(self, height: int) -> bool:
        return len(self.nodes) > max(1, height - _AROUND)

    def _head(self, now: float) -> Text:
        elapsed = now - self.started
        line = Text()
        line.append(f"{_SPINNER[int(now * _FRAMES) % len(_SPINNER)]} ", _CYAN)
        line.append(self.title, _BOLD)
        line.append(f"  {duration(elapsed)}  ")
        if self.left is not None and elapsed + self.left >= 1:
            done = round(_BAR * elapsed / (elapsed + self.left))
            line.append("━" * done, _GREEN)
            line.append("━" * (_BAR - done), _DIM)
            line.append(f"  about {duration(self.left)} left" if self.left >= 1 else "")
        if self.activity and not self.nodes:
            line.append(f"  {self.activity}")
        return line
