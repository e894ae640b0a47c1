"""Write the file that moves a lab to another machine.

An archive is a tar file that has a manifest first and then the members that it names, each with its SHA-256: the lab's
own files, and the nodes' images as the engine writes them, compressed. archive_reader reads it.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, StringConstraints
from pydantic.dataclasses import dataclass

from labctl.errors import LabError
from labctl.providers.engine import Engine
from labctl.ui.progress import Step

FORMAT = 1
MANIFEST = "manifest.json"
IMAGES = "images.tar"
FILES = "lab/"
# The commands that compress and uncompress, by suffix. The first that is installed is used.
COMPRESSORS = {".zst": (("zstd", "-q", "-T0", "-3"), ("zstd", "-q", "-dc")), ".gz": (("gzip", "-1"), ("gzip", "-dc"))}


_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$")]
# Of novalab's own repositories only: loading an image takes its name away from the one that has it.
_Reference = Annotated[str, StringConstraints(pattern=r"^localhost/novalab-[a-z0-9._/-]{1,200}:[A-Za-z0-9._-]{1,128}$")]
_Member = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]{1,200}$")]
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Manifest:
    """The description of an archive in it.

    finished says that the images are those of a finished lab's nodes, with its secrets, and not of packages only.
    images has their names by node or by kind of node, members the SHA-256 of each member.
    """

    lab: _Word
    release: _Word
    engine: Literal["podman", "docker"]
    finished: bool
    images: dict[_Word, _Reference]
    format: int = FORMAT
    novalab: _Word = field(default_factory=lambda: version("novalab"))
    machine: _Word = field(default_factory=platform.machine)
    members: dict[_Member, _Digest] = field(default_factory=dict)

    @property
    def packed_images(self) -> str:
        """The member that has the images. Raises StopIteration if there is none."""
        return next(name for name in self.members if name.startswith(IMAGES))

    @property
    def unpack(self) -> tuple[str, ...]:
        """The command that uncompresses the images. Raises KeyError if their compression is unknown."""
        return COMPRESSORS[self.packed_images.removeprefix(IMAGES)][1]


class Written(NamedTuple):
    """An archive's size in bytes, and its SHA-256."""

    size: int
    sha256: str


def write(path: Path, manifest: Manifest, files: Mapping[str, Path], engine: Engine, step: Step) -> Written:
    """Write an archive completely or not at all, readable by its owner only.

    files are those of the lab by their paths in it. Meanwhile the disk needs room for twice the size.
    """
    suffix = next((key for key, (pack, _) in COMPRESSORS.items() if shutil.which(pack[0])), None)
    if suffix is None:
        raise LabError("Neither zstd nor gzip is installed to compress the images", "Install one of them.")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as directory:
        images = Path(directory, IMAGES + suffix)
        step.detail(f"saving {', '.join(manifest.images.values())}")
        _save(engine, sorted(set(manifest.images.values())), images, COMPRESSORS[suffix][0])
        members = {FILES + name: place for name, place in files.items()} | {images.name: images}
        sums = {}
        for name, place in members.items():
            with place.open("rb") as source:
                sums[name] = hashlib.file_digest(source, "sha256").hexdigest()
        described = Path(directory, MANIFEST)
        described.write_text(json.dumps(asdict(manifest) | {"members": sums}, indent=2) + "\n", encoding="utf-8")
        complete = Path(directory, "complete")
        with complete.open("xb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
            for name, place in {MANIFEST: described, **members}.items():
                tar.add(place, name, filter=_anonymous)
        complete.chmod(0o600)
        with complete.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
        size = complete.stat().st_size
        complete.replace(path)
    return Written(size, digest)


def _save(engine: Engine, images: Iterable[str], target: Path, pack: Iterable[str]) -> None:
    """Have the engine write images through the compressor into a file."""
    many = ("--multi-image-archive",) if engine.kind == "podman" else ()
    command = [*engine.command, "save", *many, *images]
    environment = {**os.environ, **engine.environment}
    with (
        target.open("xb") as sink,
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=environment) as saving,
        subprocess.Popen([*pack], stdin=saving.stdout, stdout=sink) as packing,
    ):
        assert saving.stdout is not None  # noqa: S101 (it is a pipe)
        saving.stdout.close()  # so that the engine ends if the compressor does
        packing.wait()
        saving.wait()
        said.seek(0)
        if saving.returncode or packing.returncode:
            raise LabError(f"`{' '.join(command)}` failed: {said.read().strip()}", "Is there room on the disk?")


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names of this machine's users."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
