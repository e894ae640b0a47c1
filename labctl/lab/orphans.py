"""What a killed labctl has left running on this machine.

ansible-runner starts Ansible in a session of its own, out of reach of a signal to labctl's process group, and lets it
ignore that its terminal is gone. So every child carries the lab's directory in its environment, and the next labctl
that holds the lab's lock ends what it finds.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from labctl.lab.paths import LabPaths

_VARIABLE = "NOVALAB_RUN"
_PROC = Path("/proc")
_GRACE = 5.0  # seconds from the signal to the last look


def mark(paths: LabPaths) -> dict[str, str]:
    """The environment by which children of this lab are known."""
    return {_VARIABLE: str(paths.directory)}


def end(paths: LabPaths) -> int:
    """End the processes of earlier runs of this lab. Returns how many there were; none where there is no /proc."""
    found = _find(paths)
    for process in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
    limit = time.monotonic() + _GRACE
    while found and _find(paths) and time.monotonic() < limit:
        time.sleep(0.05)
    return len(found)


def _find(paths: LabPaths) -> list[int]:
    wanted = f"{_VARIABLE}={paths.directory}".encode()
    found = []
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found
