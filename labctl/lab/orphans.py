"""Processes that a killed labctl has left running.

ansible-runner starts Ansible in its own session, where neither a signal to labctl's process group nor the loss of the
terminal reaches it. So every child has the lab's directory in its environment, and the next labctl that holds the
lab's lock kills such processes.
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
    """The environment that marks child processes of this lab."""
    return {_VARIABLE: str(paths.directory)}


def end(paths: LabPaths) -> int:
    """Kill the processes of earlier runs of this lab. Returns their number, 0 on systems without /proc."""
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
    for entry in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(entry.name) != os.getpid() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found
