"""rich's console on the only way of text to the terminal."""

from collections.abc import Iterator
from typing import IO, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from labctl.ui.terminal import PlainStream
from labctl.ui.text import printable


class PlainConsole(Console):
    """rich's console, whose own control of the terminal gets through, and that of the text does not."""

    @property
    def file(self) -> IO[str]:
        """The stream itself, to which rich writes what moves the cursor."""
        stream = super().file
        return cast("IO[str]", stream.raw) if isinstance(stream, PlainStream) else stream

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """The segments of something to show, printable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)
