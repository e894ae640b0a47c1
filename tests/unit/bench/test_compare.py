"""Two results beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import compare
from bench.results import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.results import Result, Sample, Task


def test_comparison_shows_cases_steps_and_tasks(
    make_sample: Callable[..., Sample], make_task: Callable[..., Task], make_result: Callable[..., Result]
) -> None:
    def warm(seconds: float, nodes: float, users: float) -> Sample:
        phases = (Phase(name="Nodes", start=0.0, seconds=nodes), Phase(name="Network", start=0.0, seconds=0.1))
        tasks = (make_task("Keep the users", 0.0, users), make_task("Keep the users", 0.0, 0.3, node="compute1"))
        return make_sample(seconds, phases=phases, tasks=tasks)

    before = make_result(warm(100.0, 13.0, 20.0), make_sample(15.0, case="unchanged"), commit="a" * 40)
    after = make_result(warm(80.0, 12.0, 1.0), make_sample(0.3, case="help"), commit="b" * 40)
    lines = [" ".join(line.split()) for line in compare.text(before, after).splitlines()]
    assert "none warm 100.00 s 80.00 s -20.00 s -20%" in lines
    assert "-19.0 s 20.0 s 1.0 s task keystone: Keep the users" in lines
    assert "-1.0 s 13.0 s 12.0 s step Nodes" in lines
    assert not [line for line in lines if "Network:" in line or "unchanged" in line or "help" in line]


def test_difference_within_chance_is_marked(
    make_sample: Callable[..., Sample], make_result: Callable[..., Result]
) -> None:
    before = make_result(make_sample(60.0), make_sample(70.0))
    after = make_result(make_sample(66.0, loud=True))
    assert "within the spread, busy machine" in compare.text(before, after)
    assert "within the spread" not in compare.text(before, make_result(make_sample(59.0)))


def test_comparison_names_failures_and_other_machines(
    make_sample: Callable[..., Sample], make_result: Callable[..., Result]
) -> None:
    before = make_result(make_sample(60.0))
    other = before.machine.model_copy(update={"cores": 4})
    said = compare.text(before, make_result(make_sample(None), machine=other))
    assert "cores: 2 -> 4" in said
    assert "kernel" not in said
    assert "failed" in said


def test_results_with_nothing_in_common_are_refused(
    make_sample: Callable[..., Sample], make_result: Callable[..., Result]
) -> None:
    assert "No case is in both." in compare.text(make_result(make_sample(1.0)), make_result())
