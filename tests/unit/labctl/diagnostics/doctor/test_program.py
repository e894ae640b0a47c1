"""The program that asks a node, run here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from labctl.remote import programs

if TYPE_CHECKING:
    from pathlib import Path


def test_program_runs_without_labctl(tmp_path: Path) -> None:
    """It imports nothing of labctl's where it runs; on a machine that is no node it finds little, and says so."""
    question = {"node": "a", "nodes": {"localhost": "127.0.0.1"}, "services": [], "apis": [], "compute": True}
    text = programs.program("labctl.diagnostics.doctor.probes.main", question)
    done = subprocess.run(
        [sys.executable, "-I", "-"], input=text, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    facts = json.loads(done.stdout)
    assert facts["names"]["localhost"] == ["127.0.0.1"]
    assert facts["memory"]["MemTotal"] > 0
    assert facts["logins"] == {"database": [], "queue": [], "identity": []}
