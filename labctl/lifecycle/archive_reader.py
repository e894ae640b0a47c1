"""Read an archive that may come from anybody: all of it is checked before anything of it is used.

The file stays open from the first check to the last use. What it may hold is listed, and limited in number and size.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import TypeAdapter, ValidationError

from labctl.errors import BadInput, LabError
from labctl.lab import snapshot_store
from labctl.lifecycle.archive import COMPRESSORS, FILES, FORMAT, IMAGES, MANIFEST, Manifest
from labctl.providers.engine import Engine

_MOST_MEMBERS = 500
_MOST_BYTES = 1 << 20  # of the manifest, and of a file of the lab
_MOST_READ = 16 << 20  # at once, for tarfile reads headers of any size
_MOST_LAYERS = 20000  # members of what the engine wrote
_CHUNK = 1 << 16  # of compressed data, which may grow a thousandfold
_MARGIN = 2 << 30  # bytes of the disk that unpacking leaves free
# labctl writes these itself on this machine. Ansible and ssh follow them, so those of an archive are ignored.
_NOT_TAKEN = {"hosts.ini", ".labctl/ssh-hosts.json", ".labctl/made.json"}
_OVERRIDES = re.compile(r"overrides/([a-z0-9_-]+/)?[a-z0-9][a-z0-9_.-]*")
_SEE = "See `labctl export-lab`."


@dataclass(frozen=True)
class Archive:
    """An archive whose manifest, file list and digests were checked. files has the lab's own, by their paths in it."""

    path: Path
    manifest: Manifest
    files: dict[str, bytes]
    _tar: tarfile.TarFile

    def load(self, engine: Engine, scratch: Path) -> None:
        """Load the images into the engine, once those in it are known to have the names in the manifest only.

        Images that the engine has under these names keep them. scratch is a directory for the unpacked images. Raises
        BadInput if the file has changed since it was checked or has other images, LabError with the engine's message.
        """
        names = set(self.manifest.images.values())
        ids = {name: engine.run("images", "--quiet", name).strip() for name in names}
        with tempfile.TemporaryFile(dir=scratch) as plain:
            self._unpack(plain, shutil.disk_usage(scratch).free - _MARGIN)
            if (found := _image_names(plain, self.path)) != names:
                raise _bad(self.path, f"it has images of other names than its manifest: {_listed(found ^ names)}")
            plain.seek(0)
            engine.run("load", stdin=plain)
        for name, identity in ids.items():
            if identity:
                engine.run("tag", identity, name)

    def _unpack(self, plain: IO[bytes], most: int) -> None:
        """Uncompress the images into a file of at most so many bytes."""
        name, command = self.manifest.packed_images, self.manifest.unpack
        digest = hashlib.sha256()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=plain, stderr=subprocess.DEVNULL) as process:
            assert process.stdin is not None  # noqa: S101 (it is a pipe)
            try:
                with _member(self._tar, name) as packed, process.stdin as sink:
                    while data := packed.read(_CHUNK):
                        digest.update(data)
                        sink.write(data)
                        _check_size(plain, most)
                while process.poll() is None:
                    _check_size(plain, most)
                    time.sleep(0.05)
            except BrokenPipeError:
                pass  # its status says more
            except BaseException:
                process.kill()
                raise
        if digest.hexdigest() != self.manifest.members[name] or process.returncode != 0:
            raise _bad(self.path, f"{command[0]} cannot unpack the images, or they changed while they were read")


@contextmanager
def reading(path: Path, sha256: str | None = None) -> Iterator[Archive]:
    """Open and check an archive. sha256 is that of the file, if it is known. Raises BadInput for any other file."""
    with ExitStack() as stack:
        try:
            if path.exists() and not path.is_file():
                raise BadInput(f"{path} is not a file; nothing was changed", _SEE)
            file = stack.enter_context(path.open("rb"))
            if sha256 is not None:
                _check_digest(file, path, sha256)
            tar = stack.enter_context(_tar_of(file))
            manifest, files = _checked(tar, path)
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror or error}; nothing was changed", _SEE) from error
        except (tarfile.TarError, EOFError, OverflowError, ValueError) as error:
            raise _bad(path, str(error)) from error
        yield Archive(path, manifest, files, tar)


def may_hold(name: str, *, finished: bool) -> bool:
    """Whether an archive may hold a file of the lab, by its path in the lab: one of a finished lab, or of packages."""
    if not finished:
        return name == "lab.yaml"
    return name in snapshot_store.FILES or _OVERRIDES.fullmatch(name) is not None


class _Bounded:
    """A file for tarfile, which would read a header of eight gigabytes at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes. Raises tarfile.ReadError if that is more than a limit."""
        if not 0 <= size <= _MOST_READ:
            raise tarfile.ReadError("a header is too large")
        return self._file.read(size)


def _tar_of(file: IO[bytes]) -> tarfile.TarFile:
    bounded: Any = _Bounded(file)
    return tarfile.open(fileobj=bounded, mode="r:", encoding="utf-8")


def _checked(tar: tarfile.TarFile, path: Path) -> tuple[Manifest, dict[str, bytes]]:
    manifest: Manifest | None = None
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    for item in tar:
        name = item.name
        if len(seen) >= _MOST_MEMBERS or not item.isreg() or item.issparse():
            raise _bad(path, f"{name!r} is one file too many, or no plain file")
        if manifest is None:
            if name != MANIFEST:
                raise _bad(path, f"it begins with {name!r}, not with {MANIFEST}")
            manifest = _manifest(_small(tar, item, path), path)
            continue
        if name in seen or name not in manifest.members:
            raise _bad(path, f"{name!r} is not in its manifest, or twice in the file")
        seen.add(name)
        if name.startswith(FILES):
            data = _small(tar, item, path)
            found = hashlib.sha256(data).hexdigest()
            if (own := name.removeprefix(FILES)) not in _NOT_TAKEN:
                files[own] = data
        else:
            with _member(tar, name) as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != manifest.members[name]:
            raise BadInput(f"{path} is damaged: {name} is not what was written", "Copy the file again.")
    if manifest is None or (missing := set(manifest.members) - seen):
        raise BadInput(
            f"{path} is damaged: {_listed(missing) if manifest else MANIFEST} is missing", "Copy the file again."
        )
    return manifest, files


def _manifest(data: bytes, path: Path) -> Manifest:
    try:
        # pydantic's reader of JSON has a limit on depth.
        raw: Any = TypeAdapter(dict[str, Any]).validate_json(data)
        if raw.get("format") != FORMAT:
            found = str(raw.get("format"))[:20]
            problem = f"{path} has format {found}, this labctl reads {FORMAT}; nothing was changed"
            raise BadInput(problem, "Use the novalab that wrote it.")
        manifest = TypeAdapter(Manifest).validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part)[:60] for part in first["loc"])
        raise _bad(path, f"{MANIFEST}: {where}: {first['msg']}") from error
    packed = {IMAGES + suffix for suffix in COMPRESSORS}
    own = {name.removeprefix(FILES) for name in manifest.members if name.startswith(FILES)}
    others = {name for name in manifest.members if not name.startswith(FILES)}
    wrong = {name for name in own if not may_hold(name, finished=manifest.finished)}
    if wrong or others - packed:
        raise _bad(path, f"it has files that no archive has: {_listed(wrong | (others - packed))}")
    if len(others) != 1 or "lab.yaml" not in own:
        raise _bad(path, "members are missing")
    return manifest


def _image_names(plain: IO[bytes], path: Path) -> set[str]:
    """The names that the engine would give to images, of a tar file that `podman save` or `docker save` wrote."""
    plain.seek(0)
    names: set[str] = set()
    seen: set[str] = set()
    try:
        with _tar_of(plain) as tar:
            for count, item in enumerate(tar):
                if count > _MOST_LAYERS or (item.name in seen and item.name.endswith(".json")):
                    raise _bad(path, "its images are not as an engine writes them")
                seen.add(item.name)
                if item.name == "manifest.json":
                    names |= {tag for image in json.loads(_small(tar, item, path)) for tag in image["RepoTags"] or ()}
                elif item.name == "index.json":
                    for image in json.loads(_small(tar, item, path))["manifests"]:
                        name = (image.get("annotations") or {}).get("io.containerd.image.name")
                        names |= {name} if name else set()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, tarfile.TarError) as error:
        raise _bad(path, f"its images cannot be read: {error}") from error
    if "manifest.json" not in seen:
        raise _bad(path, "its images are not as an engine writes them")
    return names


def _small(tar: tarfile.TarFile, item: tarfile.TarInfo, path: Path) -> bytes:
    if item.size > _MOST_BYTES:
        raise _bad(path, f"{item.name!r} has {item.size} bytes, which is too much")
    stream = tar.extractfile(item)
    data = b"" if stream is None else stream.read()
    if len(data) != item.size:
        raise BadInput(f"{path} is damaged: {item.name} is not complete", "Copy the file again.")
    return data


def _member(tar: tarfile.TarFile, name: str) -> io.BufferedReader:
    """A plain file in the archive, as a stream."""
    stream = tar.extractfile(name)
    assert isinstance(stream, io.BufferedReader)  # noqa: S101 (it is a plain file)
    return stream


def _check_size(plain: IO[bytes], most: int) -> None:
    if os.fstat(plain.fileno()).st_size > most:
        raise LabError("The unpacked images do not fit on the disk", "Make room, or put the lab on another disk.")


def _check_digest(file: io.BufferedReader, path: Path, sha256: str) -> None:
    found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.strip().lower():
        remedy = "Copy the file again, from where the digest is from."
        raise BadInput(f"{path} has the SHA-256 {found}, expected {sha256}; nothing was changed", remedy)
    file.seek(0)


def _listed(names: set[str]) -> str:
    shown = sorted(names)[:5]
    return ", ".join(repr(name) for name in shown) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _bad(path: Path, why: str) -> BadInput:
    return BadInput(f"{path} is no archive of a lab, or is damaged: {why}; nothing was changed", _SEE)
