"""The passwords and the ssh key of a lab, generated once, in files that only their owner can read."""

import json
import secrets
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter

from labctl.errors import LabError
from labctl.files import write_json
from labctl.lab import service_files
from labctl.lab.paths import LabPaths
from labctl.lab.schema import LabFile

_BYTES = 24  # of randomness for each: 32 characters of the URL-safe alphabet


def read(path: Path) -> dict[str, str]:
    """The secrets in a file, none when there is no file. Raises LabError when it is not what ensure() wrote."""
    remedy = f"Repair {path}, or remove the lab with `labctl destroy` and start again."
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LabError(f"{path} cannot be read: {error}", remedy) from error
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise LabError(f"{path} is not a JSON object of names and texts", remedy)
    return data


def are_valid(data: bytes) -> bool:
    """Whether a file from somewhere else could be one of ensure(): passwords that lab.yaml may have, by known names."""
    try:
        found = TypeAdapter(dict[str, str]).validate_json(data, strict=True)
        return bool(found) and LabFile.model_validate({"secrets": found}).secrets == found
    except ValueError:
        return False


def ensure(paths: LabPaths, overrides: Mapping[str, str]) -> bool:
    """Complete the lab's secrets: an override wins, an existing one stays, a missing one is generated.

    Returns whether the file changed. An override that was removed from lab.yaml stays in force until
    `labctl destroy`: the running services use it, and nobody asked for a new one.
    """
    present = read(paths.secrets)
    names = service_files.secrets()
    wanted = {name: overrides.get(name) or present.get(name) or secrets.token_urlsafe(_BYTES) for name in names}
    if wanted == present:
        paths.secrets.chmod(0o600)
        return False
    paths.make_state()
    write_json(paths.secrets, wanted)
    return True


def ensure_ssh_key(paths: LabPaths) -> bool:
    """Create the key pair for nodes that are containers. Returns whether it was missing; needs OpenSSH's ssh-keygen."""
    if paths.ssh_key.is_file() and paths.ssh_public_key.is_file():
        return False
    paths.make_state()
    paths.ssh_key.parent.mkdir(mode=0o700, exist_ok=True)
    # Created elsewhere and moved, the private key last: a run that is killed here leaves no incomplete pair.
    with tempfile.TemporaryDirectory(dir=paths.state) as directory:
        key = Path(directory, "key")
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "novalab", "-f", str(key)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        except FileNotFoundError as error:
            raise LabError("ssh-keygen is missing", "Install OpenSSH's client (Debian: openssh-client).") from error
        except subprocess.CalledProcessError as error:
            raise LabError(f"ssh-keygen failed: {error.stderr.strip()}", f"Look at {paths.state}.") from error
        key.with_suffix(".pub").chmod(0o644)  # sshd in the nodes reads it through a mount
        key.with_suffix(".pub").replace(paths.ssh_public_key)
        key.replace(paths.ssh_key)
    return True
