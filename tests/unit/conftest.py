"""A lab's directory and description, without a machine behind them."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl.lab import model
from labctl.lab.paths import LabPaths
from labctl.lab.schema import LabFile
from labctl.lifecycle.context import LabContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labctl.ui.progress import Progress


# What acts on this machine, or says what is on it. A test that needs one puts a stand-in into its own PATH.
_KEPT_OUT = {"apt-get", "docker", "ip", "mmdebstrap", "podman", "sudo", "systemctl", "vagrant", "virsh", "VBoxManage"}


@pytest.fixture(scope="session")
def _programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with links to this machine's programs, without those that tests must not reach."""
    directory = tmp_path_factory.mktemp("programs")
    for folder in os.get_exec_path():
        for program in Path(folder).iterdir() if Path(folder).is_dir() else ():
            if program.name not in _KEPT_OUT and not (directory / program.name).is_symlink():
                (directory / program.name).symlink_to(program)
    return directory


@pytest.fixture(autouse=True)
def _machine_of_the_user(_programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches an engine, a hypervisor or the routes of whatever machine it runs on."""
    monkeypatch.setenv("PATH", str(_programs))


@pytest.fixture(autouse=True)
def _state_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees, or enters, a lab of whoever runs it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    monkeypatch.setenv("VAGRANT_HOME", "/nowhere")


@pytest.fixture
def paths(tmp_path: Path) -> LabPaths:
    directory = tmp_path / "lab"
    directory.mkdir()
    return LabPaths(directory)


@pytest.fixture
def make_lab() -> Callable[..., model.Lab]:
    """A lab as the keys of a lab.yaml describe it, on Linux."""

    def make(**keys: Any) -> model.Lab:  # noqa: ANN401 (whatever lab.yaml may hold)
        return model.resolve(LabFile.model_validate(keys), platform="linux")

    return make


@pytest.fixture
def context(paths: LabPaths) -> Callable[..., LabContext]:
    """A lab as verbs see it, with progress if it is given."""

    def make(lab: model.Lab, progress: Progress | None = None) -> LabContext:
        made = LabContext.of(lab, paths)
        return made if progress is None else replace(made, progress=progress)

    return make


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A local time that is not UTC."""
    with monkeypatch.context() as context:
        context.setenv("TZ", "XYZ+5")
        time.tzset()
        yield
    time.tzset()
