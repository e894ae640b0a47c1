"""Files that are written completely or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl import files

if TYPE_CHECKING:
    from labctl.lab.paths import LabPaths


def test_write_that_fails_leaves_nothing(paths: LabPaths) -> None:
    files.write_private(paths.secrets, "whole")
    with pytest.raises(UnicodeEncodeError):
        files.write_private(paths.secrets, "half \udcff")
    assert [path.name for path in paths.state.iterdir()] == ["secrets.json"]
    assert paths.secrets.read_text(encoding="utf-8") == "whole"
