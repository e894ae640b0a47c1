"""The passwords of a lab: one for each purpose, made once, kept in one file that only its owner can read."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from labctl.errors import LabError
from labctl.files import write_private
from labctl.lab import service_files
from labctl.lab.paths import LabPaths

_BYTES = 24  # of randomness for each, 32 characters of the URL-safe alphabet


def read(path: Path) -> dict[str, str]:
    """The secrets in a file, none when there is no file. Raises LabError when it is not what ensure() wrote."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LabError(f"{path} cannot be read: {error}", _remedy(path)) from error
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise LabError(f"{path} does not hold names and texts", _remedy(path))
    return data


def ensure(paths: LabPaths, overrides: Mapping[str, str]) -> bool:
    """Make the lab's secrets complete: an override wins, what is there stays, what is missing is generated.

    Returns whether the file changed. An override that has been taken out of lab.yaml stays in force until
    `labctl destroy`: the running services use it, and nobody asked for a new one.
    """
    present = read(paths.secrets)
    names = service_files.secrets()
    wanted = {name: overrides.get(name) or present.get(name) or secrets.token_urlsafe(_BYTES) for name in names}
    if wanted == present:
        paths.secrets.chmod(0o600)
        return False
    paths.make_state()
    write_private(paths.secrets, json.dumps(wanted, indent=2) + "\n")
    return True


def _remedy(path: Path) -> str:
    return f"Repair {path}, or remove the lab with `labctl destroy` and start again."
