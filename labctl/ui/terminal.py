"""The only way of text to the terminal. What controls a terminal is taken out of it, wherever the text comes from.

Names of servers and images, units, logs and archives are other people's, and a terminal obeys what it is shown.
"""

from collections.abc import Iterable
from typing import Any, TextIO, cast

from labctl.ui.text import printable


class PlainStream:
    """A stream of text that writes printable text only. raw is the stream behind it."""

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write the text without what controls a terminal."""
        self.raw.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines as write() does."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (everything else is the stream's)
        return getattr(self.raw, name)


def plain(stream: TextIO) -> TextIO:
    """The stream with what controls a terminal taken out."""
    return cast("TextIO", PlainStream(stream))
