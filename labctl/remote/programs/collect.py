"""On a node: what somebody needs who looks into its trouble from afar. Files with keys in them are left out.

Prints one JSON object for each file: path and text, or path and why it is left out. Secrets are still in the texts.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

CONFIGURATION_LIMIT = 1 << 20  # bytes of a file
LOG_LIMIT = 8 << 20  # bytes of a log, its end
COMMAND_SECONDS = 30
KEY_DIRECTORIES = {"fernet-keys", "credential-keys", "private", "secrets", "ssl", "pki", "keys"}
KEY_SUFFIXES = (".key", ".pem", ".p12", ".pfx", ".crt", ".cookie")


def entry(path: str, text: str | None = None, why: str | None = None) -> dict[str, Any]:
    """A file of the answer."""
    return {"path": path, "text": text, "why": why}


def configuration(paths: list[str]) -> Iterator[dict[str, Any]]:
    """Files, and those in directories; links are followed only where they are named themselves."""
    for path in paths:
        if os.path.isdir(path):
            for folder, folders, names in os.walk(path):
                for name in sorted(KEY_DIRECTORIES.intersection(folders)):
                    folders.remove(name)
                    yield entry(os.path.join(folder, name), why="keys")
                folders.sort()
                for name in sorted(names):
                    yield from configuration_file(os.path.join(folder, name))
        elif os.path.exists(path):
            yield from configuration_file(os.path.realpath(path) if os.path.islink(path) else path)


def configuration_file(path: str) -> Iterator[dict[str, Any]]:
    """One file, when it is one and a text."""
    if os.path.islink(path) or not os.path.isfile(path):
        return
    if path.endswith(KEY_SUFFIXES):
        yield entry(path, why="keys")
        return
    try:
        with open(path, "rb") as stream:
            data = stream.read(CONFIGURATION_LIMIT + 1)
    except OSError as error:
        yield entry(path, why=str(error.strerror))
        return
    if len(data) > CONFIGURATION_LIMIT or b"\0" in data:
        yield entry(path, why="too large" if b"\0" not in data else "not a text")
    else:
        yield entry(path, data.decode(errors="replace"))


def logs(directories: list[str]) -> Iterator[dict[str, Any]]:
    """The ends of all log files, and of the last ones that have been rotated and are not compressed."""
    for directory in directories:
        names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
        for name in names:
            if name.endswith((".log", ".log.1")):
                yield log(os.path.join(directory, name))


def log(path: str) -> dict[str, Any]:
    """The end of a log file, from the beginning of a line."""
    try:
        with open(path, "rb") as stream:
            start = max(0, os.fstat(stream.fileno()).st_size - LOG_LIMIT)
            stream.seek(start)
            data = stream.read(LOG_LIMIT)
    except OSError as error:
        return entry(path, why=str(error.strerror))
    if start:
        data = b"(its beginning is left out)\n" + data.partition(b"\n")[2]
    return entry(path, data.decode(errors="replace"))


def commands(wanted: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    """What commands print, by the name that it is to have; those that the node does not have are left out silently."""
    for name, command in wanted.items():
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            continue
        except (OSError, subprocess.TimeoutExpired) as error:
            yield entry(name, why=str(error))
            continue
        yield entry(name, done.stdout[-LOG_LIMIT:].decode(errors="replace"))


def main(arguments: dict[str, Any]) -> None:
    """configuration and logs are paths, commands have argument lists by name."""
    for part in (
        configuration(arguments["configuration"]),
        logs(arguments["logs"]),
        commands(arguments["commands"]),
    ):
        for item in part:
            print(json.dumps(item))
