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
    """Hold the lab's lock. Raises LabError when another process does.

    The kernel gives a lock back when its holder dies, in whatever way: the file that stays behind blocks nobody.
    """
    paths.make_state()
    with paths.lock.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            raise LabError(
                f"The lab in {paths.directory} is in use by {holder}", "Wait until it ends, then try again."
            ) from error
        stream.seek(0)
        stream.truncate()
        stream.write(f"labctl {verb} (process {os.getpid()})")
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)


def holder(paths: LabPaths) -> str | None:
    """Who works on the lab right now, such as "labctl up (process 42)"; None when nobody does.

    The lock itself is not tried: that would make a labctl that starts in this moment believe it is taken.
    """
    try:
        text = paths.lock.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    process = re.search(r"\(process (\d+)\)$", text)
    return text if process and Path("/proc", process[1]).exists() else None
