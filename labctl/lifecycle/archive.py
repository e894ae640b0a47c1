"""The file that moves a lab to another machine.

An archive is a tar file that has a manifest first and then the members that it names, each with its SHA-256: the lab's
own files, and the nodes' images as the engine writes them, compressed.
"""

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labctl.errors import BadInput, LabError
from labctl.providers.engine import Engine
from labctl.ui.progress import Step

FORMAT = 1
_MANIFEST = "manifest.json"
_IMAGES = "images.tar"
_FILES = "lab/"
# The commands that compress and uncompress, by suffix. The first that is installed is used.
_COMPRESSORS = {".zst": (("zstd", "-q", "-T0", "-3"), ("zstd", "-q", "-dc")), ".gz": (("gzip", "-1"), ("gzip", "-dc"))}


@dataclass(frozen=True)
class Manifest:
    """The description of an archive in it.

    finished says that the images are those of a finished lab's nodes, with its secrets, and not of packages only.
    images has their names by node or by kind of node, members the SHA-256 of each member.
    """

    lab: str
    release: str
    engine: str
    finished: bool
    images: Mapping[str, str]
    format: int = FORMAT
    novalab: str = field(default_factory=lambda: version("novalab"))
    machine: str = field(default_factory=platform.machine)
    members: Mapping[str, str] = field(default_factory=dict)

    @property
    def packed_images(self) -> str:
        """The member that has the images. Raises StopIteration if there is none."""
        return next(name for name in self.members if name.startswith(_IMAGES))

    @property
    def unpack(self) -> tuple[str, ...]:
        """The command that uncompresses the images. Raises KeyError if their compression is unknown."""
        return _COMPRESSORS[self.packed_images.removeprefix(_IMAGES)][1]


def write(path: Path, manifest: Manifest, files: Mapping[str, Path], engine: Engine, step: Step) -> int:
    """Write an archive completely or not at all, readable by its owner only. Returns its size in bytes.

    files are those of the lab by their paths in it. Meanwhile the disk needs room for twice the size.
    """
    suffix = next((key for key, (pack, _) in _COMPRESSORS.items() if shutil.which(pack[0])), None)
    if suffix is None:
        raise LabError("Neither zstd nor gzip is installed to compress the images", "Install one of them.")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as directory:
        images = Path(directory, _IMAGES + suffix)
        step.detail(f"saving {', '.join(manifest.images.values())}")
        _save(engine, sorted(set(manifest.images.values())), images, _COMPRESSORS[suffix][0])
        members = {_FILES + name: place for name, place in files.items()} | {images.name: images}
        sums = {}
        for name, place in members.items():
            with place.open("rb") as source:
                sums[name] = hashlib.file_digest(source, "sha256").hexdigest()
        described = Path(directory, _MANIFEST)
        described.write_text(json.dumps(asdict(manifest) | {"members": sums}, indent=2) + "\n", encoding="utf-8")
        complete = Path(directory, "complete")
        with complete.open("xb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
            for name, place in {_MANIFEST: described, **members}.items():
                tar.add(place, name, filter=_anonymous)
        complete.chmod(0o600)
        size = complete.stat().st_size
        complete.replace(path)
    return size


def check(path: Path) -> Manifest:
    """The manifest of an archive that is undamaged. Raises BadInput for any other file."""
    try:
        with tarfile.open(path, mode="r:") as tar:
            manifest = _manifest(tar, path)
            for name, digest in manifest.members.items():
                if hashlib.file_digest(_member(tar, name), "sha256").hexdigest() != digest:
                    raise BadInput(f"{path} is damaged: {name} is not what was written", "Copy the file again.")
    except KeyError as error:
        raise BadInput(f"{path} is damaged: {error.args[0]}", "Copy the file again.") from error
    except (OSError, EOFError, tarfile.TarError) as error:
        raise BadInput(f"{path} is no archive of a lab, or is damaged: {error}", "See `labctl export-lab`.") from error
    return manifest


def files(path: Path, manifest: Manifest) -> dict[str, bytes]:
    """The lab's own files in an archive, by their paths in the lab."""
    names = [name for name in manifest.members if name.startswith(_FILES)]
    with tarfile.open(path, mode="r:") as tar:
        return {name.removeprefix(_FILES): _member(tar, name).read() for name in names}


def load(path: Path, manifest: Manifest, engine: Engine) -> None:
    """Load the images of an archive into the engine. Raises LabError with its message."""
    command = manifest.unpack
    with tarfile.open(path, mode="r:") as tar, tempfile.TemporaryFile(dir=path.parent) as plain:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=plain) as process:
            assert process.stdin is not None  # noqa: S101 (it is a pipe)
            shutil.copyfileobj(_member(tar, manifest.packed_images), process.stdin, 1 << 20)
            process.stdin.close()
        if process.returncode != 0:
            raise LabError(f"{command[0]} cannot unpack the images: status {process.returncode}")
        plain.seek(0)
        engine.run("load", stdin=plain)


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


def _manifest(tar: tarfile.TarFile, path: Path) -> Manifest:
    try:
        data: Any = json.loads(_member(tar, _MANIFEST).read())
        if data["format"] != FORMAT:
            problem = f"{path} has format {data['format']}, this labctl reads {FORMAT}"
            raise BadInput(problem, "Use the novalab that wrote it.")
        manifest = Manifest(**data)
        sums = manifest.members
        if not any(name.startswith(_IMAGES) for name in sums) or _FILES + "lab.yaml" not in sums:
            raise ValueError("members are missing")
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise BadInput(f"{path} is no archive of a lab: {error}", "See `labctl export-lab`.") from error
    return manifest


def _member(tar: tarfile.TarFile, name: str) -> io.BufferedReader:
    """A file in the archive. Raises KeyError if there is none."""
    stream = tar.extractfile(name)
    if not isinstance(stream, io.BufferedReader):
        raise KeyError(f"{name} is no file")
    return stream


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names of this machine's users."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
