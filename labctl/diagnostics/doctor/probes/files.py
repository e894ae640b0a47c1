"""The configuration files of services: who can read them, whether they can be understood, what secrets they hold."""

import configparser
import contextlib
import os
import pwd
import re
import stat
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

_KEYS = ("fernet-keys", "credential-keys")
_SECRET = re.compile(
    r"^\s*\"?(?:password|connection|transport_url|metadata_proxy_shared_secret|password_hash)\"?\s*[=:]\s*(\S.*)$",
    re.MULTILINE,
)
_LARGEST = 1 << 20
_SHORTEST_SECRET = 8


def gather(services: list[dict[str, Any]]) -> dict[str, Any]:
    """What is in the files of services, without any secret."""
    described = {file["path"]: file for role in services for file in role["files"]}
    owners = {folder: user for role in services for folder, user in role["directories"].items()}
    users = {path: user for folder, user in owners.items() for path in Path(folder).glob("**/*") if path.is_file()}
    for name, file in described.items():  # also files that only one user may read
        if file["group"] != "root" and Path(name).is_file():
            users.setdefault(Path(name), file["group"])
    files = []
    secrets: set[str] = set()
    for path, user in sorted(users.items()):
        facts, found = _look(path, user, settings=described.get(str(path), {}).get("format") == "oslo")
        secrets |= found
        if facts is not None:
            files.append(facts)
    folders = sorted({str(Path(log).parent) for role in services for log in role["logs"]})
    return {"files": files, "exposed": _in_commands(secrets) + _in_logs(secrets, folders)}


def _look(path: Path, user: str, *, settings: bool) -> tuple[dict[str, Any] | None, set[str]]:
    """A file's owner, mode and flaws, and the secrets in it; None for a file with neither settings nor secrets.

    settings says whether the file is one of oslo.config's.
    """
    status = path.stat()
    if status.st_size > _LARGEST:
        return None, set()
    text = path.read_text(encoding="utf-8", errors="replace")
    secrets = _secrets(text)
    is_key = path.parent.name in _KEYS
    if not (secrets or is_key or settings):
        return None, set()
    return {
        "path": str(path),
        "owner": _named(path.owner, status.st_uid),
        "group": _named(path.group, status.st_gid),
        "mode": stat.S_IMODE(status.st_mode),
        "settings": settings,
        "changed": status.st_mtime,
        "secret": bool(secrets) or is_key,
        "user": user,
        "readable": _readable(path, user),
        "flaw": _flaw(path) if settings else "",
    }, secrets


def _flaw(path: Path) -> str:
    """Why oslo.config cannot read a file; empty if it can."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except (configparser.Error, UnicodeDecodeError) as error:
        # The error quotes the line, which may hold a password: only its number is reported.
        numbers = [number for number, _ in getattr(error, "errors", [])] or [getattr(error, "lineno", "?")]
        return f"{type(error).__name__} in {', '.join(f'line {number}' for number in numbers)}"
    return ""


def _readable(path: Path, user: str) -> bool:
    """Whether a user can open a file: its own permissions and those of the folders above it."""
    try:
        who = pwd.getpwnam(user)
    except KeyError:
        return True  # the service is not installed here
    groups = set(os.getgrouplist(user, who.pw_gid))
    wanted = [(path, stat.S_IRUSR, stat.S_IRGRP, stat.S_IROTH)]
    wanted += [(folder, stat.S_IXUSR, stat.S_IXGRP, stat.S_IXOTH) for folder in path.parents]
    for item, owner, group, other in wanted:
        status = item.stat()
        bit = owner if status.st_uid == who.pw_uid else group if status.st_gid in groups else other
        if not status.st_mode & bit:
            return False
    return True


def _named(lookup: Callable[[], str], number: int) -> str:
    """The name of a user or group, or its number if it has none."""
    try:
        return lookup()
    except KeyError:
        return str(number)


def _secrets(text: str) -> set[str]:
    """The passwords in a file, as they stand and as URLs hold them."""
    found = set()
    for value in _SECRET.findall(text):
        bare = value.strip().rstrip(",").strip("\"'")
        if "://" in bare:
            try:
                bare = urllib.parse.urlsplit(bare).password or ""
            except ValueError:
                continue
        found |= {bare, urllib.parse.unquote(bare)}
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def _in_commands(secrets: set[str]) -> list[str]:
    """Which processes have a secret on their command line, which every user can read."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().decode("utf-8", errors="replace")
            if any(secret in line for secret in secrets):
                found.append(f"the command line of process {path.parent.name} ({line.partition(chr(0))[0]})")
    return found


def _in_logs(secrets: set[str], folders: list[str]) -> list[str]:
    """Which logs hold a secret."""
    found = []
    for folder in folders:
        for path in sorted(Path(folder).glob("*.log")):
            with path.open(encoding="utf-8", errors="replace") as file:
                number = next((n for n, line in enumerate(file, 1) if any(secret in line for secret in secrets)), None)
            if number is not None:
                found.append(f"{path}, line {number}")
    return found
