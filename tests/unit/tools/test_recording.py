"""The tool that makes pictures of what a terminal shows."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree as ET

import pytest

from tools import recording
from tools.recording import Screen


def texts(screen: Screen) -> list[str]:
    return ["".join(character for character, _ in row) for row in screen.rows]


@pytest.mark.parametrize(
    ("output", "rows"),
    [
        ("one\r\ntwo", ["one", "two"]),
        ("one\r\ntwo\r\x1b[2K\x1b[1A\x1b[2Kthree", ["three", ""]),
        ("abcdef\r\x1b[31mAB\x1b[0m", ["ABcdef"]),
        ("abc\rX\x1b[K", ["X"]),
        ("a\r\nb\r\nc\r\nd", ["b", "c", "d"]),
        ("a\r\n\x1b[9Ab", ["b", ""]),
        ("1234567890123", ["1234567890"]),
        ("\x1b[?25l\x1b(Ba", ["a"]),
    ],
)
def test_screen_after_control_sequences_shows_the_text(output: str, rows: list[str]) -> None:
    screen = Screen(10, 3)
    screen.write(output)
    assert texts(screen) == rows


def test_a_sequence_in_two_pieces() -> None:
    screen = Screen(10, 3)
    for piece in ("one\r\n\x1b", "[1", "Atwo\x1b[2", "K"):
        screen.write(piece)
    assert texts(screen) == ["", ""]


def test_styles_are_kept() -> None:
    screen = Screen(20, 3)
    screen.write("\x1b[1;36mname\x1b[0m  \x1b[2ma<b\x1b[0m")
    (line,) = recording.drawn(screen)
    assert line == (
        '<tspan x="0.0" fill="#76e3ea" font-weight="bold">name</tspan><tspan x="50.4" fill="#8b949e">a&lt;b</tspan>'
    )


def test_record_and_picture() -> None:
    """From a command in a terminal to an SVG whose last frame is the end."""
    program = "import sys, time; print(sys.stdout.isatty()); time.sleep(0.4); print('äöü'); sys.exit(3)"
    recorded = recording.record([sys.executable, "-c", program], 40, 5)
    assert recorded["status"] == 3
    svg = recording.picture(recorded, "A & B", speed=1, longest=1, rate=10)
    root = ET.fromstring(svg)  # noqa: S314 (made above)
    space = {"svg": "http://www.w3.org/2000/svg"}
    assert root.findtext("svg:title", namespaces=space) == "A & B"
    lines = {item.attrib["id"]: "".join(item.itertext()) for item in root.iterfind("svg:defs/svg:text", space)}
    film = root.findall("svg:svg/svg:g/svg:g", space)
    assert [[lines[use.attrib["href"][1:]] for use in frame] for frame in film] == [["True"], ["True", "äöü"]]
    moves = re.findall(r"([\d.]+)%\{transform:translateX\((-?[\d.]+)px\)\}", svg)
    assert [float(move) for _, move in moves] == [0.0, -(40 * 8.4 + 28)]


def test_waiting_is_cut_short() -> None:
    pieces = [(0.0, "a"), (100.0, "b"), (101.0, "c")]
    taken = list(recording.frames({"columns": 9, "lines": 2, "pieces": pieces}, speed=1, longest=2, rate=2))
    assert [seconds for seconds, _ in taken] == [2.0, 1.0, 6.0]
