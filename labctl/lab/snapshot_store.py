"""The files of a lab's snapshots.

A snapshot is a directory with a manifest and the lab's own files as they were. The nodes themselves are images
in the engine, or snapshots of virtual machines that Vagrant's provider keeps.
"""

import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pydantic.dataclasses import dataclass

from labctl.errors import BadInput
from labctl.files import read_json, write_json, write_private
from labctl.lab import model
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths

# Valid as a part of an image's name in both engines, and for Vagrant.
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
    """A snapshot's manifest. created is in UTC; images has the image of each node, none for virtual machines."""

    name: str
    created: str
    lab: str
    release: str
    provider: str
    engine: str | None
    nodes: tuple[str, ...]
    images: Mapping[str, str]


def check_name(name: str) -> None:
    """Raise BadInput for an invalid name."""
    if not _NAME.fullmatch(name):
        remedy = "A name has up to 40 lower-case letters, digits and hyphens, with no hyphen at either end."
        raise BadInput(f"{name!r} is not a valid name for a snapshot; nothing was changed", remedy)


def every(paths: LabPaths) -> list[Snapshot]:
    """All snapshots of the lab, the oldest first."""
    known = [_read(item) for item in paths.snapshots.glob("*") if not item.name.startswith(".")]
    return sorted((item for item in known if item is not None), key=lambda item: (item.created, item.name))


def get(paths: LabPaths, name: str) -> Snapshot:
    """The snapshot with a name. Raises BadInput when there is none, or when its manifest cannot be read."""
    check_name(name)
    directory = paths.snapshots / name
    if not directory.is_dir():
        names = f"Snapshots: {', '.join(item.name for item in every(paths)) or 'none'}"
        raise BadInput(f"There is no snapshot {name!r} of the lab in {paths.directory}; nothing was changed", names)
    if (found := _read(directory)) is None:
        remedy = f"The snapshot is unusable: remove {directory}."
        raise BadInput(f"{directory / _MANIFEST} cannot be read; nothing was changed", remedy)
    return found


def described(paths: LabPaths, snapshot: Snapshot) -> Lab:
    """The lab as lab.yaml described it at the time. Raises BadInput when this version of labctl cannot read it."""
    return model.load(LabPaths(paths.snapshots / snapshot.name / "lab"))


@contextmanager
def adding(paths: LabPaths, lab: Lab, name: str, engine: str | None, images: Mapping[str, str]) -> Iterator[Snapshot]:
    """Keep the lab's files, and give the snapshot its name once the body has finished without an error."""
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
        write_json(place / _MANIFEST, asdict(snapshot))
        place.rename(paths.snapshots / name)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def files(directory: Path) -> dict[str, int]:
    """The files of a lab, or of a snapshot of it, with their modes: FILES, and the user's overrides."""
    found = sorted(path for path in (directory / "overrides").rglob("*") if path.is_file())
    own = {str(path.relative_to(directory)): 0o600 for path in found}
    return {file: mode for file, mode in FILES.items() if (directory / file).is_file()} | own


def put_back(paths: LabPaths, snapshot: Snapshot) -> Path | None:
    """Restore the lab's files from the snapshot. Returns where the present lab.yaml is kept if it differs."""
    source, kept = paths.snapshots / snapshot.name / "lab", None
    _put_back_overrides(paths, source)
    for file, mode in FILES.items():
        mine, place = source / file, paths.directory / file
        if file == "lab.yaml" and place.is_file():
            mode = stat.S_IMODE(place.stat().st_mode)  # the user's choice
            if not mine.is_file() or place.read_bytes() != mine.read_bytes():
                kept = place.with_name("lab.yaml.replaced")
                place.replace(kept)
        if mine.is_file():
            _copy(mine, place, mode)
        else:
            place.unlink(missing_ok=True)
    return kept


def _put_back_overrides(paths: LabPaths, source: Path) -> None:
    """Restore the overrides; the present ones are kept beside them if they differ."""
    now, then = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (paths.overrides, source / "overrides")
    )
    if now == then:
        return
    if now:
        kept = paths.overrides.with_name("overrides.replaced")
        shutil.rmtree(kept, ignore_errors=True)
        paths.overrides.replace(kept)
    for name in then:
        _copy(source / "overrides" / name, paths.overrides / name, 0o600)


def forget_all(paths: LabPaths) -> list[str]:
    """Remove the files of all snapshots. Returns their names."""
    names = [snapshot.name for snapshot in every(paths)]
    shutil.rmtree(paths.snapshots, ignore_errors=True)
    return names


def forget(paths: LabPaths, name: str) -> None:
    """Remove a snapshot's files; the manifest goes first, so that a half-removed snapshot is none."""
    (paths.snapshots / name / _MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(paths.snapshots / name)


def _copy(source: Path, target: Path, mode: int) -> None:
    """Copy a file completely or not at all."""
    write_private(target, source.read_text(encoding="utf-8"))
    target.chmod(mode)


def _read(directory: Path) -> Snapshot | None:
    try:
        return Snapshot(**read_json(directory / _MANIFEST) | {"name": directory.name})
    except ValueError:
        return None
