"""What other people have named cannot control the terminal."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
import typer
from rich.live import Live
from rich.text import Text

from labctl.ui.console import PlainConsole
from labctl.ui.live_view import NodeNow, View
from labctl.ui.progress import Progress
from labctl.ui.terminal import plain

if TYPE_CHECKING:
    from pathlib import Path

EVIL = {
    "clear the screen": "\x1b[2J",
    "ask for the position": "\x1b[6n",
    "set the title": "\x1b]0;title\x07",
    "write to the clipboard": "\x1b]52;c;YQ==\x1b\\",
    "a device control string": "\x1bP1$r\x1b\\",
    "conceal": "\x1b[8m",
    "escape alone": "\x1b",
    "C1 sequence": "\x9b2J",
    "C1 title": "\x9d0;title\x9c",
    "carriage return": "\r",
    "backspace": "\b",
    "right to left override": "\u202e",
    "isolate": "\u2066",
    "arabic letter mark": "\u061c",
    "line separator": "\u2028",
    "zero width": "\u200b",
}


def harmful(text: str) -> list[str]:
    return [character for character in text if not (character.isprintable() or character in "\n\t")]


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)
def test_output_and_errors_are_printable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    raw = io.StringIO()
    monkeypatch.setattr(sys, "stdout", plain(raw))
    typer.echo(f"a{text}b\tc")
    print(f"a{text}b\tc")  # noqa: T201
    sys.stdout.writelines([f"a{text}b\tc\n"])
    assert harmful(raw.getvalue()) == []
    assert raw.getvalue().count("b\tc\n") == 3


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)
def test_live_view_controls_the_terminal_and_its_text_does_not(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    def shown(words: str) -> str:
        raw = io.StringIO()
        monkeypatch.setattr(sys, "stdout", plain(raw))
        console = PlainConsole(force_terminal=True, width=200, height=20)
        view = View(f"step {words}", activity=words, nodes={f"node{words}": NodeNow(words)})
        with Live(view, console=console, auto_refresh=False, transient=True) as live:
            live.refresh()
            console.print(Text(words), words)
        return raw.getvalue()

    assert "\x1b[2K" in shown("")
    assert [character for character in set(shown(text)) - set(shown("")) if harmful(character)] == []
    assert len(text) == 1 or text not in shown(text)


def test_log_is_printable(tmp_path: Path) -> None:
    with Progress(tmp_path / "log") as progress:
        progress.write("".join(EVIL.values()))
    assert harmful((tmp_path / "log").read_text(encoding="utf-8")) == []
