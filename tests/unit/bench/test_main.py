"""The commands of the bench."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from bench import __main__ as cli
from bench import results, table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.results import Result, Sample, Task
    from labctl.lab.paths import LabPaths


def bench(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def file(
    tmp_path: Path,
    make_sample: Callable[..., Sample],
    make_task: Callable[..., Task],
    make_result: Callable[..., Result],
) -> str:
    """A result with a warm run."""
    return str(results.write(make_result(make_sample(60.0, tasks=(make_task("Run", 1.0, 2.0),))), tmp_path))


def test_an_unknown_case_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(monkeypatch, "run", "--case", "lukewarm") == 2
    assert re.search(r"no case lukewarm\nCases: cold, warm, ", capsys.readouterr().err)


def test_cold_is_refused_when_files_differ_from_the_commit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(results, "git", lambda verb, *_: "a" * 40 if verb == "rev-parse" else " M site.yaml")
    assert bench(monkeypatch, "run", "--case", "cold") == 2
    assert "Commit or stash them first." in capsys.readouterr().err


def test_without_git_there_is_no_result(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(results, "git", lambda *_: "")
    assert bench(monkeypatch, "run") == 2
    assert "is no git checkout" in capsys.readouterr().err


def test_result_gives_table_comparison_and_picture(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, readme = tmp_path / "x.svg", tmp_path / "README.md"
    readme.write_text(f"{table.BEGIN}\n{table.END}\n", encoding="utf-8")
    monkeypatch.setattr(table, "write", lambda result: readme.write_text(table.markdown(result), encoding="utf-8"))
    for command in (
        ["profile", file],
        ["compare", file, file],
        ["table", file],
        ["plot", file, "--output", str(picture)],
    ):
        assert bench(monkeypatch, *command) == 0
    said = capsys.readouterr().out
    assert "keystone: Run" in said
    assert "warm  60.00 s  60.00 s" in said
    assert "60.0 s" in readme.read_text(encoding="utf-8")
    assert picture.read_text(encoding="utf-8").startswith("<svg")


def test_waterfall_without_kept_tasks_is_refused(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(monkeypatch, "profile", file, "--case", "cold") == 2
    assert "has no tasks of none cold (there: none warm)" in capsys.readouterr().err


def test_profile_of_a_lab_without_a_playbook_is_refused(
    paths: LabPaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(monkeypatch, "profile", "-C", str(paths.directory)) == 2
    assert "No playbook has run in" in capsys.readouterr().err


def test_clean_without_a_lab_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(monkeypatch, "clean", "--folder", str(tmp_path / "nowhere")) == 2
    assert not (tmp_path / "nowhere").exists()
