"""How long things take on this machine, learnt from earlier runs of all labs of a user.

The best estimate is a step of the same kind of run: the first `labctl up` of a lab installs, the second one only
checks. Without one, the most similar kind is used. Within a step, marks say how far earlier runs were at that point.
"""

import contextlib
import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, TypeAdapter

from labctl.files import cache_directory, read_json, write_json

_REMEMBERED = 5  # runs of a step, of which the median is the estimate
_FASTEST, _SLOWEST = 1 / 3, 3.0  # compared with earlier runs; beyond that, it is a different kind of run

Kind = tuple[str, ...]  # words of a run, those that matter most first


class _Past(BaseModel):
    """What is known of one kind of a step (seconds of each, fractions of its marks) or run (titles of its steps)."""

    seconds: list[float] = []
    marks: dict[str, float] = {}
    titles: list[str] = []


_FILE = TypeAdapter(dict[str, dict[str, _Past]])  # by title of a step, or verb of a run, and by kind


@dataclass
class Expectation:
    """What to expect of a step that begins now: its seconds, and at which fraction of them a mark is passed."""

    seconds: float
    marks: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._left, self._since = self.seconds, time.monotonic()  # seconds that were left at a moment

    def passed(self, mark: str, elapsed: float) -> None:
        """Note a mark, elapsed seconds after the beginning. Nearer the end this run's own pace counts more."""
        done = self.marks.get(mark)
        if done is None:
            return
        pace = min(max(elapsed / (done * self.seconds), _FASTEST), _SLOWEST) if done * self.seconds >= 1 else 1.0
        self._left = (1 - done) * self.seconds * ((1 - done) + done * pace)
        self._since = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds that remain, 0 when it takes longer than expected."""
        return max(0.0, self._left - (time.monotonic() - self._since))


class Estimates:
    """What is known about runs of a verb of one kind. A cache that cannot be read or written is no error."""

    def __init__(self, verb: str = "", kind: Kind = ()) -> None:
        self._path = cache_directory() / "estimates.json"
        self._run = f"labctl {verb}"
        self._kind = (verb, *kind)
        self._known = self._read()

    def of(self, title: str) -> Expectation | None:
        """What to expect of a step; None when there was none with this title yet."""
        past = self._past(title)
        return Expectation(statistics.median(past.seconds), past.marks) if past.seconds else None

    def after(self, title: str) -> float | None:
        """Seconds that the steps after this one take together, None when earlier runs of the verb had no such step."""
        titles = self._past(self._run).titles
        if title not in titles:
            return None
        later = (self.of(other) for other in titles[titles.index(title) + 1 :])
        return sum(expected.seconds for expected in later if expected is not None)

    def learn(self, title: str, seconds: float, marks: Mapping[str, float]) -> None:
        """Remember a step that has ended, and how many seconds after its beginning each mark was passed."""
        past = self._known.get(title, {}).get("; ".join(self._kind), _Past())
        times = [*past.seconds, round(seconds, 1)][-_REMEMBERED:]
        fractions = {mark: round(moment / seconds, 4) for mark, moment in marks.items() if seconds > 0}
        self._write(title, _Past(seconds=times, marks=fractions))

    def learn_run(self, titles: Sequence[str]) -> None:
        """Remember which steps a successful run had."""
        if titles:
            self._write(self._run, _Past(titles=list(titles)))

    def _past(self, title: str) -> _Past:
        """What is known of the kind, or else of the one that shares most of its first words."""

        def likeness(key: str) -> int:
            pairs = zip(self._kind, key.split("; "), strict=False)
            return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))

        kinds = self._known.get(title)
        return kinds[max(kinds, key=likeness)] if kinds else _Past()

    def _write(self, title: str, past: _Past) -> None:
        self._known = self._read()  # others may have learnt in the meantime
        self._known.setdefault(title, {})["; ".join(self._kind)] = past
        with contextlib.suppress(OSError):
            write_json(self._path, _FILE.dump_python(self._known))

    def _read(self) -> dict[str, dict[str, _Past]]:
        try:
            return _FILE.validate_python(read_json(self._path))
        except ValueError:
            return {}
