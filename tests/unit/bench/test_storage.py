"""The bench's own storage for Podman."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bench import storage
from bench.storage import Storage
from labctl.errors import LabError
from labctl.providers import engine
from labctl.providers.engine import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.lab.paths import LabPaths


@pytest.fixture
def podman(tmp_path: Path, paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Podman that notes its arguments and says where its images are: where it is led, or as the file says."""
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", "as before")
    program = tmp_path / "podman"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ "$1" = info ] || exit 0\n'
        f"cat {tmp_path}/elsewhere 2>/dev/null ||"
        " sed -n 's/^graphroot = \"\\(.*\\)\"/\\1/p' $CONTAINERS_STORAGE_CONF\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setattr(engine, "find", lambda *_: Engine("podman", (str(program),), {"CONTAINERS_CONF": "/c"}))
    return tmp_path


def test_podman_is_led_there(podman: Path, paths: LabPaths) -> None:
    own = Storage(podman / "images", podman / "run", paths)
    settings = podman / "images.conf"
    assert settings.read_text(encoding="utf-8") == (
        f'[storage]\ndriver = "overlay"\ngraphroot = "{podman}/images"\nrunroot = "{podman}/run"\n'
    )
    assert own.environment == {"CONTAINERS_STORAGE_CONF": str(settings), "CONTAINERS_CONF": "/c"}
    assert os.environ["CONTAINERS_STORAGE_CONF"] == str(settings)
    own.remove_containers()
    calls = (podman / "calls").read_text(encoding="utf-8").splitlines()
    assert calls[-1] == "rm --all --force --time 1 --volumes"


def test_a_podman_that_stays_elsewhere_is_refused(podman: Path, paths: LabPaths) -> None:
    (podman / "elsewhere").write_text("/var/lib/containers/storage\n", encoding="utf-8")
    with pytest.raises(LabError, match=r"in /var/lib/containers/storage, expected .*/images: other labs"):
        Storage(podman / "images", podman / "run", paths)
    assert "rm" not in (podman / "calls").read_text(encoding="utf-8").split()


def test_what_is_mounted_goes_first(podman: Path, paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Storage(podman / "images", podman / "run", paths)
    (podman / "images" / "overlay").mkdir(parents=True)
    mounts = podman / "mountinfo"
    lines = [f"1 0 0:1 / {path} rw - x x rw" for path in ("/", podman / "images", podman / "images" / "a\\040b", "/b")]
    mounts.write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setattr(storage, "_MOUNTS", mounts)
    monkeypatch.setattr(engine, "as_root", list)
    commands: list[list[str]] = []
    monkeypatch.setattr("subprocess.run", lambda command, **_: commands.append(command))
    own.empty()
    assert commands == [
        ["umount", str(podman / "images" / "a b")],
        ["umount", str(podman / "images")],
        ["rm", "-rf", "--one-file-system", str(podman / "images"), str(podman / "run")],
    ]


def test_empty_removes_images_and_keeps_settings(
    podman: Path, paths: LabPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Storage(podman / "images", podman / "run", paths)
    (podman / "images" / "overlay").mkdir(parents=True)
    monkeypatch.setattr(engine, "as_root", list)
    own.empty()
    assert not (podman / "images").exists()
    assert (podman / "images.conf").exists()
