"""The stages of `make test`: their order, what a failure stops, and the table at the end."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from tools import stages

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A make that says which target it was asked for, and fails for the one that FAIL names."""
    program = tmp_path / "make"
    program.write_text('#!/bin/sh\necho "at $2"\n[ "$2" != "$FAIL" ]\n', encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


@pytest.mark.usefixtures("make")
def test_stages_that_pass_are_all_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert stages.main() == 0
    lines = capsys.readouterr().out.splitlines()
    said = [line.split("| at ")[1] for line in lines if "| at " in line]
    assert sorted(said[:3]) == ["check", "images", "sanity"]
    assert said[-1] == "e2e"
    table = lines[lines.index("stage      minutes") + 1 :]
    assert [line.split()[0] for line in table] == ["check", "sanity", "images", "molecule", "config", "e2e", "all"]


@pytest.mark.usefixtures("make")
def test_stage_that_fails_stops_what_comes_after(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its lane and the next rounds; the other lane of its round goes on."""
    monkeypatch.setenv("FAIL", "check")
    assert stages.main() == 1
    output = capsys.readouterr().out
    assert "images   | at images" in output
    notes = {line.split()[0]: line for line in output.partition("stage ")[2].splitlines()[1:]}
    assert notes["check"].endswith("FAILED")
    assert all(notes[target].endswith("not run") for target in ("sanity", "molecule", "config", "e2e"))
