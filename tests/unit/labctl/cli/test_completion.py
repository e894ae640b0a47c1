"""What a shell gets when it asks."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from labctl.lab import records, registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths


def completed(words: str, **environment: str) -> list[str]:
    """What bash would offer for the last word."""
    done = subprocess.run(
        [sys.executable, "-c", "from labctl.cli.main import main; main()"],
        env={
            **os.environ,
            "_LABCTL_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split()


@pytest.fixture
def enter(paths: LabPaths, make_lab: Callable[..., Lab]) -> LabPaths:
    lab = make_lab(name="one", computes={"count": 1})
    registry.remember(paths, lab)
    records.remember(paths, lab, None)
    return paths


def test_completion_of_a_verb() -> None:
    assert completed("labctl de") == ["destroy", "describe", "demo"]


def test_completion_of_a_labs_name(enter: LabPaths) -> None:
    assert completed("labctl --lab ") == ["one"]
    assert completed("labctl --lab x") == []


def test_completion_of_a_node_uses_the_chosen_lab(enter: LabPaths, tmp_path: Path) -> None:
    assert completed("labctl --lab one ssh ") == ["controller", "compute1"]
    assert completed(f"labctl -C {enter.directory} ssh comp") == ["compute1"]
    assert completed("labctl ssh cont", LABCTL_DIR=str(enter.directory)) == ["controller"]
    assert completed("labctl ssh ", LABCTL_DIR=str(tmp_path)) == []
    assert completed("labctl --lab two ssh ") == []


def test_completion_of_a_snapshot_leaves_out_unfinished(enter: LabPaths) -> None:
    for name in ("fresh", "full", ".full.unfinished"):
        (enter.snapshots / name).mkdir(parents=True)
    assert completed("labctl --lab one snapshot restore f") == ["fresh", "full"]
    assert completed("labctl --lab one snapshot delete fu") == ["full"]
    assert completed("labctl --lab two snapshot delete ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_for_a_shell_is_printed(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "labctl", "completion", shell], capture_output=True, text=True, check=True
    )
    assert f"_LABCTL_COMPLETE=complete_{shell}" in done.stdout
