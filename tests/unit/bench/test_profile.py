"""What takes longest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.results import Task


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [([], 0.0), ([(1, 3)], 2.0), ([(1, 3), (2, 5)], 4.0), ([(4, 5), (1, 2)], 2.0), ([(1, 9), (2, 3)], 8.0)],
)
def test_covered_seconds_count_overlaps_once(spans: list[tuple[float, float]], seconds: float) -> None:
    assert profile.covered(spans) == seconds


def test_a_task_on_several_nodes_holds_up_once(make_task: Callable[..., Task]) -> None:
    tasks = [
        make_task("Install", 10.0, 5.0, node="compute1", role="nova_compute"),
        make_task("Install", 11.0, 6.0, node="compute2", role="nova_compute"),
        make_task("Keep the users", 0.0, 9.0),
    ]
    assert profile.slowest(tasks, 5) == [
        ("keystone: Keep the users", 9.0, {"controller": 9.0}),
        ("nova_compute: Install", 7.0, {"compute1": 5.0, "compute2": 6.0}),
    ]
    assert profile.roles(tasks) == [("keystone", 9.0, 1), ("nova_compute", 7.0, 2)]
    said = profile.text(tasks, 1)
    assert "9.0 s  keystone: Keep the users  controller 9.0" in said
    assert "nova_compute: Install" not in said
    assert said.endswith("From the first task to the last 17.0 s; in 1.0 s of it no task ran.")


def test_a_task_that_comes_twice_is_one_row(make_task: Callable[..., Task]) -> None:
    tasks = [make_task("Ask", 0.0, 1.0), make_task("Ask", 5.0, 2.0)]
    assert profile.slowest(tasks, 5) == [("keystone: Ask", 3.0, {"controller": 3.0})]
