"""What passes for another machine: a network namespace without routes, and Podman's images of its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.storage import Storage
from labctl.lab.paths import LabPaths
from tests.e2e.lab import LiveLab

# Always the same places and names, so that what a killed run has left behind is found and removed.
PLACE = Path("/var/tmp/novalab-e2e-carried")
_RUNTIME = Path("/run/novalab-e2e-carried")
_NAMESPACE = "novalab-e2e"


class Elsewhere(LiveLab):
    """A lab on the other machine."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(directory=PLACE / "lab")
        self._storage = storage
        self._inside = False

    @property
    def environment(self) -> dict[str, str]:
        """That of the other machine, where no ssh is connected with a node of the same address on this one."""
        control = {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(PLACE / "cp")}
        return {**super().environment, **self._storage.environment, **control}

    def run(self, *command: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command there. `ip netns exec` would mount /sys anew, and the nodes need the machine's."""
        there = ("nsenter", f"--net=/run/netns/{_NAMESPACE}") if self._inside else ()
        return super().run(*there, *command, check=check, stdin=stdin)

    def enter(self) -> None:
        """Make the namespace, in which everything runs from here on."""
        _ip("netns", "add", _NAMESPACE)
        _ip("-n", _NAMESPACE, "link", "set", "lo", "up")
        self._inside = True

    def remove(self) -> None:
        """Remove the other machine with all that is in it, also what a killed run has left, whose namespace is gone."""
        if (self.directory / "lab.yaml").exists():
            self.labctl("destroy")
        self._storage.remove_containers()
        self._storage.empty()
        self._inside = False
        _ip("netns", "delete", _NAMESPACE, check=False)
        shutil.rmtree(PLACE)


def machine() -> Elsewhere:
    """The other machine, as it is; it begins to be when nothing is there."""
    PLACE.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as context:
        context.setenv("CONTAINERS_STORAGE_CONF", "")  # the storage sets it, and it must not stay
        there = Elsewhere(Storage(PLACE / "images", _RUNTIME, LabPaths(PLACE)))
    there.directory.mkdir(exist_ok=True)
    return there


def clear() -> None:
    """Remove what a killed run has left."""
    if PLACE.exists():
        machine().remove()


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True, env={**os.environ, "LC_ALL": "C"})
