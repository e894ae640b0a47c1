"""The picture of where the time goes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from bench import waterfall
from bench.results import Phase
from labctl.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.results import Result, Sample, Task

SVG = "{http://www.w3.org/2000/svg}"


def bars(picture: str) -> dict[str, tuple[float, float, float]]:
    """Where each bar is, by its tooltip: x, width, y."""
    found = {}
    for rect in ET.fromstring(picture).iter(f"{SVG}rect"):  # noqa: S314 (as above)
        title = rect.find(f"{SVG}title")
        if title is not None and title.text:
            found[title.text] = (float(rect.attrib["x"]), float(rect.attrib["width"]), float(rect.attrib["y"]))
    return found


def test_bars_lie_where_the_time_went(
    make_sample: Callable[..., Sample], make_task: Callable[..., Task], make_result: Callable[..., Result]
) -> None:
    tasks = (
        make_task("Keep <users> & roles", 20.0, 10.0, status="changed"),
        make_task("Install", 50.0, 25.0, node="compute2", role="nova_compute"),
        make_task("Install", 50.0, 5.0, node="compute1", role="nova_compute"),
        make_task("Also", 52.0, 5.0, node="compute1", role="nova_compute"),
    )
    sample = make_sample(100.0, tasks=tasks, phases=(Phase(name="Nodes", start=0.0, seconds=20.0),))
    result = make_result(sample)
    picture = waterfall.svg(result, sample)
    found = bars(picture)
    users = found["keystone: Keep <users> & roles: 10.0 s (changed)"]
    nodes = found["Nodes: 20.0 s"]
    on_2, on_1 = found["nova_compute: Install: 25.0 s (ok)"], found["nova_compute: Install: 5.0 s (ok)"]
    also = found["nova_compute: Also: 5.0 s (ok)"]
    assert users[0] == pytest.approx(nodes[0] + nodes[1])
    assert nodes[1] == pytest.approx(2 * users[1])
    assert nodes[2] < users[2] < on_1[2] < also[2] < on_2[2]  # what overlaps has a row of its own
    assert "0123456789ab" in picture
    assert "others used the machine" not in picture
    loud = sample.model_copy(update={"loud": True})
    assert "others used the machine" in waterfall.svg(result, loud)


def test_the_slowest_tasks_are_listed_in_their_order(
    make_sample: Callable[..., Sample], make_task: Callable[..., Task], make_result: Callable[..., Result]
) -> None:
    tasks = [make_task(f"Task {number}", number * 10.0, 1.0 + number % 20) for number in range(40)]
    picture = waterfall.svg(make_result(), make_sample(400.0, tasks=tuple(tasks)))
    texts = [text.text or "" for text in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314 (as above)
    listed = [text for text in texts if "keystone: Task" in text]
    assert len(listed) == 16
    assert listed[0] == "13.0 s  keystone: Task 12 (controller)"
    assert listed[-1] == "20.0 s  keystone: Task 39 (controller)"


def test_without_tasks_there_is_no_picture(
    make_sample: Callable[..., Sample], make_result: Callable[..., Result]
) -> None:
    with pytest.raises(BadInput, match="has no tasks of none warm"):
        waterfall.svg(make_result(), make_sample(60.0))
