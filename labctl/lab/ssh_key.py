"""The key pair with which labctl, Vagrant and Ansible log in to nodes that are containers."""

import subprocess
import tempfile
from pathlib import Path

from labctl.errors import LabError
from labctl.lab.paths import LabPaths


def ensure(paths: LabPaths) -> bool:
    """Create the lab's key pair unless both files exist. Returns whether it did; needs OpenSSH's ssh-keygen."""
    if paths.ssh_key.is_file() and paths.ssh_public_key.is_file():
        return False
    paths.make_state()
    paths.ssh_key.parent.mkdir(mode=0o700, exist_ok=True)
    # Created elsewhere and moved, the private key last: a run that is killed here leaves no incomplete pair.
    with tempfile.TemporaryDirectory(dir=paths.state) as directory:
        made = Path(directory, "key")
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "novalab", "-f", str(made)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        except FileNotFoundError as error:
            raise LabError("ssh-keygen is missing", "Install OpenSSH's client (Debian: openssh-client).") from error
        except subprocess.CalledProcessError as error:
            raise LabError(f"ssh-keygen failed: {error.stderr.strip()}", f"Look at {paths.state}.") from error
        made.with_suffix(".pub").chmod(0o644)  # sshd in the nodes reads it through a mount
        made.with_suffix(".pub").replace(paths.ssh_public_key)
        made.replace(paths.ssh_key)
    return True
