"""Tasks from ansible-runner's job events."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from bench import events
from bench.results import Task

if TYPE_CHECKING:
    from pathlib import Path

START = 1764108000.0  # 2025-11-25T22:00:00Z


class Run:
    """A run's folder, filled with events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "job_events").mkdir(parents=True)
        self._count = 0

    def add(self, event: str, start: str = "", end: str = "", *, suffix: str = "", **data: Any) -> None:  # noqa: ANN401
        self._count += 1
        times = {"start": f"2025-11-25T22:00:{start}+00:00", "end": f"2025-11-25T22:00:{end}+00:00"} if end else {}
        text = json.dumps({"event": event, "event_data": {**times, "host": "controller", **data}})
        (self.folder / "job_events" / f"{self._count}-uuid{suffix}.json").write_text(text, encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "artifacts" / "one")


def test_tasks_in_the_order_of_their_starts(run: Run) -> None:
    run.add("runner_on_ok", "05.25", "07.75", task="Run it", role="novalab.openstack.keystone", res={"changed": True})
    run.add("runner_on_ok", "01.00", "01.50", task="novalab.openstack.node : Set the names", role="node", res={})
    run.add("runner_on_skipped", "08.00", "08.10", task="Not here", host="compute1")
    run.add("runner_on_failed", "09.00", "09.20", task="Try", host="localhost")
    run.add("runner_on_start", task="Run it")
    run.add("playbook_on_task_start", task="Run it")
    run.add("runner_on_ok", "05.25", "07.75", task="Half an event", suffix="-partial")
    run.add("runner_on_ok", task="Without times")
    assert events.tasks([run.folder], START) == [
        Task(node="controller", role="node", name="Set the names", start=1.0, seconds=0.5, status="ok"),
        Task(node="controller", role="keystone", name="Run it", start=5.25, seconds=2.5, status="changed"),
        Task(node="compute1", role="", name="Not here", start=8.0, seconds=0.1, status="skipped"),
        Task(node="localhost", role="", name="Try", start=9.0, seconds=0.2, status="failed"),
    ]
    assert events.changed(events.tasks([run.folder], START)) == 1
    assert events.start(run.folder) == START + 1


def test_the_check_of_arguments_has_a_short_name(run: Run) -> None:
    name = "Validating arguments against arg spec 'main' - RabbitMQ with one user per service and no guest"
    run.add("runner_on_ok", "01.00", "01.50", task=name, role="rabbitmq")
    assert [task.title for task in events.tasks([run.folder], START)] == [
        "rabbitmq: Validating arguments against arg spec 'main'"
    ]


def test_runs_are_listed_by_age(tmp_path: Path) -> None:
    for name, age in (("b", 1), ("a", 3), ("c", 2)):
        folder = tmp_path / "artifacts" / name / "job_events"
        folder.mkdir(parents=True)
        os.utime(folder, (START - age, START - age))
    assert [folder.name for folder in events.runs(tmp_path)] == ["a", "c", "b"]
    assert events.runs(tmp_path / "nowhere") == []
