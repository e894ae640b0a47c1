"""A lab in somebody else's directory is not obeyed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.errors import BadInput
from labctl.lab.ownership import TRUSTED, check

if TYPE_CHECKING:
    from labctl.lab.paths import LabPaths

ME, OTHER = 4000, 4001


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> dict[Path, int]:
    """Who owns what, by path; other files are mine."""
    owners: dict[Path, int] = {}
    real = Path.stat

    def stat(path: Path, **more: bool) -> os.stat_result:
        found = real(path, **more)
        return os.stat_result((found.st_mode, *found[1:4], owners.get(path, ME), *found[5:]))

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(os, "geteuid", lambda: ME)
    return owners


def test_own_directory_is_obeyed(paths: LabPaths, owner: dict[Path, int]) -> None:
    paths.make_state()
    check(paths, {})
    owner[paths.directory] = 0  # root could do anything anyway
    check(paths, {})


@pytest.mark.parametrize("name", [".", "lab.yaml", ".labctl", ".vagrant", "overrides", "hosts.ini.j2"])
def test_file_of_another_user_is_refused(paths: LabPaths, owner: dict[Path, int], name: str) -> None:
    (paths.directory / name).mkdir(exist_ok=True)
    owner[paths.directory / name] = OTHER
    with pytest.raises(BadInput, match=rf"belongs to the user {OTHER}, and you are {ME}; nothing was changed"):
        check(paths, {"SUDO_UID": str(OTHER)})  # counts for root only
    check(paths, {TRUSTED: f"/elsewhere:{paths.directory}"})


def test_root_by_sudo_obeys_the_users_directory(
    paths: LabPaths, owner: dict[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    owner[paths.directory] = OTHER
    check(paths, {"SUDO_UID": str(OTHER)})
    with pytest.raises(BadInput, match="belongs to"):
        check(paths, {"SUDO_UID": str(ME)})


def test_directory_that_everybody_may_write_to_is_refused(paths: LabPaths, owner: dict[Path, int]) -> None:
    assert owner == {}
    paths.directory.chmod(0o1777)
    with pytest.raises(BadInput, match="can be written to by every user"):
        check(paths, {})
