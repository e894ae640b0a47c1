"""Files that are written completely or not at all, and where labctl keeps its own."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, completely or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # created with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_if_changed(path: Path, text: str, mode: int = 0o600) -> bool:
    """Write a file completely, for others may be reading it, unless it has the text. Returns whether it changed."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_private(path, text)
    path.chmod(mode)
    return True


def write_json(path: Path, data: object) -> None:
    """Write data as JSON, as write_private does."""
    write_private(path, json.dumps(data, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty when the file is missing, damaged or holds something else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def cache_directory() -> Path:
    """Where labctl keeps what it knows of this machine, for all labs of a user (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "novalab"
