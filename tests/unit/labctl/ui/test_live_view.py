"""What a terminal shows while a step runs."""

from __future__ import annotations

import io
import re
import time
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from labctl.ui.live_view import NodeNow, View, duration

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def console(width: int = 60, height: int = 12) -> Console:
    terminal = Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, soft_wrap=True, highlight=False
    )
    terminal._environ = {"TERM": "xterm-256color"}
    return terminal


def lines(view: View, terminal: Console) -> list[str]:
    """The view as it is on a terminal, without colours."""
    with terminal.capture() as captured:
        terminal.print(view, end="")
    return re.sub(r"\x1b\[[0-9;]*m", "", captured.get()).splitlines()


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (0.4, "0 s"), (99.4, "99 s"), (100, "1:40 min"), (3605, "60:05 min")]
)
def test_duration_in_seconds_or_minutes(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_view_shows_nodes_tasks_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    nodes = {
        "controller": NodeNow("keystone: Bring the schema up to date", now - 4),
        "compute1": NodeNow("node: Set the names", now - 9, busy=False),
    }
    view = View("Software", now - 30, "keystone: Bring", nodes, left=90.0, run_started=now - 45, whole_left=95.0)
    assert lines(view, console(100)) == [
        lines(view, console(100))[0],
        "  ● controller  keystone: Bring the schema up to date  4 s",
        "  ○ compute1    node: Set the names",
        "  45 s so far, about 95 s to the end",
    ]
    assert lines(view, console(100))[0][2:] == f"Software  30 s  {'━' * 24}  about 90 s left"


def test_view_of_a_step_of_which_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    (line,) = lines(View("Image", now - 5, "mmdebstrap"), console())
    assert line[2:] == "Image  5 s    mmdebstrap"


@pytest.mark.parametrize("width", [1, 2, 10, 40, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """So none wraps, and what is erased is what was drawn."""
    nodes = {f"compute{number}": NodeNow("ü" * 300) for number in range(3)}
    view = View("Software " * 20, nodes=nodes, left=5.0, whole_left=7.0)
    assert len(lines(view, console(width))) == 5
    assert all(len(line) < max(width, 2) for line in lines(view, console(width)))


def test_more_nodes_than_lines() -> None:
    """Those that work come first; the view stays lower than the terminal."""
    nodes = {f"compute{number}": NodeNow("x", busy=number > 95) for number in range(100)}
    shown = lines(View("Software", nodes=nodes, whole_left=3.0), console(80, 12))
    assert len(shown) == 11
    assert [line.split()[1] for line in shown[1:5]] == ["compute96", "compute97", "compute98", "compute99"]
    assert shown[9] == "    and 92 more"
