"""Records what a command shows on a terminal, and makes an animated picture of it.

    python tools/recording.py record run.json -- labctl up     # the command runs in a terminal of its own, and is seen
    python tools/recording.py picture run.json docs/up.svg     # SVG with CSS only, as browsers and GitHub show it

A recording is JSON: the size of the terminal, and the output in pieces with the seconds at which they came. In the
picture waiting is cut short: seconds pass as fast as --speed says, and no moment stands longer than --longest.
"""

import argparse
import codecs
import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

_COLUMN, _LINE, _MARGIN = 8.4, 19, 14  # pixels
_FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
_COLOURS = {31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#76e3ea"}
_PAPER, _INK, _FAINT = "#0d1117", "#e6edf3", "#8b949e"
_SEQUENCE = re.compile(r"\x1b\[(?P<parameters>[0-9;?]*)(?P<letter>[A-Za-z])|\x1b[()]?.|[\r\n]|[^\x1b\r\n]+", re.DOTALL)
_UNFINISHED = re.compile(r"\x1b(\[[0-9;?]*|[()])?$")
_LAST = 6.0  # seconds that the end stands before the picture begins anew

Cell = tuple[str, tuple[int, ...]]  # a character, and the SGR parameters that were in force
Frame = tuple[str, ...]  # lines of SVG text


def record(command: Sequence[str], columns: int, lines: int) -> dict[str, object]:
    """Run a command in a terminal of a size, show its output, and return the recording. OSError when it cannot."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(columns), LINES=str(lines))
        os.execvp(command[0], list(command))  # noqa: S606 (the command is the caller's own)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    start, pieces = time.monotonic(), []
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not data:
            break
        text = decoder.decode(data)
        sys.stdout.write(text)
        sys.stdout.flush()
        pieces.append((round(time.monotonic() - start, 3), text))
    _, status = os.waitpid(child, 0)
    return {
        "command": list(command),
        "columns": columns,
        "lines": lines,
        "status": os.waitstatus_to_exitcode(status),
        "pieces": pieces,
    }


@dataclass
class Screen:
    """As much of a terminal as labctl's output needs: text, colours, moves of the cursor, erasing. No line wraps."""

    columns: int
    lines: int
    rows: list[list[Cell]] = field(default_factory=lambda: [[]])
    _row: int = 0
    _column: int = 0
    _style: tuple[int, ...] = ()
    _rest: str = ""

    def write(self, text: str) -> None:
        """Show a text. What scrolls out at the top is gone."""
        text, self._rest = self._rest + text, ""
        if unfinished := _UNFINISHED.search(text):  # the other half is in the next piece
            text, self._rest = text[: unfinished.start()], unfinished[0]
        for match in _SEQUENCE.finditer(text):
            if match["letter"]:
                self._control(match["letter"], match["parameters"])
            elif match[0] == "\r":
                self._column = 0
            elif match[0] == "\n":
                self._row += 1
            elif not match[0].startswith("\x1b"):
                self._put(match[0])
            while self._row >= len(self.rows):
                self.rows.append([])
            while len(self.rows) > self.lines:
                del self.rows[0]
                self._row -= 1

    def _put(self, text: str) -> None:
        row = self.rows[self._row]
        row.extend([(" ", ())] * (self._column - len(row)))
        cells: list[Cell] = [(character, self._style) for character in text]
        row[self._column : self._column + len(cells)] = cells
        del row[self.columns :]
        self._column += len(cells)

    def _control(self, letter: str, parameters: str) -> None:
        numbers = [int(number) for number in parameters.split(";") if number.isdigit()]
        if letter == "m":
            self._style = () if numbers in ([], [0]) else tuple(number for number in numbers if number)
        elif letter == "A":
            self._row = max(0, self._row - (numbers or [1])[0])
        elif letter == "K":
            keep = 0 if numbers == [2] else self._column
            del self.rows[self._row][keep:]


def frames(recording: dict[str, object], *, speed: float, longest: float, rate: float) -> Iterator[tuple[float, Frame]]:
    """The picture's frames, each with the seconds it stands, at most rate of them each second of the picture."""
    screen = Screen(int(str(recording["columns"])), int(str(recording["lines"])))
    pieces: list[tuple[float, str]] = recording["pieces"]  # type: ignore[assignment]
    shown: Frame = ()
    stood = 0.0
    waited = last = 0.0
    for moment, text in pieces:
        waited += min((moment - last) / speed, longest)
        last = moment
        if waited >= 1 / rate and any(now := drawn(screen)):
            if shown and now != shown:
                yield stood, shown
                stood = 0.0
            stood, shown, waited = stood + waited, now, 0.0
        screen.write(text)
    if shown:
        yield stood, shown
    yield _LAST, drawn(screen)


def drawn(screen: Screen) -> Frame:
    """A screen as SVG, line by line."""
    return tuple(_line(row) for row in screen.rows)


def _line(row: Sequence[Cell]) -> str:
    """A line of text in pieces of one style; each says its column, so that any font keeps the columns."""
    pieces, start = [], 0
    for end in range(1, len(row) + 1):
        if end == len(row) or row[end][1] != row[start][1]:
            text = "".join(character for character, _ in row[start:end])
            if text.strip():
                left = len(text) - len(text.lstrip())
                place = f' x="{(start + left) * _COLUMN:.1f}"'
                pieces.append(f"<tspan{place}{_attributes(row[start][1])}>{escape(text.strip())}</tspan>")
            start = end
    return "".join(pieces)


def _attributes(style: Sequence[int]) -> str:
    colour = next((_COLOURS[number] for number in style if number in _COLOURS), _FAINT if 2 in style else "")
    return (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if 1 in style else "")


def picture(recording: dict[str, object], title: str, *, speed: float, longest: float, rate: float) -> str:
    """The recording as an animated SVG. Where nothing moves, as on paper, it is the last frame."""
    pictures = list(frames(recording, speed=speed, longest=longest, rate=rate))
    whole = sum(seconds for seconds, _ in pictures)
    height = max(len(frame) for _, frame in pictures)
    wide, high = int(str(recording["columns"])) * _COLUMN + 2 * _MARGIN, height * _LINE + 2 * _MARGIN
    names: dict[str, str] = {}  # a line is said once, however many frames have it
    moments, bodies, passed = [], [], 0.0
    for number, (seconds, frame) in enumerate(pictures):
        moments.append(f"{100 * passed / whole:.3f}%{{transform:translateX({-number * wide:.1f}px)}}")
        passed += seconds
        uses = []
        for position, line in enumerate(frame):
            if line:
                name = names.setdefault(line, f"l{len(names)}")
                uses.append(f'<use href="#{name}" y="{(position + 1) * _LINE - 5}"/>')
        bodies.append(f'<g transform="translate({number * wide:.1f} 0)">{"".join(uses)}</g>')
    lines = "\n".join(f'<text id="{name}">{line}</text>' for line, name in names.items())
    still = -(len(pictures) - 1) * wide
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high}" role="img" aria-label="{escape(title)}">
<title>{escape(title)}</title>
<style>
text{{font:14px {_FONT};fill:{_INK};white-space:pre}}
#film{{transform:translateX({still:.1f}px)}}
@media (prefers-reduced-motion:no-preference){{#film{{animation:film {whole:.1f}s steps(1,end) infinite}}}}
@keyframes film{{{"".join(moments)}}}
</style>
<defs>
{lines}
</defs>
<rect width="100%" height="100%" rx="8" fill="{_PAPER}"/>
<svg x="{_MARGIN}" y="{_MARGIN}" width="{wide - 2 * _MARGIN:.1f}" height="{height * _LINE}"><g id="film">
{chr(10).join(bodies)}
</g></svg>
</svg>
"""


def main() -> int:
    """The command line; returns the exit status of what was recorded, or 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    recorder = verbs.add_parser("record", help="run a command and record it")
    recorder.add_argument("file", type=Path)
    recorder.add_argument("--columns", type=int, default=100)
    recorder.add_argument("--lines", type=int, default=30)
    recorder.add_argument("command", nargs="+")
    painter = verbs.add_parser("picture", help="make a picture of a recording")
    painter.add_argument("file", type=Path)
    painter.add_argument("svg", type=Path)
    painter.add_argument("--title", default="A terminal")
    painter.add_argument("--speed", type=float, default=8.0)
    painter.add_argument("--longest", type=float, default=2.0)
    painter.add_argument("--rate", type=float, default=4.0)
    options = parser.parse_args()
    if options.verb == "record":
        recording = record(options.command, options.columns, options.lines)
        options.file.write_text(json.dumps(recording) + "\n", encoding="utf-8")
        return int(str(recording["status"]))
    recording = json.loads(options.file.read_text(encoding="utf-8"))
    values = {name: getattr(options, name) for name in ("speed", "longest", "rate")}
    options.svg.write_text(picture(recording, options.title, **values), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
