"""The last full run of site.yaml: what it depended on, so that it need not run again while that is the same.

How the run left the nodes is noted on them (module drift), with the same token as the record here.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from labctl.files import read_json, write_json
from labctl.lab import records
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths, assets

_SOFTWARE = ("novalab", "ansible-core", "ansible", "openstacksdk")
_BESIDE_INVENTORY = ("group_vars", "host_vars", "overrides")  # Ansible reads these too


def fingerprint(lab: Lab, paths: LabPaths) -> str:
    """A digest of all that site.yaml depends on except the nodes: settings, passwords and programs."""
    digest = hashlib.sha256()
    for part in _parts(lab, paths):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _parts(lab: Lab, paths: LabPaths) -> Iterator[bytes]:
    for name in _SOFTWARE:
        with contextlib.suppress(PackageNotFoundError):
            yield f"{name} {version(name)}".encode()
    yield records.roles().encode()
    files = [assets() / "ansible.cfg", paths.hosts_ini, paths.secrets]
    for folder in _BESIDE_INVENTORY:
        files += sorted(path for path in (paths.directory / folder).rglob("*") if path.is_file())
    for path in files:
        yield f"{path}\0".encode() + path.read_bytes()
    for image in lab.images:
        if image.path is not None:
            # Too large to read each time; the time of the last change of an inode cannot be set back.
            found = (paths.directory / image.path).stat()
            yield f"{image.path} {found.st_ino} {found.st_size} {found.st_ctime_ns}".encode()
    yield from (f"{name}={value}".encode() for name, value in sorted(os.environ.items()) if name.startswith("ANSIBLE_"))


def token(lab: Lab, paths: LabPaths) -> str | None:
    """The token of the last full run if a new one would depend on the same; else None."""
    noted = read_json(paths.whole)
    with contextlib.suppress(OSError):
        if noted and noted.get("fingerprint") == fingerprint(lab, paths):
            return noted.get("token")
    return None


def new_token() -> str:
    """A name for a run that begins."""
    return secrets.token_hex(8)


def remember(paths: LabPaths, depended: str, name: str) -> None:
    """Note that a full run with a token has finished; depended is the fingerprint from before it began."""
    write_json(paths.whole, {"fingerprint": depended, "token": name})


def forget(paths: LabPaths) -> None:
    """Note that the nodes may differ from how the last full run left them."""
    paths.whole.unlink(missing_ok=True)
