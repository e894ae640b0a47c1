"""Text for people: tables, times, sizes, and output of others without the characters that control a terminal."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

# ECMA-48: control sequences, command strings such as a window's title, C0 and C1. Unicode: marks that change the order
# of text (UAX 9), line separators, and characters without width.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows of equal length, the first with the headings, as lines with aligned columns."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def span(seconds: float) -> str:
    """A duration in its largest unit: 40 s, 12 min, 3 h, 2 d."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def moment(value: datetime | None, now: datetime) -> str:
    """A point in time in UTC, and how long ago it was; empty when unknown."""
    if value is None:
        return ""
    value, now = value.astimezone(UTC), now.astimezone(UTC)
    day = "" if value.date() == now.date() else f"{value:%Y-%m-%d} "
    return f"{day}{value:%H:%M:%S} ({span((now - value).total_seconds())})"


def size(amount: float) -> str:
    """Bytes in MiB or GiB."""
    mebibytes = amount / 2**20
    return f"{mebibytes:.0f} MiB" if mebibytes < 1000 else f"{mebibytes / 1024:.1f} GiB"


def printable(text: str) -> str:
    """A text without the characters that control a terminal."""
    return _CONTROL.sub("", text.replace("\r\n", "\n"))
