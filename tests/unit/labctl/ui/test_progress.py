"""What people see of a run: on a terminal, without one, and in the log."""

from __future__ import annotations

import io
import re
import stat
import time
from typing import TYPE_CHECKING

import pytest

from labctl.ui.console import PlainConsole
from labctl.ui.progress import Progress
from tools.recording import Screen

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def console(width: int = 60, height: int = 12) -> PlainConsole:
    terminal = PlainConsole(
        file=io.StringIO(), force_terminal=True, width=width, height=height, soft_wrap=True, highlight=False
    )
    terminal._environ = {"TERM": "xterm-256color"}
    return terminal


def run(progress: Progress) -> None:
    with progress, progress.step("Nodes") as step:
        for activity in ("first", "second", "first"):
            step.activity(activity)
            step.node("controller", activity)
            step.node_done("controller")
        step.activity("nothing for any node")
        step.node("controller", "nothing for any node")
        step.node_skipped("controller")
        step.note("3 made")


def test_progress_without_a_terminal_is_plain_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(Progress(tmp_path / "log"))
    assert [re.sub(r"\d+\.?\d* s", "N s", line) for line in capsys.readouterr().out.splitlines()] == [
        "Nodes ...",
        "      N s  first",
        "      N s  second",
        "Nodes: done in N s (3 made)",
    ]


def test_step_that_takes_long_is_reported_while_it_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labctl.ui.progress._PATIENCE", 0.01)
    with Progress(tmp_path / "log") as progress, progress.step("Nodes") as step:
        for node, activity in (("compute1", "long"), ("compute2", "nothing for this node")):
            step.activity(activity)
            step.node(node, activity)
        step.node_skipped("compute2")
        end = time.monotonic() + 10
        told = ""
        while "long" not in told and time.monotonic() < end:
            time.sleep(0.01)
            told += capsys.readouterr().out
        time.sleep(0.05)
        step.node_done("compute1")
        told += capsys.readouterr().out
    assert [line.partition(" s  ")[2] for line in told.splitlines()] == ["", "long"]


def test_the_time_is_that_of_the_node_that_did_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not of one that has skipped it, or of the same node earlier."""
    with Progress(tmp_path / "log") as progress, progress.step("Nodes") as step:
        for _ in range(2):
            step.activity("later")
            step.node("controller", "later")
            step.node_skipped("controller")
        step._start -= 100
        step.activity("later")
        step.node("controller", "later")
        step.node_done("controller")
    assert "    100 s  later\n" in capsys.readouterr().out


def test_log_is_private_and_has_every_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    run(Progress(log))
    text = log.read_text(encoding="utf-8")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert [line[9:] for line in text.splitlines()[:2]] == ["Nodes ...", "Nodes: 3 made"]


@pytest.mark.parametrize(("width", "later"), [(20, 20), (60, 60), (60, 20), (20, 60)])
def test_progress_on_a_terminal_is_redrawn(tmp_path: Path, width: int, later: int) -> None:
    """At the end the view is gone and one line is left, whatever was drawn before and however wide it was."""
    progress = Progress(tmp_path / "log")
    terminal = console(width)
    progress._console = terminal
    with progress:
        for title in ("Network", "Nodes"):
            with progress.step(title) as step:
                step.node("controller", "a long text " * 20)
                time.sleep(0.3)
                terminal.width = later
                time.sleep(0.3)
                step.note("made")
        with pytest.raises(ValueError, match="boom"), progress.step("Software"):
            raise ValueError("boom")
    screen = Screen(200, 50)
    screen.write(terminal.file.getvalue())  # type: ignore[attr-defined]
    left = ["".join(character for character, _ in row).rstrip() for row in screen.rows]
    assert [re.sub(r"\d+\.\d s", "N s", line) for line in left] == [
        "✓ Network: done in N s (made)",
        "✓ Nodes: done in N s (made)",
        "✗ Software: failed after N s",
        "",
    ]


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "log")
    terminal = console()
    terminal._environ = {"TERM": "dumb"}
    progress._console = terminal
    run(progress)
    assert "Nodes ...\n" in terminal.file.getvalue()  # type: ignore[attr-defined]
