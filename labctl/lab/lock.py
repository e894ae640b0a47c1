"""One labctl at a time in a directory."""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

from labctl.errors import LabError
from labctl.lab.paths import LabPaths


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
    return text if process and Path("/proc", process[1]).exists() else None
