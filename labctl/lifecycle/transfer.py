"""A lab carried to another machine: exported into one file there, and made from it without a network here."""

import json
import os
import platform
import shutil
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labctl.errors import BadInput, LabError
from labctl.files import write_private
from labctl.lab import image_files, model, snapshot_store
from labctl.lab.model import Group, Lab
from labctl.lab.paths import LabPaths
from labctl.lab.yaml_reader import read
from labctl.lifecycle import archive, operations, pause, readiness
from labctl.lifecycle import snapshot as snapshots
from labctl.lifecycle.archive import Manifest
from labctl.providers import inotify_limit, node_images, snapshot_images
from labctl.providers.engine import Engine, find
from labctl.ui.progress import Progress

GROUPS: tuple[Group, ...] = ("controller_nodes", "compute_nodes")
_CARRIED = "carried"  # takes a snapshot's place in the names of images


def check_export(lab: Lab, paths: LabPaths, target: Path, *, with_secrets: bool) -> None:
    """Refuse what cannot be exported. Raises BadInput; nothing is changed."""
    if lab.provider != "docker":
        raise BadInput(f"Only labs in containers can be exported, and this one's provider is {lab.provider}")
    if target.exists() or not target.absolute().parent.is_dir():
        problem = "is there already" if target.exists() else "cannot be written: its directory is not there"
        raise BadInput(f"{target} {problem}; nothing was changed", "Choose another file.")
    if with_secrets:
        pause.preflight(lab, paths)
    elif lab.images:
        names = ", ".join(image.name for image in lab.images)
        raise BadInput(
            f"lab.yaml has images of its own ({names}), which an archive without secrets lacks; nothing was changed",
            "Take --with-secrets, where they are in the controller's Glance.",
        )
    elif (engine := operations.engine_of(lab, paths)) is not None:
        missing = [name for group in GROUPS if not engine.has_image(name := node_images.reference(lab, group))]
        if missing:
            raise BadInput(f"The image {missing[0]} is not there; nothing was changed", "`labctl setup` makes it.")


def export(lab: Lab, paths: LabPaths, target: Path, progress: Progress, *, with_secrets: bool) -> int:
    """Write the lab into an archive. Returns its size in bytes.

    With secrets it holds the nodes as they are at this moment, and the lab's files. Without, it holds lab.yaml
    without the passwords in it, and the images with packages from which nodes are configured anew.
    """
    engine = _engine(lab, paths)
    if with_secrets:
        return _export_nodes(lab, paths, engine, target, progress)
    with tempfile.TemporaryDirectory(dir=paths.state) as directory, progress.step("Archive") as step:
        file = Path(directory, "lab.yaml")
        write_private(file, _without_secrets(paths))
        found = {str(group): node_images.reference(lab, group) for group in GROUPS}
        manifest = Manifest(lab.name, lab.release.value, engine.kind, finished=False, images=found)
        return archive.write(target.absolute(), manifest, {"lab.yaml": file}, engine, step)


def _export_nodes(lab: Lab, paths: LabPaths, engine: Engine, target: Path, progress: Progress) -> int:
    name = f"export-{os.getpid()}"
    snapshots.check_save(lab, paths, name)
    snapshot = snapshots.save(lab, paths, name, progress)
    try:
        with progress.step("Archive") as step:
            kept = paths.snapshots / name / "lab"
            files = {file: kept / file for file in snapshot_store.FILES if (kept / file).is_file()}
            if "lab.yaml" not in files:
                write_private(kept / "lab.yaml", "{}\n")  # the default lab
                files["lab.yaml"] = kept / "lab.yaml"
            manifest = Manifest(lab.name, lab.release.value, engine.kind, finished=True, images=snapshot.images)
            return archive.write(target.absolute(), manifest, files, engine, step)
    finally:
        snapshots.delete(lab, paths, name, progress)


def _without_secrets(paths: LabPaths) -> str:
    """lab.yaml anew (JSON is YAML), without the key secrets and without comments, in which there may be anything."""
    data: Any = read(paths.lab_yaml).data or {}
    return json.dumps({key: value for key, value in data.items() if key != "secrets"}, indent=2) + "\n"


def check_import(paths: LabPaths, source: Path) -> tuple[Manifest, Lab]:
    """What an archive holds. Raises BadInput when the lab cannot be made from it here; nothing is changed."""
    if paths.made.is_file():
        raise BadInput(
            f"There is a lab in {paths.directory} already; nothing was changed",
            "`labctl up` goes on with it. For the one in the archive, choose another directory.",
        )
    manifest = archive.check(source)
    for what, here, there in (
        ("of the architecture", platform.machine(), manifest.machine),
        ("of novalab", version("novalab"), manifest.novalab),
    ):
        if here != there:
            raise BadInput(f"{source} is {what} {there}, this is {here}; nothing was changed", "Take one that fits.")
    if shutil.which(archive.unpacker(manifest)) is None:
        raise BadInput(f"{archive.unpacker(manifest)} is not there, and {source} needs it; nothing was changed")
    lab = _chosen(paths, source, manifest)
    if manifest.finished:
        inotify_limit.check(len(lab.nodes))
    else:
        other = [name for group, name in manifest.images.items() if node_images.reference(lab, _group(group)) != name]
        if other:
            raise BadInput(f"This novalab makes no nodes from {', '.join(other)} of {source}; nothing was changed")
    with tempfile.TemporaryDirectory(prefix="labctl-") as directory:
        kind = find(lab.engine, LabPaths(Path(directory))).kind
    if kind != manifest.engine:
        raise BadInput(f"{source} was written by {manifest.engine}, the engine here is {kind}; nothing was changed")
    image_files.check(() if manifest.finished else lab.images, paths)
    operations.preflight(lab, paths).check(paths)
    return manifest, lab


def _chosen(paths: LabPaths, source: Path, manifest: Manifest) -> Lab:
    """The lab that the archive describes. One without secrets may become another, with a lab.yaml that is here."""
    text = archive.files(source, manifest)["lab.yaml"]
    if not paths.lab_yaml.is_file() or paths.lab_yaml.read_bytes() == text:
        return _described(text)
    if manifest.finished:
        raise BadInput(
            f"{paths.lab_yaml} says something else than the archive; nothing was changed", "Choose another directory."
        )
    return model.load(paths)


def up(lab: Lab, paths: LabPaths, source: Path, manifest: Manifest, progress: Progress) -> operations.Outcome:
    """Make the lab of an archive, which check_import() has found in order, and verify it."""
    start = time.monotonic()
    engine = _engine(lab, paths)
    with progress.step("Images of the archive") as step:
        step.note(f"OpenStack {manifest.release}, {'finished nodes' if manifest.finished else 'packages'}")
        archive.load(source, manifest, engine)
    for name, text in archive.files(source, manifest).items():
        place = paths.directory / name
        if name == "lab.yaml" and place.is_file():
            continue  # the lab.yaml of somebody who wants another network, say
        place.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(place, text.decode())
        place.chmod(snapshot_store.FILES[name])
    if not manifest.finished:
        return operations.up(lab, paths, progress, operations.preflight(lab, paths))
    _bring_up(lab, paths, engine, manifest, progress)
    results = operations.verify(paths, progress)
    return operations.Outcome(results, operations.service_list(paths, lab), time.monotonic() - start)


def _bring_up(lab: Lab, paths: LabPaths, engine: Engine, manifest: Manifest, progress: Progress) -> None:
    """Make the nodes of a finished lab, from images with names of this lab's own."""
    own = {node: snapshot_images.reference(lab, paths, _CARRIED, node) for node in manifest.images}
    for node, image in manifest.images.items():
        engine.run("tag", image, own[node])
        if image != own[node]:
            engine.run("rmi", image)  # its name only
    since = snapshots.bring_up(engine, lab, paths, own, progress)
    with progress.step("Reports of all services"):
        readiness.wait_for_all(lab, paths, since)


def _engine(lab: Lab, paths: LabPaths) -> Engine:
    engine = operations.engine_of(lab, paths)
    if engine is None:
        raise LabError(f"The provider {lab.provider} has no images to carry")
    return engine


def _described(text: bytes) -> Lab:
    with tempfile.TemporaryDirectory(prefix="labctl-") as directory:
        Path(directory, "lab.yaml").write_bytes(text)
        return model.load(LabPaths(Path(directory)))


def _group(name: str) -> Group:
    return "controller_nodes" if name == "controller_nodes" else "compute_nodes"
