"""Files that are written completely or not at all, and where labctl keeps its own."""

import os
import tempfile
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 as a whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def cache_directory() -> Path:
    """Where labctl keeps what it knows of this machine, for all labs of a user (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "novalab"


def write_if_changed(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file completely, unless it holds the text already: another process may be reading it."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    write_private(path, text)
    path.chmod(mode)
