"""Podman's storage for the bench alone: a cold run begins with an empty one, and no other lab loses an image by it.

CONTAINERS_STORAGE_CONF names it. There is one for the lab and one for the yardstick, so that neither waits for what the
other has thrown away. Networks and their addresses stay the machine's: the bench keeps out of other labs' ways.
"""

import os
import subprocess
from pathlib import Path

from labctl.errors import LabError
from labctl.lab.paths import LabPaths
from labctl.providers import engine

_MOUNTS = Path("/proc/self/mountinfo")


class Storage:
    """The images and containers in a folder. runtime is where Podman keeps what a reboot shall end.

    paths is where Podman's settings for this machine are written. Raises LabError when Podman stays elsewhere.
    """

    def __init__(self, folder: Path, runtime: Path, paths: LabPaths) -> None:
        self._root = folder
        self._runtime = runtime
        settings = folder.with_suffix(".conf")
        lines = ("[storage]", 'driver = "overlay"', f'graphroot = "{folder}"', f'runroot = "{runtime}"')
        settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.environment = {"CONTAINERS_STORAGE_CONF": str(settings)}
        os.environ.update(self.environment)
        self.podman = engine.find("podman", paths)
        found = self.podman.run("info", "--format", "{{.Store.GraphRoot}}").strip()
        if found != str(folder):
            raise LabError(
                f"Podman keeps its images in {found}, expected {folder}: other labs would lose theirs",
                "Look for what sets its storage: `podman info`, sudo's settings.",
            )
        self.environment.update(self.podman.environment)

    def remove_containers(self) -> None:
        """Remove every container in it, whoever made it, and give their addresses back."""
        self.podman.run("rm", "--all", "--force", "--time", "1", "--volumes")

    def empty(self) -> None:
        """Remove everything in it. Its containers must be gone."""
        for mount in reversed(_mounts_below(self._root, self._runtime)):
            subprocess.run([*engine.as_root(), "umount", str(mount)], check=True, capture_output=True)
        command = [*engine.as_root(), "rm", "-rf", "--one-file-system", str(self._root), str(self._runtime)]
        subprocess.run(command, check=True, capture_output=True)


def _mounts_below(*folders: Path) -> list[Path]:
    """What is mounted at or below some folders, in the order of mounting (proc_pid_mountinfo(5))."""
    lines = _MOUNTS.read_text(encoding="utf-8").splitlines()
    points = [Path(line.split()[4].encode().decode("unicode_escape")) for line in lines]
    return [point for point in points if any(point.is_relative_to(folder) for folder in folders)]
