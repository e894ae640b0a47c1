"""The program that reads the state of a node, run here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from labctl.remote import programs
from labctl.remote.programs import state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHOWN = """LoadState=loaded
ActiveState=active
SubState=running
Result=success
ActiveEnterTimestamp=Thu 1970-01-01 00:01:40.000000 UTC
ActiveExitTimestamp=Thu 1970-01-01 00:01:30.000000 UTC
StateChangeTimestamp=Thu 1970-01-01 00:01:40.000000 UTC
NRestarts=0

LoadState=loaded
ActiveState=activating
SubState=auto-restart
Result=exit-code
ActiveEnterTimestamp=Thu 1970-01-01 00:01:40.000000 UTC
ActiveExitTimestamp=Thu 1970-01-01 00:01:50.000000 UTC
StateChangeTimestamp=Thu 1970-01-01 00:02:50.000000 UTC
NRestarts=7

LoadState=not-found
ActiveState=inactive
SubState=dead
Result=success
ActiveEnterTimestamp=
ActiveExitTimestamp=
StateChangeTimestamp=
NRestarts=

LoadState=loaded
ActiveState=failed
SubState=failed
Result=exit-code
ActiveEnterTimestamp=
ActiveExitTimestamp=
StateChangeTimestamp=Thu 1970-01-01 00:00:50.000000 UTC
NRestarts=0
"""


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str | None]], None]:
    """Answers of commands, by a word in them."""

    def answer(answers: dict[str, str | None]) -> None:
        def run(*command: str) -> str | None:
            return next((text for word, text in answers.items() if word in command), None)

        monkeypatch.setattr(state, "said", run)

    return answer


def run(program: str) -> Any:  # noqa: ANN401 (JSON)
    done = subprocess.run([sys.executable, "-I", "-"], input=program, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_state_outside_a_lab_is_reported() -> None:
    answer = run(programs.program("state", {"units": ["no-such-unit"], "packages": ["no-such-package"], "cells": True}))
    assert answer["memory"]["total"] > 0
    assert answer["disk"]["free"] > 0
    assert (answer["packages"], answer["cells"]) == ({}, None)
    assert 0 < answer["since"] <= answer["time"]


def test_units_have_state_since_and_restarts(said: Callable[[dict[str, str | None]], None]) -> None:
    said({"list-units": "c.service loaded failed failed What it is\n", "show": SHOWN})
    found = state.units(["nova-api", "nova-compute", "a.socket"])
    assert [(unit["unit"], unit["active"], unit["since"], unit["restarts"]) for unit in found] == [
        ("nova-api", "active", 100, 0),
        ("nova-compute", "activating", 110, 7),  # since it last ran, not since the last attempt
        ("a.socket", "inactive", None, 0),
        ("c", "failed", 50, 0),
    ]


def test_cells_have_their_hosts(said: Callable[[dict[str, str | None]], None]) -> None:
    said({"mariadb": "cell0\tuuid0\t0\tNULL\ncell1\tuuid1\t1\tcompute1,compute2\n"})
    assert state.cells() == [
        {"name": "cell0", "uuid": "uuid0", "disabled": False, "hosts": []},
        {"name": "cell1", "uuid": "uuid1", "disabled": True, "hosts": ["compute1", "compute2"]},
    ]
    said({})
    assert state.cells() is None


@pytest.mark.parametrize(
    ("files", "used", "seconds"),
    [
        ({"memory.stat": "anon 10\nshmem 2\nfile 99\n", "cpu.stat": "usage_usec 1500000\n"}, 12, 1.5),
        ({"memory/memory.stat": "total_rss 20\ntotal_shmem 1\n", "cpuacct/cpuacct.usage": "2000000000\n"}, 21, 2.0),
        ({}, None, None),
    ],
)
def test_use_of_memory_and_disk_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], used: int | None, seconds: float | None
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(state, "CGROUPS", tmp_path)
    memory = state.memory()
    if used is None:
        assert 0 < (memory["used"] or 0) <= (memory["total"] or 0)
    else:
        assert memory["used"] == used
    assert state.processor_seconds() == seconds
