"""What labctl is doing: a live view on a terminal, plain lines elsewhere, and everything in a log file."""

import contextlib
import functools
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Self

from rich.live import Live
from rich.text import Text

from labctl.ui.console import PlainConsole
from labctl.ui.estimates import Estimates, Expectation, Kind
from labctl.ui.live_view import NodeNow, View
from labctl.ui.text import printable

_REFRESHES = 5  # of the live view, each second
_PATIENCE = 1.0  # seconds, after which an activity is reported while it runs; shorter ones are reported at their end


class Step:
    """One step of a run. Its notes are shown when it ends, its details go into the log only."""

    def __init__(self, progress: "Progress", title: str, expected: Expectation | None) -> None:
        self.title = title
        self._progress = progress
        self._expected = expected
        self._start = time.monotonic()
        self._notes: list[str] = []
        self._activity = ""
        self._nodes: dict[str, NodeNow] = {}
        self._before: dict[str, NodeNow] = {}
        self._told: set[str] = set()
        self._telling = threading.Lock()
        self._timers: list[threading.Timer] = []
        self.marks: dict[str, float] = {}
        self.typical = True  # for later runs

    def note(self, text: str) -> None:
        """Add something that people should know."""
        self._notes.append(text)
        self.detail(text)

    def detail(self, text: str) -> None:
        """Add a line to the log."""
        self._progress.write(f"{self.title}: {text}")

    def activity(self, text: str) -> None:
        """Show what is going on now; a mark for the estimates of later runs."""
        self._activity = text
        if text not in self.marks:  # the tasks of several nodes, each at its own pace, come repeatedly
            self.marks[text] = self.elapsed
            if self._expected is not None:
                self._expected.passed(text, self.elapsed)

    def node(self, name: str, activity: str) -> None:
        """Show what a node is doing now."""
        if name in self._nodes:
            self._before[name] = self._nodes[name]
        self._nodes[name] = NodeNow(activity)
        if activity not in self._told:
            timer = threading.Timer(_PATIENCE, self._tell_if_busy, [activity])
            timer.daemon = True
            timer.start()
            self._timers.append(timer)

    def node_done(self, name: str) -> None:
        """Show that a node has finished this, and waits."""
        if name in self._nodes:
            self._nodes[name].busy = False
            self._tell(self._nodes[name])

    def node_skipped(self, name: str) -> None:
        """Show what a node did before, if anything: it has skipped this."""
        self._nodes.pop(name, None)
        if name in self._before:
            self._nodes[name] = self._before.pop(name)
            self._nodes[name].busy = False

    def end(self, verdict: str) -> str:
        """Report no further activity. Returns the step's last line."""
        with self._telling:
            for timer in self._timers:
                timer.cancel()
            self._told.update(self.marks)
        notes = f" ({'; '.join(self._notes)})" if self._notes else ""
        return f"{self.title}: {verdict} {self.elapsed:.1f} s{notes}"

    def _tell_if_busy(self, activity: str) -> None:
        busy = [node for node in list(self._nodes.values()) if node.busy and node.activity == activity]
        if busy:
            self._tell(min(busy, key=lambda node: node.since))

    def _tell(self, node: NodeNow) -> None:
        """Report an activity once, with the time at which a node began with it. Others may have skipped it before."""
        with self._telling:
            if node.activity not in self._told and node.activity in self.marks:
                self._told.add(node.activity)
                self._progress.tell(f"  {node.since - self._start:5.0f} s  {node.activity}")

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._start

    def view(self, run_started: float, after: float | None) -> View:
        """The step as it is now. after has the seconds of the steps after it, None if unknown."""
        left = self._expected.left if self._expected else None
        whole = left + after if left is not None and after is not None else None
        return View(self.title, self._start, self._activity, dict(self._nodes), left, run_started, whole)


class Progress:
    """The steps of one run. log is created, readable by its owner only. verb and kind select comparable runs."""

    def __init__(self, log: Path, verb: str = "", kind: Kind = ()) -> None:
        self._path = log
        self._console = PlainConsole(highlight=False, soft_wrap=True)
        self._log: IO[str] | None = None
        self._estimates = Estimates(verb, kind)
        self._start = time.monotonic()
        self._titles: list[str] = []

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._log = os.fdopen(handle, "a", encoding="utf-8")
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            self.write(f"ended by {type(error).__name__}: {error}")
        else:
            self._estimates.learn_run(self._titles)
        if self._log is not None:
            self._log.close()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step, which is reported when it begins, and when it ends with the time it took."""
        expected = self._estimates.of(title)
        about = f" (about {expected.seconds:.0f} s)" if expected and expected.seconds >= 1 else ""
        self.write(f"{title} ...{about}")
        self.tell(f"{title} ...{about}")
        step = Step(self, title, expected)
        draw = functools.partial(step.view, self._start, self._estimates.after(title))
        live = Live(get_renderable=draw, console=self._console, transient=True, refresh_per_second=_REFRESHES)
        try:
            with live if self._live else contextlib.nullcontext():
                yield step
        except BaseException:
            self._end(step, "failed after", "✗ ", "red")
            raise
        self._end(step, "done in", "✓ ", "green")
        if step.typical:
            self._titles.append(title)
            self._estimates.learn(title, step.elapsed, step.marks)

    def write(self, text: str) -> None:
        """Write a line to the log."""
        if self._log is not None:
            moment = f"{datetime.now(UTC):%H:%M:%S}"
            self._log.write("".join(f"{moment} {line}\n" for line in printable(text).splitlines() or [""]))
            self._log.flush()

    def say(self, text: str) -> None:
        """Print a line, and write it to the log."""
        self.write(text)
        self._console.print(text, markup=False)

    def tell(self, text: str) -> None:
        """Print a line unless there is a terminal, which has the live view."""
        if not self._live:
            self._console.print(text, markup=False)

    @property
    def _live(self) -> bool:
        """Whether there is a terminal on which lines can be redrawn."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def _end(self, step: Step, verdict: str, sign: str, style: str) -> None:
        text = step.end(verdict)
        self.write(text)
        self._console.print(Text.assemble((sign, style), text) if self._live else Text(text))


class Silent(Progress):
    """Progress that shows and keeps nothing, for verbs that only look."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull))
        self._console.quiet = True

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step that is not reported."""
        yield Step(self, title, None)
