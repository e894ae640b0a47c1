"""Figures from samples: median, least, most, the ratio to the yardstick, and whether the budget is kept."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.cases import CASES, ENVIRONMENT, HOST_PACKAGES, Case
from bench.results import Networking, Result, Sample

# Seconds that a case may take.
BUDGETS = {
    "warm": 75.0,
    "unchanged": 15.0,
    "playbook": 25.0,
    "status": 1.5,
    "help": 0.3,
    "resume": 2.0,
    "restore": 35.0,
    "add-one": 35.0,
}
# How many times the yardstick's own cold run a cold one may take, without what is not the lab's.
COLD_RATIO = 1.5


@dataclass(frozen=True)
class Figure:
    """A row of the table. Times in seconds.

    count is how many samples it stands on, loud how many of them began on a busy machine, failed how many ended without
    a time. Without count the times are 0. ratio is None without a yardstick. met is None where there is no budget, or
    nothing to compare with.
    """

    title: str
    budget: str
    median: float
    least: float
    most: float
    count: int
    loud: int
    failed: int
    ratio: float | None
    met: bool | None


def figures(result: Result, networking: Networking) -> list[Figure]:
    """Every case that was measured with a kind of networking, in the order of the cases."""
    rows = []
    for case in CASES:
        samples = _of(result, networking, case.name)
        if not samples:
            continue
        yardstick = _yardstick(result, "cold" if case.name == "cold" else "warm")
        if case.name == "cold":
            rows.append(_figure("cold: " + case.title, samples, lambda s: s.seconds or 0.0))
            rows.append(_lab_of_cold(samples, yardstick))
        else:
            rows.append(_usual(case, samples, yardstick))
    return rows


def _usual(case: Case, samples: Sequence[Sample], yardstick: float | None) -> Figure:
    budget = BUDGETS.get(case.name)
    return _figure(
        case.title,
        samples,
        lambda sample: (sample.seconds or 0.0) / case.count,
        budget="" if budget is None else f"{budget:g} s",
        limit=budget,
        yardstick=yardstick,
    )


def _lab_of_cold(samples: Sequence[Sample], yardstick: float | None) -> Figure:
    return _figure(
        "of it without the Python environment and the host's packages",
        samples,
        without_environment,
        budget=f"{COLD_RATIO:g} x yardstick",
        limit=None if yardstick is None else COLD_RATIO * yardstick,
        yardstick=yardstick,
    )


def without_environment(sample: Sample) -> float:
    """A cold run's seconds less those of what is the machine's and PyPI's."""
    outside = sum(phase.seconds for phase in sample.phases if phase.name in (ENVIRONMENT, HOST_PACKAGES))
    return (sample.seconds or 0.0) - outside


def _figure(
    title: str,
    samples: Iterable[Sample],
    seconds: Callable[[Sample], float],
    *,
    budget: str = "",
    limit: float | None = None,
    yardstick: float | None = None,
) -> Figure:
    samples = list(samples)
    good = [sample for sample in samples if sample.seconds is not None]
    times = [seconds(sample) for sample in good]
    middle = statistics.median(times) if times else 0.0
    met: bool | None = None
    if limit is not None:
        met = bool(times) and middle <= limit
    return Figure(
        title=title,
        budget=budget,
        median=middle,
        least=min(times, default=0.0),
        most=max(times, default=0.0),
        count=len(good),
        loud=sum(sample.loud for sample in good),
        failed=len(samples) - len(good),
        ratio=middle / yardstick if yardstick and times else None,
        met=met,
    )


def _of(result: Result, networking: Networking, case: str) -> list[Sample]:
    return [s for s in result.samples if (s.networking, s.case, s.by) == (networking, case, "novalab")]


def _yardstick(result: Result, case: str) -> float | None:
    """The yardstick's median of a run; what it builds does not depend on our networking."""
    times = [s.seconds for s in result.samples if s.by == "yardstick" and s.case == case and s.seconds is not None]
    return statistics.median(times) if times else None


def yardsticks(result: Result) -> dict[str, float]:
    """The yardstick's medians, by cold and warm, as far as they were measured."""
    found = {case: _yardstick(result, case) for case in ("cold", "warm")}
    return {case: seconds for case, seconds in found.items() if seconds is not None}
