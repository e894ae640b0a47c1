"""One labctl at a time in a directory, without processes of an earlier one.

ansible-runner starts Ansible in its own session, where neither a signal to labctl's process group nor the loss of the
terminal reaches it. So every child has the lab's directory in its environment, and the next labctl that holds the
lab's lock kills such processes.
"""

import contextlib
import fcntl
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from labctl.errors import LabError
from labctl.lab.paths import LabPaths

_VARIABLE = "NOVALAB_RUN"
_PROC = Path("/proc")
_GRACE = 5.0  # seconds from the signal to the last look


@contextlib.contextmanager
def held(paths: LabPaths, verb: str) -> Iterator[None]:
    """Hold the lab's lock. Raises LabError when another process holds it.

    The kernel releases a lock when its holder dies: the file that stays behind blocks nobody.
    """
    paths.make_state()
    with paths.lock.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            remedy = "Wait until it ends, then try again."
            raise LabError(f"The lab in {paths.directory} is in use by {holder}", remedy) from error
        stream.truncate(0)
        stream.write(f"labctl {verb} (process {os.getpid()})")
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)


def holder(paths: LabPaths) -> str | None:
    """Who is working on the lab, such as "labctl up (process 42)"; None when nobody is.

    The lock itself is not tried: a labctl that starts at this moment would then find it taken.
    """
    try:
        text = paths.lock.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    process = re.search(r"\(process (\d+)\)$", text)
    return text if process and (_PROC / process[1]).exists() else None


def mark(paths: LabPaths) -> dict[str, str]:
    """The environment that marks child processes of this lab."""
    return {_VARIABLE: str(paths.directory)}


def end_orphans(paths: LabPaths) -> int:
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
