"""The commands on the measured lab."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from bench.lab import BenchLab
from bench.results import Phase
from labctl.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BenchLab]:
    for name in ("XDG_CACHE_HOME", "LC_ALL"):
        monkeypatch.setenv(name, "as before")  # put back by the test's end
    lab = BenchLab(tmp_path / "bench", "bench", "10.0.0.0/24")
    with lab.held():
        yield lab


def test_steps_become_phases(lab: BenchLab) -> None:
    said = (
        "Network: done in 0.1 s (x)\\nNodes ...\\n  5 s  node: Go\\nNodes: done in 0.0 s\\nAll: failed after 3.0 s\\n"
    )
    done = lab.run("printf", said)
    assert [(phase.name, phase.seconds) for phase in done.phases] == [("Network", 0.1), ("Nodes", 0.0)]
    assert isinstance(done.phases[0], Phase)
    assert 0 < done.seconds < 5
    assert done.output.startswith("Network: done")


def test_a_command_that_fails_says_why(lab: BenchLab) -> None:
    with pytest.raises(LabError, match=r"(?s)ended with 3 after \d+ s:\nline 6\n.*line 20$"):
        lab.run("sh", "-c", "for i in $(seq 20); do echo line $i; done; exit 3")


def test_the_lab_as_it_is_described(lab: BenchLab) -> None:
    lab.describe("neutron", 3)
    assert json.loads(lab.paths.lab_yaml.read_text(encoding="utf-8")) == {
        "name": "bench",
        "network": "10.0.0.0/24",
        "networking": "neutron",
        "computes": 3,
    }
    assert lab.computes == 3


def test_two_benches_in_a_folder_are_refused(lab: BenchLab) -> None:
    with pytest.raises(LabError, match="is in use by labctl bench"), BenchLab(lab.folder, "b", "x").held():
        pass


def test_a_killed_bench_leaves_no_command_running(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path, "bench", "10.0.0.0/24")
    with subprocess.Popen(["sh", "-c", "sleep 60; true"], start_new_session=True) as left:
        lab._remember_child(left.pid)
        with lab.held():
            assert left.wait(10) == -signal.SIGKILL
    with lab.held():  # and what is not there any more is nobody else's process
        pass


def test_another_process_of_the_same_number_is_left_alone(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path, "bench", "10.0.0.0/24")
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        (tmp_path / "child.json").write_text(json.dumps({"process": other.pid, "began": "1"}), encoding="utf-8")
        with lab.held(), pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.5)
        other.kill()


def test_no_cache_of_the_user_is_used(lab: BenchLab) -> None:
    assert os.environ["XDG_CACHE_HOME"] == str(lab.folder / "cache")
    (lab.cache / "uv").mkdir()
    lab.empty_cache()
    assert list(lab.cache.iterdir()) == []
