"""The snapshots of a lab on the disk: their files, and what each says of itself.

A snapshot is a directory that holds a manifest and the lab's own files as they were. The nodes themselves are images
in the engine, or snapshots that Vagrant's provider keeps of virtual machines.
"""

import json
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labctl.errors import BadInput
from labctl.files import write_private
from labctl.lab import model
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths

# A part of an image's name for both engines, and a name for Vagrant.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_MANIFEST = "manifest.json"
_UNFINISHED = ".unfinished-"
# The lab's files that belong to the state of its nodes, with the modes that they have in a lab.
FILES: Mapping[str, int] = {
    "lab.yaml": 0o600,
    "hosts.ini": 0o644,
    "clouds.yaml": 0o600,
    ".labctl/secrets.json": 0o600,
    ".labctl/made.json": 0o600,
    ".labctl/software.json": 0o600,
    ".labctl/ssh-hosts.json": 0o600,
    ".labctl/ssh/id_ed25519": 0o600,
    ".labctl/ssh/id_ed25519.pub": 0o644,  # sshd in the nodes reads it through a mount
}


@dataclass(frozen=True)
class Snapshot:
    """A snapshot as its manifest tells of it. created is UTC; images has the image of each node, none for machines."""

    name: str
    created: str
    lab: str
    release: str
    provider: str
    engine: str | None
    nodes: tuple[str, ...]
    images: Mapping[str, str]


def check_name(name: str) -> None:
    """Raise BadInput for a name that cannot be given."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} is no name for a snapshot; nothing was changed",
            "Up to 40 lower-case letters, digits and hyphens, with no hyphen at its ends.",
        )


def every(paths: LabPaths) -> list[Snapshot]:
    """All snapshots of the lab, the oldest first."""
    found = paths.snapshots.iterdir() if paths.snapshots.is_dir() else ()
    known = [_read(item) for item in found if not item.name.startswith(".")]
    return sorted((item for item in known if item is not None), key=lambda item: (item.created, item.name))


def get(paths: LabPaths, name: str) -> Snapshot:
    """The snapshot of a name. Raises BadInput when there is none, or when its manifest cannot be read."""
    check_name(name)
    directory = paths.snapshots / name
    if not directory.is_dir():
        names = ", ".join(item.name for item in every(paths)) or "none"
        raise BadInput(
            f"There is no snapshot {name!r} of the lab in {paths.directory}; nothing was changed", f"Snapshots: {names}"
        )
    found = _read(directory)
    if found is None:
        raise BadInput(
            f"{directory / _MANIFEST} cannot be read; nothing was changed",
            f"The snapshot is of no use any more: remove {directory}.",
        )
    return found


def described(paths: LabPaths, snapshot: Snapshot) -> Lab:
    """The lab as lab.yaml described it when the snapshot was made. Raises BadInput when this labctl cannot read it."""
    return model.load(LabPaths(_files(paths, snapshot.name)))


@contextmanager
def adding(paths: LabPaths, lab: Lab, name: str, engine: str | None, images: Mapping[str, str]) -> Iterator[Snapshot]:
    """Keep the lab's files, and give the snapshot its name when what is done inside has ended well."""
    paths.snapshots.mkdir(mode=0o700, exist_ok=True)
    for left in paths.snapshots.glob(f"{_UNFINISHED}*"):  # by a run that was killed
        shutil.rmtree(left)
    place = Path(tempfile.mkdtemp(dir=paths.snapshots, prefix=_UNFINISHED))
    snapshot = Snapshot(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        lab=lab.name,
        release=lab.release.value,
        provider=lab.provider,
        engine=engine,
        nodes=tuple(node.name for node in lab.nodes),
        images=dict(images),
    )
    try:
        for file in files(paths.directory):
            _copy(paths.directory / file, place / "lab" / file, 0o600)
        (place / "lab").mkdir(exist_ok=True)
        yield snapshot
        write_private(place / _MANIFEST, json.dumps(asdict(snapshot), indent=2) + "\n")
        place.rename(paths.snapshots / name)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def files(directory: Path) -> dict[str, int]:
    """The files of a lab, or of a snapshot of it, with their modes: FILES, and the user's overrides."""
    folder = directory / "overrides"
    found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else ()
    own = {str(path.relative_to(directory)): 0o600 for path in found}
    return {file: mode for file, mode in FILES.items() if (directory / file).is_file()} | own


def put_back(paths: LabPaths, snapshot: Snapshot) -> Path | None:
    """Give the lab the files that the snapshot has. Returns where a lab.yaml that says something else is kept."""
    source, kept = _files(paths, snapshot.name), None
    _put_back_overrides(paths, source)
    for file, mode in FILES.items():
        mine, place = source / file, paths.directory / file
        if file == "lab.yaml" and place.is_file():
            mode = stat.S_IMODE(place.stat().st_mode)  # the user's own choice
            if _text(place) != _text(mine):
                kept = place.with_name("lab.yaml.replaced")
                place.replace(kept)
        if mine.is_file():
            _copy(mine, place, mode)
        else:
            place.unlink(missing_ok=True)
    return kept


def _put_back_overrides(paths: LabPaths, source: Path) -> None:
    """The overrides of then; those of now are kept beside them when they differ."""
    texts = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (paths.overrides, source / "overrides")
    ]
    if texts[0] == texts[1]:
        return
    if texts[0]:
        kept = paths.overrides.with_name("overrides.replaced")
        shutil.rmtree(kept, ignore_errors=True)
        paths.overrides.replace(kept)
    for name in texts[1]:
        _copy(source / "overrides" / name, paths.overrides / name, 0o600)


def forget_all(paths: LabPaths) -> list[str]:
    """Remove the files of all snapshots. Returns their names."""
    names = [snapshot.name for snapshot in every(paths)]
    shutil.rmtree(paths.snapshots, ignore_errors=True)
    return names


def forget(paths: LabPaths, name: str) -> None:
    """Remove a snapshot's files; the manifest goes first, for what is half-removed is no snapshot."""
    (paths.snapshots / name / _MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(paths.snapshots / name)


def _files(paths: LabPaths, name: str) -> Path:
    return paths.snapshots / name / "lab"


def _text(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _copy(source: Path, target: Path, mode: int) -> None:
    """Copy a file as a whole or not at all."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(target, source.read_text(encoding="utf-8"))
    target.chmod(mode)


def _read(directory: Path) -> Snapshot | None:
    try:
        data: Any = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
        nodes, images = tuple(map(str, data["nodes"])), {str(key): str(value) for key, value in data["images"].items()}
        return Snapshot(**{**data, "name": directory.name, "nodes": nodes, "images": images})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
