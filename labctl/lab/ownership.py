"""Check who owns a lab's directory. Files in it can make labctl run programs, so another user's are not trusted.

The rule is that of git's safe.directory: files belong to the user who runs labctl, to root, or to the user who called
sudo; and not every user of the machine may write to them.
"""

import os
import pwd
import shlex
import stat
from collections.abc import Mapping

from labctl.errors import BadInput
from labctl.lab.paths import LabPaths

TRUSTED = "LABCTL_TRUSTED_DIRECTORIES"


def check(paths: LabPaths, environment: Mapping[str, str] = os.environ) -> None:
    """Raise BadInput if the lab's directory, or a file in it that labctl obeys, is another user's. Changes nothing."""
    directory = paths.directory
    if str(directory) in environment.get(TRUSTED, "").split(os.pathsep):
        return
    user = os.geteuid()
    allowed = {user, 0}
    if user == 0 and environment.get("SUDO_UID", "").isdecimal():
        allowed.add(int(environment["SUDO_UID"]))
    obeyed = (paths.lab_yaml, paths.state, paths.dotfile, paths.overrides, paths.hosts_ini, directory / "hosts.ini.j2")
    for path in (directory, *obeyed):
        try:
            found = path.stat()
        except OSError:
            continue  # it is missing, or reading it will say what is wrong
        if found.st_uid not in allowed:
            why = f"belongs to the user {_name(found.st_uid)}, and you are {_name(user)}"
        elif found.st_mode & stat.S_IWOTH:
            why = "can be written to by every user of this machine"
        else:
            continue
        raise BadInput(
            f"{path} {why}; nothing was changed",
            "Files in a lab's directory can run programs as you. Choose a different directory, or change owner and mode"
            f" (chown, chmod o-w). If you trust its writers: export {TRUSTED}={shlex.quote(str(directory))}",
        )


def _name(user: int) -> str:
    try:
        return f"{pwd.getpwuid(user).pw_name} ({user})"
    except KeyError:
        return str(user)
