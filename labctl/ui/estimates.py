"""How long things take on this machine, learnt from earlier runs, for all labs of a user.

A step of the same kind of run is the best teacher: the first `labctl up` of a lab installs, the second one looks. Where
there is none, a similar one has to do. Within a step, marks say how far earlier runs were when they came by.
"""

import contextlib
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labctl.files import cache_directory, write_private

_REMEMBERED = 5  # runs of a step, of which the median is the estimate
_FASTEST, _SLOWEST = 1 / 3, 3.0  # compared with earlier runs; what is further away is another kind of run

Kind = tuple[str, ...]  # words of a run, those that matter most first


@dataclass
class Expectation:
    """What earlier runs let expect of a step: its seconds, and at which fraction of them a mark was passed."""

    seconds: float
    marks: Mapping[str, float] = field(default_factory=dict)
    _left: float = 0.0  # seconds, at the moment _since of the monotonic clock
    _since: float = 0.0

    def begin(self) -> None:
        """The step begins now."""
        self._left, self._since = self.seconds, time.monotonic()

    def passed(self, mark: str, elapsed: float) -> None:
        """A mark is passed, elapsed seconds after the beginning. Nearer the end this run's own pace counts more."""
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
    """What is known about runs of a verb of one kind. A cache that cannot be read or written costs nothing but that."""

    def __init__(self, verb: str = "", kind: Kind = ()) -> None:
        self._path = cache_directory() / "estimates.json"
        self._run = f"labctl {verb}"
        self._kind = (verb, *kind)
        self._known = self._read()

    def of(self, title: str) -> Expectation | None:
        """What to expect of a step, None when there was none of this title yet."""
        past = self._past(self._known.get(title))
        seconds = [float(value) for value in past.get("seconds", ())]
        if not seconds:
            return None
        marks = {str(mark): float(fraction) for mark, fraction in past.get("marks", {}).items()}
        return Expectation(statistics.median(seconds), marks)

    def after(self, title: str) -> float | None:
        """Seconds that the steps after this one take together, None when earlier runs of the verb had no such step."""
        titles = self._past(self._known.get(self._run)).get("titles", [])
        if title not in titles:
            return None
        later = (self.of(other) for other in titles[titles.index(title) + 1 :])
        return sum(expected.seconds for expected in later if expected is not None)

    def learn(self, title: str, seconds: float, marks: Mapping[str, float]) -> None:
        """Remember a step that has ended, and how many seconds after its beginning each mark was passed."""
        past = self._known.get(title, {}).get(self._key, {})
        times = [*past.get("seconds", ()), round(seconds, 1)][-_REMEMBERED:]
        fractions = {mark: round(moment / seconds, 4) for mark, moment in marks.items() if seconds > 0}
        self._write(title, {"seconds": times, "marks": fractions})

    def learn_run(self, titles: Sequence[str]) -> None:
        """Remember which steps a run had that has ended well."""
        if titles:
            self._write(self._run, {"titles": list(titles)})

    @property
    def _key(self) -> str:
        return "; ".join(self._kind)

    def _past(self, kinds: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """What is known of the kind, or else of the one that has most of its first words."""
        if not kinds:
            return {}

        def likeness(key: str) -> int:
            same = [ours == theirs for ours, theirs in zip(self._kind, key.split("; "), strict=False)]
            return next((number for number, equal in enumerate(same) if not equal), len(same))

        return dict(kinds[max(kinds, key=likeness)])

    def _write(self, title: str, past: Mapping[str, Any]) -> None:
        self._known.setdefault(title, {})[self._key] = dict(past)
        known = self._read()  # others may have learnt in the meantime
        known.setdefault(title, {})[self._key] = dict(past)
        with contextlib.suppress(OSError):
            write_private(self._path, json.dumps(known) + "\n")

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
            return {
                str(title): {str(key): _checked(past) for key, past in kinds.items()}
                for title, kinds in data.items()
                if isinstance(kinds, dict)
            }
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _checked(past: Mapping[str, Any]) -> dict[str, Any]:
    """What was learnt, as it must be. Raises ValueError, TypeError or AttributeError when it is not."""
    return {
        "seconds": [float(value) for value in past.get("seconds", ())],
        "marks": {str(mark): float(fraction) for mark, fraction in past.get("marks", {}).items()},
        "titles": [str(title) for title in past.get("titles", ())],
    }
