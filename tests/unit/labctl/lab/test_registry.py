"""The register of a user's labs."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

from labctl.lab import records, registry
from labctl.lab.paths import LabPaths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from labctl.lab.model import Lab


def enter(paths: LabPaths, lab: Lab) -> None:
    registry.remember(paths, lab)
    records.remember(paths, lab, None)


def test_a_lab_is_entered_once(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    assert registry.entries() == []
    enter(paths, make_lab())
    (first,) = registry.entries()
    assert (first.name, first.directory, first.provider) == ("lab", str(paths.directory), "docker")
    assert (first.network, first.guest_network, first.there) == ("192.168.56.0/24", "172.24.4.0/24", True)
    enter(paths, make_lab(name="other", networking="none"))
    (second,) = registry.entries()
    assert (second.name, second.guest_network, second.since) == ("other", None, first.since)
    (file,) = (registry.state_directory() / "labs").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_new_lab_in_the_same_directory_has_a_time_of_its_own(
    paths: LabPaths, make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "moment", lambda _: "2026-01-01T00:00:00Z")
    enter(paths, make_lab())
    paths.made.unlink()
    monkeypatch.setattr(registry, "moment", lambda _: "2026-01-02T00:00:00Z")
    enter(paths, make_lab())
    assert [entry.since for entry in registry.entries()] == ["2026-01-02T00:00:00Z"]


def test_forget_twice_is_no_error(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    enter(paths, make_lab())
    registry.forget(paths.directory)
    registry.forget(paths.directory)
    assert registry.entries() == []


def test_others_are_labs_that_exist_without_this_one(
    paths: LabPaths, make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    """Labs of which something is there, without this one."""
    places = [paths, *(LabPaths(tmp_path / name) for name in ("b", "a"))]
    for number, place in enumerate(places):
        place.directory.mkdir(exist_ok=True)
        enter(place, make_lab(name=f"lab{number}"))
    assert [entry.name for entry in registry.others(paths)] == ["lab1", "lab2"]
    places[1].made.unlink()
    assert [entry.name for entry in registry.others(paths)] == ["lab2"]


def test_damaged_files_say_nothing(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    enter(paths, make_lab())
    folder = registry.state_directory() / "labs"
    good = json.loads(next(folder.iterdir()).read_text(encoding="utf-8"))
    for number, text in enumerate(("", "[]", "{}", json.dumps({**good, "network": "x"}))):
        (folder / f"{number}.json").write_text(text, encoding="utf-8")
    assert [entry.name for entry in registry.entries()] == ["lab"]


def test_a_state_directory_that_cannot_be_written_is_no_matter(
    paths: LabPaths, make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    (paths.directory / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(paths.directory / "file"))
    enter(paths, make_lab())
    registry.forget(paths.directory)
    assert registry.entries() == []
