"""Words for people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from labctl.ui import text

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def test_text_with_control_characters_is_made_harmless() -> None:
    assert text.printable("a\r\nroot@a:~# \x1b[6n\x07b\tc") == "a\nroot@a:~# b\tc"


def test_columns_are_as_wide_as_their_words() -> None:
    assert text.table([("A", "Long"), ("word", "b")]) == "A     Long\nword  b"


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0 s"), (59.9, "60 s"), (60, "1 min"), (7199, "1 h"), (86400 * 3, "3 d")]
)
def test_span_in_words(seconds: float, words: str) -> None:
    assert text.span(seconds) == words


def test_moment_with_how_long_ago() -> None:
    assert text.moment(None, NOW) == ""
    assert text.moment(datetime(2026, 11, 25, 11, 58, tzinfo=UTC), NOW) == "11:58:00 (2 min)"
    assert text.moment(datetime(2026, 11, 24, 11, 0, tzinfo=UTC), NOW) == "2026-11-24 11:00:00 (1 d)"


def test_size_in_the_unit_that_fits() -> None:
    assert (text.size(540 * 2**20), text.size(1.7 * 2**30)) == ("540 MiB", "1.7 GiB")
