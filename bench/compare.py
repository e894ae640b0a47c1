"""What is different between two results: cases, phases, and tasks of the median runs."""

import statistics
from collections.abc import Sequence

from bench.results import Result, Sample, grouped, median
from labctl.ui.text import table

# Seconds below which a phase or a task is not told of, and how many are at most.
_NOTABLE = 0.5
_MOST = 15


def text(before: Result, after: Result) -> str:
    """The differences, for people."""
    parts = [f"{before.name} -> {after.name}"]
    if before.machine != after.machine:
        parts.append("The machines differ, so the times say little:\n" + _machines(before, after))
    old, new = grouped(before.samples), grouped(after.samples)
    common = [key for key in new if key in old]
    rows = [
        (networking, f"{case} ({by})" if by != "novalab" else case, *_row(old[networking, case, by], new[key]))
        for key in common
        for networking, case, by in [key]
    ]
    heads = ("Networking", "Case", "Before", "After", "Difference", "", "Remark")
    parts.append(table([heads, *rows]) if rows else "No case is in both.")
    for key in common:
        then, now = median(old[key]), median(new[key])
        if then is not None and now is not None and (details := _details(then, now)):
            parts.append(
                f"{key[0]} {key[1]}, median runs:\n" + table([("Difference", "Before", "After", ""), *details])
            )
    return "\n\n".join(parts)


def _machines(before: Result, after: Result) -> str:
    old, new = before.machine.model_dump(), after.machine.model_dump()
    return "\n".join(f"  {name}: {old[name]} -> {new[name]}" for name in old if old[name] != new[name])


def _row(before: Sequence[Sample], after: Sequence[Sample]) -> tuple[str, str, str, str, str]:
    old, new = _times(before), _times(after)
    if not old or not new:
        return _median(old), _median(new), "", "", "failed"
    then, now = statistics.median(old), statistics.median(new)
    remark = "within the spread" if min(old) <= now <= max(old) or min(new) <= then <= max(new) else ""
    if any(sample.loud for sample in (*before, *after)):
        remark = f"{remark}, busy machine".removeprefix(", ")
    return _median(old), _median(new), f"{now - then:+.2f} s", f"{(now - then) / then:+.0%}" if then else "", remark


def _times(samples: Sequence[Sample]) -> list[float]:
    return [sample.seconds for sample in samples if sample.seconds is not None]


def _median(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.2f} s" if times else "-"


def _details(before: Sample, after: Sample) -> list[tuple[str, str, str, str]]:
    """Phases and tasks that differ most; what only one of the two has counts as 0 in the other."""
    found = []
    for old, new, kind in (
        ({p.name: p.seconds for p in before.phases}, {p.name: p.seconds for p in after.phases}, "step"),
        (_tasks(before), _tasks(after), "task"),
    ):
        if old and new:  # the tasks of a sample may not have been kept
            found += [
                (new.get(n, 0.0) - old.get(n, 0.0), old.get(n), new.get(n), f"{kind} {n}") for n in {**old, **new}
            ]
    notable = sorted((row for row in found if abs(row[0]) >= _NOTABLE), key=lambda row: -abs(row[0]))
    return [
        (f"{difference:+.1f} s", _seconds(old), _seconds(new), what) for difference, old, new, what in notable[:_MOST]
    ]


def _tasks(sample: Sample) -> dict[str, float]:
    """Each task's time on the slowest node."""
    times: dict[str, dict[str, float]] = {}
    for task in sample.tasks:
        of = times.setdefault(task.title, {})
        of[task.node] = of.get(task.node, 0.0) + task.seconds
    return {title: max(of.values()) for title, of in times.items()}


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
