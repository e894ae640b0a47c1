"""What earlier runs let expect."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from labctl.files import cache_directory
from labctl.ui.estimates import Estimates, Expectation

if TYPE_CHECKING:
    from pathlib import Path

NEW, AGAIN = ("new", "nova", "3 nodes"), ("again", "nova", "3 nodes")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, which stands until a test moves it."""
    moment = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    return moment


def learn(verb: str, kind: tuple[str, ...], title: str, *seconds: float) -> None:
    for value in seconds:
        Estimates(verb, kind).learn(title, value, {})


def expected(verb: str, kind: tuple[str, ...], title: str) -> float | None:
    found = Estimates(verb, kind).of(title)
    return found.seconds if found else None


def test_estimate_without_earlier_runs_is_none() -> None:
    assert expected("up", NEW, "Nodes") is None
    assert Estimates("up", NEW).after("Nodes") is None


def test_median_of_the_last_five() -> None:
    learn("up", NEW, "Nodes", 1000, 10, 12, 11, 90, 14)
    assert expected("up", NEW, "Nodes") == 12


def test_the_same_kind_of_run_comes_first() -> None:
    learn("up", NEW, "Software", 120)
    learn("up", AGAIN, "Software", 40)
    learn("destroy", NEW, "Software", 1)
    assert expected("up", NEW, "Software") == 120
    assert expected("up", AGAIN, "Software") == 40
    assert expected("up", ("again", "nova", "9 nodes"), "Software") == 40
    assert expected("up", ("new", "nova+neutron", "3 nodes"), "Software") == 120


def test_estimate_includes_later_steps() -> None:
    estimates = Estimates("up", NEW)
    for title, seconds in (("Keys", 1), ("Nodes", 10), ("Software", 100)):
        estimates.learn(title, seconds, {})
    estimates.learn_run(["Keys", "Nodes", "Software"])
    later = Estimates("up", NEW)
    assert [later.after(title) for title in ("Keys", "Nodes", "Software", "Images")] == [110, 100, 0, None]


def test_learnt_by_others_in_the_meantime() -> None:
    first, second = Estimates("up", NEW), Estimates("halt", NEW)
    first.learn("Nodes", 10, {})
    second.learn("Halt", 5, {})
    assert (expected("up", NEW, "Nodes"), expected("halt", NEW, "Halt")) == (10, 5)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"Nodes": [1, 2]}', '{"Nodes": {"up": {"seconds": "x"}}}', '{"Nodes": {"up": 1}}']
)
def test_a_damaged_cache_is_as_none(text: str) -> None:
    cache_directory().mkdir()
    (cache_directory() / "estimates.json").write_text(text, encoding="utf-8")
    assert expected("up", NEW, "Nodes") is None
    learn("up", NEW, "Nodes", 3)
    assert expected("up", NEW, "Nodes") == 3


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    learn("up", NEW, "Nodes", 3)
    assert expected("up", NEW, "Nodes") is None


def test_seconds_left_run_down_to_nothing(clock: list[float]) -> None:
    """Seconds run down, and end at nothing."""
    step = Expectation(100.0)
    clock[0] += 30
    assert step.left == 70
    clock[0] += 100
    assert step.left == 0


@pytest.mark.parametrize(
    ("mark", "elapsed", "left"),
    [
        ("half", 50, 50),  # as ever
        ("half", 100, 75),  # half as fast until now: between 50 and 100
        ("end", 180, 10 * (0.1 + 0.9 * 2)),  # the nearer the end, the more this run's pace counts
        ("half", 1, 50 * (0.5 + 0.5 / 3)),  # most of it was skipped: no faster than three times
        ("start", 5, 100),  # too early for a pace
        ("unknown", 50, 50),
    ],
)
def test_marks_correct_the_seconds_left(clock: list[float], mark: str, elapsed: float, left: float) -> None:
    step = Expectation(100.0, {"start": 0.0, "half": 0.5, "end": 0.9})
    clock[0] += elapsed
    step.passed(mark, elapsed)
    assert step.left == pytest.approx(left)


def test_marks_are_fractions_of_the_step() -> None:
    Estimates("up", NEW).learn("Software", 200, {"a": 0.0, "b": 50.0})
    found = Estimates("up", NEW).of("Software")
    assert found is not None
    assert found.marks == {"a": 0.0, "b": 0.25}
