"""The collection as Galaxy gets it."""

import subprocess
import sys
import tarfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def build(folder: Path) -> Path:
    """Build the collection into a folder and return the artefact's path. CalledProcessError when it is refused."""
    galaxy = Path(sys.executable).parent / "ansible-galaxy"
    command = [str(galaxy), "collection", "build", "--output-path", str(folder), str(CHECKOUT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return next(folder.glob("novalab-openstack-*.tar.gz"))


def unpack(artefact: Path, folder: Path) -> None:
    """Unpack the artefact into a folder, which is made."""
    folder.mkdir(parents=True)
    with tarfile.open(artefact) as archive:
        archive.extractall(folder, filter="data")
