"""What labctl is doing, for people: a live line on a terminal, plain lines elsewhere, and everything in a log file."""

import contextlib
import json
import os
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner

from labctl.labsecrets import write_private

_REMEMBERED = 5  # runs of a step, of which the median is the estimate


def cache_directory() -> Path:
    """Where labctl keeps what it knows of this machine, for all labs of a user (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "novalab"


class Step:
    """One step of a run. Its notes are told when it ends, its details go into the log only."""

    def __init__(self, progress: "Progress", title: str, estimate: float | None) -> None:
        self.title = title
        self._progress = progress
        self._estimate = estimate
        self._start = time.monotonic()
        self._notes: list[str] = []
        self._activity = ""
        self._told: set[str] = set()

    def note(self, text: str) -> None:
        """Something that people should know."""
        self._notes.append(text)
        self.detail(text)

    def detail(self, text: str) -> None:
        """Something for the log."""
        self._progress.write(f"{self.title}: {text}")

    def activity(self, text: str) -> None:
        """What goes on right now."""
        self._activity = text
        if text not in self._told:  # tasks of several nodes, each at its own pace, come again and again
            self._told.add(text)
            self._progress.tell(f"  {self.elapsed:5.0f} s  {text}")

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._start

    @property
    def remaining(self) -> str:
        """What earlier runs let expect, in words; empty when nothing is known or it takes longer this time."""
        left = (self._estimate or 0) - self.elapsed
        return f", about {left:.0f} s left" if left >= 1 else ""

    @property
    def beginning(self) -> str:
        """The line with which the step begins."""
        return f"{self.title} ...{f' (about {self._estimate:.0f} s)' if self._estimate and self._estimate >= 1 else ''}"

    def ending(self, verdict: str) -> str:
        """The line with which the step ends."""
        notes = f" ({'; '.join(self._notes)})" if self._notes else ""
        return f"{self.title}: {verdict} {self.elapsed:.1f} s{notes}"

    @property
    def now(self) -> str:
        """The live line."""
        what = f"  {self._activity}" if self._activity else ""
        return f"{self.title}  {self.elapsed:.0f} s{self.remaining}{what}"


class Progress:
    """The steps of one run. log is made, readable by its owner only."""

    def __init__(self, log: Path) -> None:
        self._path = log
        self._console = Console(highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._log: IO[str] | None = None
        self._history = _read_history()

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._log = os.fdopen(handle, "a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.write(f"ended by {type(error).__name__}: {error}")
        if self._log is not None:
            self._log.close()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step: told of when it begins and when it ends, with the time it took."""
        past = self._history.get(title, [])
        step = Step(self, title, statistics.median(past) if past else None)
        self.write(step.beginning)
        self.tell(step.beginning)
        try:
            with self._shown(step):
                yield step
        except BaseException:
            self.say(step.ending("failed after"))
            raise
        self.say(step.ending("done in"))
        self._remember(title, step.elapsed)

    def write(self, text: str) -> None:
        """A line for the log."""
        if self._log is not None:
            moment = f"{datetime.now(UTC):%H:%M:%S}"
            self._log.write("".join(f"{moment} {line}\n" for line in text.splitlines() or [""]))
            self._log.flush()

    def say(self, text: str) -> None:
        """A line for everybody: people and the log."""
        self.write(text)
        self._console.print(text, markup=False)

    def tell(self, text: str) -> None:
        """A line for where there is no terminal; a terminal has the live line."""
        if not self._console.is_terminal:
            self._console.print(text, markup=False)

    @contextlib.contextmanager
    def _shown(self, step: Step) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        spinner = Spinner("dots", text="")

        def render() -> Spinner:
            width = max(20, self._console.width - 4)
            spinner.update(text=escape(step.now[:width]))
            return spinner

        with Live(get_renderable=render, console=self._console, transient=True, refresh_per_second=8):
            yield

    def _remember(self, title: str, seconds: float) -> None:
        """Keep the step's time for the next estimate; a cache that cannot be written costs nothing but that."""
        self._history[title] = [*self._history.get(title, []), round(seconds, 1)][-_REMEMBERED:]
        with contextlib.suppress(OSError):
            write_private(cache_directory() / "durations.json", json.dumps(self._history) + "\n")


def _read_history() -> dict[str, list[float]]:
    try:
        data = json.loads((cache_directory() / "durations.json").read_text(encoding="utf-8"))
        return {str(title): [float(second) for second in seconds] for title, seconds in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
