"""When a whole run of site.yaml can be spared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from labctl.lab import fingerprint, records

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths


@pytest.fixture
def lab(paths: LabPaths, make_lab: Callable[..., Lab]) -> Lab:
    """A lab with the files that labctl makes for it, and an image."""
    paths.make_state()
    paths.hosts_ini.write_text("lab_name=x\n", encoding="utf-8")
    paths.secrets.write_text('{"keystone_admin": "hunter2"}', encoding="utf-8")
    (paths.directory / "x.img").write_bytes(b"x")
    return make_lab(images=[{"name": "x", "path": "x.img"}])


def edit(paths: LabPaths, name: str) -> None:
    path = paths.directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("other", encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda paths, _: edit(paths, "hosts.ini"),
        lambda paths, _: edit(paths, ".labctl/secrets.json"),
        lambda paths, _: edit(paths, "x.img"),
        lambda paths, _: edit(paths, "group_vars/all.yml"),
        lambda paths, _: edit(paths, "host_vars/controller.yml"),
        lambda _, patch: patch.setattr(records, "roles", lambda: "other"),
        lambda _, patch: patch.setattr(fingerprint, "version", lambda _: "other"),
        lambda _, patch: patch.setenv("ANSIBLE_JINJA2_NATIVE", "1"),
        lambda paths, _: fingerprint.forget(paths),
        lambda paths, _: edit(paths, ".labctl/whole.json"),
    ],
    ids=["inventory", "password", "image", "group", "host", "roles", "versions", "environment", "record", "damaged"],
)
def test_change_makes_a_full_run_due(
    lab: Lab,
    paths: LabPaths,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[LabPaths, pytest.MonkeyPatch], None],
) -> None:
    fingerprint.remember(paths, fingerprint.fingerprint(lab, paths), "t0")
    assert fingerprint.token(lab, paths) == "t0"
    change(paths, monkeypatch)
    assert fingerprint.token(lab, paths) is None


def test_record_is_private_and_has_no_password(lab: Lab, paths: LabPaths) -> None:
    """It is private, and tells no password."""
    fingerprint.remember(paths, fingerprint.fingerprint(lab, paths), "t0")
    assert paths.whole.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(paths.whole.read_text(encoding="utf-8"))) == {"fingerprint", "token"}
    assert "hunter2" not in paths.whole.read_text(encoding="utf-8")
