"""Whether this machine has enough inotify instances left for more nodes, a limit that few people know.

The kernel limits the inotify instances of a user, by default to 128, and all containers that run as root share root's.
A node uses half a dozen. When none is left, GLib cannot watch files ("Unable to find default local file monitor type"),
libvirt's driver for the node's devices does not start, and neither does nova-compute.
"""

import os
import subprocess
import sys
from pathlib import Path

from labctl.errors import BadInput
from labctl.providers.engine import as_root

_LIMITS = (Path("/proc/sys/fs/inotify/max_user_instances"), Path("/proc/sys/user/max_inotify_instances"))
NODE = 9  # instances of a node: systemd has 5, udev, D-Bus and libvirtd one each, and more while they start
# Creates as many as it is told to, prints how many it got, and frees them by ending.
_TAKE = """
import ctypes, sys
libc = ctypes.CDLL(None)
print(sum(libc.inotify_init1(0) >= 0 for _ in range(int(sys.argv[1]))))
"""


def check(nodes: int) -> None:
    """Raise BadInput if there are too few for so many more nodes. A machine that cannot tell is not refused."""
    wanted = nodes * NODE
    command = [*as_root(), sys.executable, "-I", "-c", _TAKE, str(wanted)]
    said = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False).stdout
    if not said.strip().isdigit() or int(said) >= wanted:
        return
    limit = _LIMITS[0].read_text(encoding="ascii").strip()
    raise BadInput(
        f"{nodes} nodes need {wanted} inotify instances, and root has {int(said)} of {limit} left; nothing was changed",
        "Stop other containers, or raise the limit: sysctl fs.inotify.max_user_instances=1024",
    )


def in_use() -> tuple[int, int] | None:
    """How many instances root's processes have, and the limit. None to others than root, who cannot see that."""
    limits = [int(path.read_text(encoding="ascii")) for path in _LIMITS if path.exists()]
    if not limits or os.geteuid() != 0:
        return None
    used = 0
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if folder.stat().st_uid == 0:
                used += sum(os.readlink(entry.path) == "anon_inode:inotify" for entry in os.scandir(folder))  # noqa: PTH115
        except OSError:
            continue  # it has ended
    return used, min(limits)
