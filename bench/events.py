"""Tasks with their times, from the job events that ansible-runner keeps (its manual, "Artifacts directory")."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.results import Task

_STATUS = {"runner_on_ok": "ok", "runner_on_skipped": "skipped", "runner_on_failed": "failed"}
_ROLE_PREFIX = re.compile(r"^[\w.]+ : ")
_TOO_MUCH = re.compile(r" - .*")  # the role's description, which Ansible appends when it validates arguments


def runs(runner: Path) -> list[Path]:
    """The folders of the runs that ansible-runner keeps in its private data directory, the oldest first."""
    folders = (runner / "artifacts").glob("*/job_events")
    return [folder.parent for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime)]


def tasks(folders: Iterable[Path], since: float) -> list[Task]:
    """Every task of some runs on each node, in the order of their starts. since is a time in seconds since 1970."""
    found = [task for folder in folders for event in _events(folder) if (task := _task(event, since))]
    return sorted(found, key=lambda task: task.start)


def start(folder: Path) -> float:
    """When a run's first task began, in seconds since 1970."""
    return min((moment for event in _events(folder) if (moment := _moment(event, "start"))), default=0.0)


def changed(found: Iterable[Task]) -> int:
    """How many tasks changed something."""
    return sum(task.status == "changed" for task in found)


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((folder / "job_events").glob("*.json")):
        if not path.name.endswith("-partial.json"):
            event = json.loads(path.read_text(encoding="utf-8"))
            if event.get("event") in _STATUS:
                yield event


def _task(event: dict[str, Any], since: float) -> Task | None:
    data = event["event_data"]
    begun, ended = _moment(event, "start"), _moment(event, "end")
    if begun is None or ended is None:
        return None
    status = _STATUS[event["event"]]
    if status == "ok" and (data.get("res") or {}).get("changed"):
        status = "changed"
    name = _ROLE_PREFIX.sub("", str(data.get("task") or ""))
    if name.startswith("Validating arguments"):
        name = _TOO_MUCH.sub("", name)
    role = str(data.get("role") or "").rpartition(".")[2]
    node = str(data.get("host") or "")
    return Task(
        node=node, role=role, name=name, start=round(begun - since, 2), seconds=round(ended - begun, 2), status=status
    )


def _moment(event: dict[str, Any], name: str) -> float | None:
    text = event["event_data"].get(name)
    return datetime.fromisoformat(text).timestamp() if text else None
