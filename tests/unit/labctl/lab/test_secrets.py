"""The file of passwords: what is made, what is kept, and who can read it."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from labctl import files
from labctl.errors import LabError
from labctl.lab import secrets, service_files

if TYPE_CHECKING:
    from labctl.lab.paths import LabPaths


def test_secrets_are_generated_once_and_kept(paths: LabPaths) -> None:
    assert secrets.ensure(paths, {})
    made = secrets.read(paths.secrets)
    assert set(made) == set(service_files.secrets())
    assert len(set(made.values())) == len(made)
    assert min(map(len, made.values())) >= 32
    assert not secrets.ensure(paths, {})
    assert secrets.read(paths.secrets) == made


def test_override_wins_and_stays(paths: LabPaths) -> None:
    secrets.ensure(paths, {})
    before = secrets.read(paths.secrets)
    assert secrets.ensure(paths, {"keystone_admin": "p@:/#%?$'\" x"})
    assert secrets.read(paths.secrets) == {**before, "keystone_admin": "p@:/#%?$'\" x"}
    assert not secrets.ensure(paths, {})


def test_secret_that_is_missing_is_added(paths: LabPaths) -> None:
    files.write_private(paths.secrets, json.dumps({"keystone_admin": "old"}))
    assert secrets.ensure(paths, {})
    assert secrets.read(paths.secrets)["keystone_admin"] == "old"
    assert set(secrets.read(paths.secrets)) == set(service_files.secrets())


def test_secrets_file_is_private(paths: LabPaths) -> None:
    secrets.ensure(paths, {})
    assert stat.S_IMODE(paths.secrets.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.state.stat().st_mode) == 0o700
    paths.secrets.chmod(0o644)
    secrets.ensure(paths, {})
    assert stat.S_IMODE(paths.secrets.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["{", '["a"]', '{"keystone_admin": 1}', '"text"', ""])
def test_secrets_file_that_is_damaged_is_refused_and_kept(paths: LabPaths, text: str) -> None:
    files.write_private(paths.secrets, text)
    with pytest.raises(LabError, match=r"secrets\.json") as caught:
        secrets.ensure(paths, {})
    assert "labctl destroy" in str(caught.value)
    assert paths.secrets.read_text(encoding="utf-8") == text
