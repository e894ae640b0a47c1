"""The live part of what a terminal shows: the running step, what each node is doing, and how long it will take.

It is redrawn a few times each second, at the terminal's current width and height, and its lines never wrap. Finished
steps stay above it: nothing is lost when the terminal is resized.
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
_AROUND = 4  # lines of the view that are not nodes, and one free line of the terminal
_GREEN, _CYAN, _DIM, _BOLD = Style(color="green"), Style(color="cyan"), Style(dim=True), Style(bold=True)


def duration(seconds: float) -> str:
    """A time such as 42 s or 2:05 min."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 100 else f"{whole // 60}:{whole % 60:02} min"


@dataclass
class NodeNow:
    """What a node does, since when (monotonic clock), and whether it is still busy with it."""

    activity: str
    since: float = field(default_factory=time.monotonic)
    busy: bool = True


@dataclass
class View:
    """The state to show. left has the step's remaining seconds, whole_left those of the run; None if unknown."""

    title: str
    started: float = field(default_factory=time.monotonic)
    activity: str = ""
    nodes: dict[str, NodeNow] = field(default_factory=dict)
    left: float | None = None
    run_started: float = 0.0
    whole_left: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, each cut to the terminal's width."""
        width = max(1, options.max_width - 1)  # some terminals begin a new line when one is full
        for line in self._lines(console.height):
            line.truncate(width, overflow="ellipsis")
            yield from line.render(console, end="")
            yield Segment.line()

    def _lines(self, height: int) -> list[Text]:
        now = time.monotonic()
        lines = [self._head(now)]
        nodes, room = list(self.nodes.items()), max(1, height - _AROUND)
        if len(nodes) > room:
            nodes.sort(key=lambda item: not item[1].busy)
        shown = nodes[:room]
        names = max((len(name) for name, _ in shown), default=0)
        for name, node in shown:
            if not node.busy:
                lines.append(Text.assemble("  ", (f"○ {name:<{names}}  {node.activity}", _DIM)))
                continue
            elapsed = f"  {duration(now - node.since)}" if now - node.since >= 1 else ""
            lines.append(
                Text.assemble("  ", ("● ", _CYAN), (name.ljust(names), _BOLD), f"  {node.activity}", (elapsed, _DIM))
            )
        if len(nodes) > room:
            lines.append(Text.assemble((f"    and {len(nodes) - room} more", _DIM)))
        if self.whole_left is not None:
            text = f"  {duration(now - self.run_started)} so far"
            text += f", about {duration(self.whole_left)} to the end" if self.whole_left >= 1 else ""
            lines.append(Text.assemble((text, _DIM)))
        return lines

    def _head(self, now: float) -> Text:
        elapsed = now - self.started
        spinner = _SPINNER[int(now * _FRAMES) % len(_SPINNER)]
        line = Text.assemble((f"{spinner} ", _CYAN), (self.title, _BOLD), f"  {duration(elapsed)}  ")
        if self.left is not None and elapsed + self.left >= 1:
            done = round(_BAR * elapsed / (elapsed + self.left))
            line.append("━" * done, _GREEN)
            line.append("━" * (_BAR - done), _DIM)
            line.append(f"  about {duration(self.left)} left" if self.left >= 1 else "")
        if self.activity and not self.nodes:
            line.append(f"  {self.activity}")
        return line
