"""How much of the machine others use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import machine
from labctl.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("after", "share"),
    [
        ("cpu  100 0 100 1200 100 0 0 0 0 0", 0.0),  # idle only
        ("cpu  150 0 100 1050 100 0 0 0 0 0", 0.5),
        ("cpu  100 0 100 1100 200 0 0 0 0 0", 0.0),  # who waits for the disk uses no processor
        ("cpu  100 0 100 1025 100 0 0 75 0 0", 0.75),  # what other machines take counts
        ("cpu  100 0 100 1000 100 0 0 0 0 0", 0.0),  # no time has passed
    ],
)
def test_busy_share_is_that_of_the_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str, share: float
) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 100 1000 100 0 0 0 0 0\ncpu0 1 1\n", encoding="ascii")
    monkeypatch.setattr("time.sleep", lambda _: stat.write_text(after, encoding="ascii"))
    assert machine.busy(2.0, stat) == share


def test_settling_ends_with_a_quiet_moment_or_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = [0.9, 0.5, 0.1, 0.9]
    monkeypatch.setattr(machine, "busy", lambda: shares.pop(0))
    assert machine.settle(60) == 0.1
    assert machine.settle(0) == 0.9
    assert shares == []


def test_memory_that_is_not_there_is_not_used(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  16000000 kB\nMemAvailable:   2097152 kB\n", encoding="ascii")
    machine.check_memory(2.0, meminfo)
    with pytest.raises(LabError, match=r"2\.0 GiB of memory are available, expected 4 GiB"):
        machine.check_memory(4.0, meminfo)
