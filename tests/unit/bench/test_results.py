"""The files of results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench import results
from labctl.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.results import Result, Sample, Task


def test_what_is_written_is_read(
    tmp_path: Path,
    make_sample: Callable[..., Sample],
    make_task: Callable[..., Task],
    make_result: Callable[..., Result],
) -> None:
    sample = make_sample(61.5, tasks=(make_task("Run", 3.0, 1.5),), changed=51)
    result = make_result(sample, make_sample(None, case="help", error="it broke\nhere", loud=True))
    path = results.write(result, tmp_path / "results")
    assert path.name == "20261125T215900-0123456789ab.json"
    assert results.read(path) == result
    assert list(path.parent.iterdir()) == [path]  # nothing half-written stays
    lines = path.read_text(encoding="utf-8").splitlines()
    assert sum('"case"' in line for line in lines) == 2  # a sample a line, for people who compare commits


def test_a_dirty_checkout_is_in_the_name(make_result: Callable[..., Result]) -> None:
    assert make_result(dirty=True).name == "20261125T215900-0123456789ab-dirty.json"


def test_a_result_goes_on(make_sample: Callable[..., Sample], make_result: Callable[..., Result]) -> None:
    begun = make_result(make_sample(61.5, run=2))
    joined = results.continued(begun, make_result().model_copy(update={"date": "later", "yardstick": True}))
    assert joined == begun.model_copy(update={"yardstick": True})
    assert results.runs(joined, ["warm"], ["none"]) == 2
    assert results.runs(joined, ["warm"], ["neutron"]) == results.runs(joined, ["help"], ["none"]) == 0


@pytest.mark.parametrize("change", [{"commit": "f" * 40}, {"dirty": True}])
def test_other_labs_are_not_mixed(make_result: Callable[..., Result], change: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=f"has {next(iter(change))} "):
        results.continued(make_result(), make_result().model_copy(update=change))


@pytest.mark.parametrize("text", ["", "{}", '{"commit": "x", "surprise": 1}', "[1]"])
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"x\.json is no result of the bench"):
        results.read(path)


def test_a_result_is_found_by_file_by_commit_and_as_the_newest(
    tmp_path: Path, make_result: Callable[..., Result]
) -> None:
    old = make_result(commit="a" * 40, date="2026-11-24T10:00:00Z")
    again = make_result(commit="a" * 40, date="2026-11-24T11:00:00Z")
    new = make_result(commit="b" * 40, date="2026-11-25T10:00:00Z")
    files = [results.write(result, tmp_path) for result in (old, again, new)]
    assert results.find(None, tmp_path) == new
    assert results.find("aaaaaaa", tmp_path) == again
    assert results.find(str(files[0]), tmp_path) == old
    with pytest.raises(BadInput, match=r"no result of ccc .*there: 20261124T100000-aaaaaaaaaaaa\.json"):
        results.find("ccc", tmp_path)


def test_tasks_are_kept_for_the_median_sample_only(
    make_sample: Callable[..., Sample], make_task: Callable[..., Task]
) -> None:
    tasks = (make_task("Run", 0.0, 1.0),)
    samples = [make_sample(seconds, run=run, tasks=tasks) for run, seconds in enumerate((70.0, None, 60.0, 65.0))]
    other = make_sample(15.0, case="unchanged", tasks=tasks)
    kept = results.slim([*samples, other])
    assert [bool(sample.tasks) for sample in kept] == [False, False, False, True, True]
    assert json.dumps([s.seconds for s in kept]) == "[70.0, null, 60.0, 65.0, 15.0]"


def test_a_later_median_has_its_tasks(
    tmp_path: Path,
    make_sample: Callable[..., Sample],
    make_task: Callable[..., Task],
    make_result: Callable[..., Result],
) -> None:
    """The file has one sample's tasks, and nothing is lost by which one it was before."""
    result = make_result()
    growing, path = results.Growing(result, tmp_path), tmp_path / result.name
    told = []
    for seconds in (60.0, 70.0, 80.0, 90.0, 75.0):
        growing.add(make_sample(seconds, tasks=(make_task(f"Run {seconds}", 3.0, 1.5),)))
        told.append([sample.tasks[0].name for sample in results.read(path).samples if sample.tasks])
    assert told == [["Run 60.0"], ["Run 60.0"], ["Run 70.0"], ["Run 70.0"], ["Run 75.0"]]


def test_without_the_medians_tasks_the_nearest_tell(
    make_sample: Callable[..., Sample], make_task: Callable[..., Task]
) -> None:
    tasks = (make_task("Run", 3.0, 1.5),)
    samples = [make_sample(60.0, tasks=tasks), make_sample(70.0), make_sample(74.0, tasks=tasks)]
    assert [bool(sample.tasks) for sample in results.slim(samples)] == [False, False, True]


def test_of_two_the_faster_is_the_median(make_sample: Callable[..., Sample]) -> None:
    assert results.median([make_sample(70.0), make_sample(60.0)]) == make_sample(60.0)
    assert results.median([make_sample(None)]) is None
