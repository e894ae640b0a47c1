"""On a node: what somebody needs who examines it from a distance. Files with keys in them are left out.

Prints one JSON object for each file: path and text, or path and why it is left out. Secrets are still in the texts.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from itertools import chain
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
                keys = KEY_DIRECTORIES.intersection(folders)
                folders[:] = sorted(set(folders) - keys)
                yield from (entry(os.path.join(folder, name), why="keys") for name in sorted(keys))
                for name in sorted(names):
                    yield from configuration_file(os.path.join(folder, name))
        elif os.path.exists(path):
            yield from configuration_file(os.path.realpath(path) if os.path.islink(path) else path)


def configuration_file(path: str) -> Iterator[dict[str, Any]]:
    """A file, if it is one and a text."""
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
    if b"\0" in data:
        yield entry(path, why="not a text")
    elif len(data) > CONFIGURATION_LIMIT:
        yield entry(path, why="too large")
    else:
        yield entry(path, data.decode(errors="replace"))


def logs(directories: list[str]) -> Iterator[dict[str, Any]]:
    """The ends of all log files, and of those rotated last, which are not compressed."""
    for directory in directories:
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
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
    """The output of commands, by the name that it is to have; commands that the node does not have are skipped."""
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
    parts = (configuration(arguments["configuration"]), logs(arguments["logs"]), commands(arguments["commands"]))
    for item in chain(*parts):
        print(json.dumps(item))
