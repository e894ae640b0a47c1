"""The file of passwords: what is made, what is kept, and who can read it."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from labctl import labsecrets
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.paths import LabPaths


def test_generated_once_and_kept(paths: LabPaths) -> None:
    assert labsecrets.ensure(paths, {})
    made = labsecrets.read(paths.secrets)
    assert set(made) == set(labsecrets.NAMES)
    assert len(set(made.values())) == len(made)
    assert min(map(len, made.values())) >= 32
    assert not labsecrets.ensure(paths, {})
    assert labsecrets.read(paths.secrets) == made


def test_override_wins_and_stays(paths: LabPaths) -> None:
    labsecrets.ensure(paths, {})
    before = labsecrets.read(paths.secrets)
    assert labsecrets.ensure(paths, {"keystone_admin": "p@:/#%?$'\" x"})
    assert labsecrets.read(paths.secrets) == {**before, "keystone_admin": "p@:/#%?$'\" x"}
    assert not labsecrets.ensure(paths, {})


def test_what_is_missing_is_added(paths: LabPaths) -> None:
    labsecrets.write_private(paths.secrets, json.dumps({"keystone_admin": "old"}))
    assert labsecrets.ensure(paths, {})
    assert labsecrets.read(paths.secrets)["keystone_admin"] == "old"
    assert set(labsecrets.read(paths.secrets)) == set(labsecrets.NAMES)


def test_only_the_owner_reads(paths: LabPaths) -> None:
    labsecrets.ensure(paths, {})
    assert stat.S_IMODE(paths.secrets.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.state.stat().st_mode) == 0o700
    paths.secrets.chmod(0o644)
    labsecrets.ensure(paths, {})
    assert stat.S_IMODE(paths.secrets.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["{", '["a"]', '{"keystone_admin": 1}', '"text"', ""])
def test_damaged_file(paths: LabPaths, text: str) -> None:
    labsecrets.write_private(paths.secrets, text)
    with pytest.raises(LabError, match=r"secrets\.json") as caught:
        labsecrets.ensure(paths, {})
    assert "labctl destroy" in str(caught.value)
    assert paths.secrets.read_text(encoding="utf-8") == text


def test_nothing_half_written_stays(paths: LabPaths) -> None:
    labsecrets.write_private(paths.secrets, "whole")
    with pytest.raises(UnicodeEncodeError):
        labsecrets.write_private(paths.secrets, "half \udcff")
    assert [path.name for path in paths.state.iterdir()] == ["secrets.json"]
    assert paths.secrets.read_text(encoding="utf-8") == "whole"
