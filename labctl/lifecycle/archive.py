"""The file in which a lab is carried to another machine.

An archive is a tar file that holds a manifest first and then the members that it names, each with its SHA-256: the
lab's own files, and the nodes' images as the engine writes them, compressed.
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
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from labctl.errors import BadInput, LabError
from labctl.providers.engine import Engine
from labctl.ui.progress import Step

FORMAT = 1
_MANIFEST = "manifest.json"
_IMAGES = "images.tar"
_FILES = "lab/"
_CHUNK = 1 << 20
# The first that is there; what each needs to write and to read.
_COMPRESSORS = {".zst": (("zstd", "-q", "-T0", "-3"), ("zstd", "-q", "-dc")), ".gz": (("gzip", "-1"), ("gzip", "-dc"))}


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself.

    finished says that the images are of the nodes of a finished lab, with its secrets, and not of the packages only.
    images has their names by node, or by kind of node; members the SHA-256 of each member.
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


def write(path: Path, manifest: Manifest, files: Mapping[str, Path], engine: Engine, step: Step) -> int:
    """Write an archive as a whole or not at all, readable by its owner only. Returns its size in bytes.

    files are those of the lab by their paths in it. The disk needs room for twice the size meanwhile.
    """
    suffix = next((key for key, (pack, _) in _COMPRESSORS.items() if shutil.which(pack[0])), None)
    if suffix is None:
        raise LabError("Neither zstd nor gzip is there to compress the images", "Install one of them.")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as directory:
        images = Path(directory, _IMAGES + suffix)
        step.detail(f"saving {', '.join(manifest.images.values())}")
        _save(engine, sorted(set(manifest.images.values())), images, _COMPRESSORS[suffix][0])
        members = {_FILES + name: place for name, place in files.items()} | {images.name: images}
        sums = {name: _digest(place) for name, place in members.items()}
        text = json.dumps(asdict(manifest) | {"members": sums}, indent=2) + "\n"
        (Path(directory) / _MANIFEST).write_text(text, encoding="utf-8")
        whole = Path(directory, "whole")
        with whole.open("xb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
            for name, place in {_MANIFEST: Path(directory, _MANIFEST), **members}.items():
                tar.add(place, name, filter=_anonymous)
        whole.chmod(0o600)
        size = whole.stat().st_size
        whole.replace(path)
    return size


def check(path: Path) -> Manifest:
    """The manifest of an archive that is whole. Raises BadInput for any other file."""
    try:
        with tarfile.open(path, mode="r:") as tar:
            manifest = _manifest(tar, path)
            for name, digest in manifest.members.items():
                stream = tar.extractfile(name)
                if stream is None or _sum(stream) != digest:
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
        return {name.removeprefix(_FILES): _read(tar, name) for name in names}


def load(path: Path, manifest: Manifest, engine: Engine) -> None:
    """Give the engine the images of an archive. Raises LabError with what it says."""
    name = next(name for name in manifest.members if name.startswith(_IMAGES))
    unpack = _COMPRESSORS[name.removeprefix(_IMAGES)][1]
    with tarfile.open(path, mode="r:") as tar, tempfile.TemporaryFile(dir=path.parent) as plain:
        stream = tar.extractfile(name)
        assert stream is not None  # noqa: S101 (check() has read it)
        with subprocess.Popen([*unpack], stdin=subprocess.PIPE, stdout=plain) as process:
            assert process.stdin is not None  # noqa: S101 (it is a pipe)
            shutil.copyfileobj(stream, process.stdin, _CHUNK)
            process.stdin.close()
        if process.returncode != 0:
            raise LabError(f"{unpack[0]} cannot unpack the images: status {process.returncode}")
        plain.seek(0)
        engine.run("load", stdin=plain)


def unpacker(manifest: Manifest) -> str:
    """The program that the images' compression needs."""
    name = next((name for name in manifest.members if name.startswith(_IMAGES)), _IMAGES + ".gz")
    return _COMPRESSORS[name.removeprefix(_IMAGES)][1][0]


def _save(engine: Engine, images: Iterable[str], target: Path, pack: Iterable[str]) -> None:
    """Have the engine write images, through the compressor, into a file."""
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
        saving.stdout.close()  # so that the one hears of the other's end
        packing.wait()
        saving.wait()
        said.seek(0)
        if saving.returncode or packing.returncode:
            raise LabError(f"`{' '.join(command)}` failed: {said.read().strip()}", "Is there room on the disk?")


def _manifest(tar: tarfile.TarFile, path: Path) -> Manifest:
    try:
        data: Any = json.loads(_read(tar, _MANIFEST))
        if data["format"] != FORMAT:
            raise BadInput(
                f"{path} has format {data['format']}, this labctl reads {FORMAT}", "Take the novalab that wrote it."
            )
        manifest = Manifest(**data)
        sums = manifest.members
        if not any(name.startswith(_IMAGES) for name in sums) or _FILES + "lab.yaml" not in sums:
            raise ValueError("members are missing")
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise BadInput(f"{path} is no archive of a lab: {error}", "See `labctl export-lab`.") from error
    return manifest


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    if stream is None:
        raise KeyError(name)
    return stream.read()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return _sum(stream)


def _sum(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names of this machine's users."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
