"""The last whole run of site.yaml: what it depended on, so that nobody has to wait for it again while that is the same.

What the run left on the nodes is noted there (module drift), with the token that the record here has too.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from labctl.files import write_private
from labctl.lab import records
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths, assets

_SOFTWARE = ("novalab", "ansible-core", "ansible", "openstacksdk")
_BESIDE_INVENTORY = ("group_vars", "host_vars", "overrides")  # Ansible reads these too


def fingerprint(lab: Lab, paths: LabPaths) -> str:
    """A digest of all that site.yaml depends on, but for what is on the nodes: settings, passwords and programs."""
    digest = hashlib.sha256()
    for part in _parts(lab, paths):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _parts(lab: Lab, paths: LabPaths) -> Iterator[bytes]:
    for name in _SOFTWARE:
        yield f"{name} {_version(name)}".encode()
    yield records.roles().encode()
    files = [assets() / "ansible.cfg", paths.hosts_ini, paths.secrets]
    for folder in _BESIDE_INVENTORY:
        files += sorted(path for path in (paths.directory / folder).rglob("*") if path.is_file())
    for path in files:
        yield f"{path}\0".encode() + path.read_bytes()
    for image in lab.images:
        if image.path is not None:
            # Too large to be read each time; the time of the last change cannot be set back.
            found = (paths.directory / image.path).stat()
            yield f"{image.path} {found.st_ino} {found.st_size} {found.st_ctime_ns}".encode()
    for name, value in sorted(os.environ.items()):
        if name.startswith("ANSIBLE_"):
            yield f"{name}={value}".encode()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def token(lab: Lab, paths: LabPaths) -> str | None:
    """The token of the last whole run if another one would depend on the same; else None."""
    try:
        data = json.loads(paths.whole.read_text(encoding="utf-8"))
        same = isinstance(data, dict) and data.get("fingerprint") == fingerprint(lab, paths)
    except (OSError, ValueError):
        return None
    return str(data["token"]) if same and data.get("token") else None


def new_token() -> str:
    """A name for a run that begins."""
    return secrets.token_hex(8)


def remember(paths: LabPaths, depended: str, name: str) -> None:
    """Note that a whole run has come to its end, of a token and a fingerprint from before it began."""
    write_private(paths.whole, json.dumps({"fingerprint": depended, "token": name}) + "\n")


def forget(paths: LabPaths) -> None:
    """Note that the nodes may be something else than a whole run has left."""
    paths.whole.unlink(missing_ok=True)
