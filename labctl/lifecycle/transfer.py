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

from labctl.errors import BadInput
from labctl.files import write_private
from labctl.lab import image_files, model, snapshot_store
from labctl.lab.model import Group, Lab
from labctl.lab.paths import LabPaths
from labctl.lab.yaml_reader import read
from labctl.lifecycle import archive, pause, readiness
from labctl.lifecycle import snapshot as snapshots
from labctl.lifecycle import up as lifecycle_up
from labctl.lifecycle.archive import Manifest
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.preflight import preflight
from labctl.lifecycle.up import Outcome
from labctl.lifecycle.verify import service_list, verify
from labctl.providers import node_images, snapshot_images
from labctl.providers.engine import Engine, find

GROUPS: tuple[Group, ...] = ("controller_nodes", "compute_nodes")
_CARRIED = "carried"  # takes a snapshot's place in the names of images


def check_export(context: LabContext, target: Path, *, with_secrets: bool) -> None:
    """Refuse what cannot be exported. Raises BadInput; nothing is changed."""
    lab = context.lab
    if target.exists() or not target.absolute().parent.is_dir():
        problem = "already exists" if target.exists() else "cannot be written: its directory is not there"
        raise BadInput(f"{target} {problem}; nothing was changed", "Choose another file.")
    engine = context.provider.require_engine("Exporting a lab")
    if with_secrets:
        pause.preflight(context)
    elif lab.images:
        names = ", ".join(image.name for image in lab.images)
        raise BadInput(
            f"lab.yaml has images of its own ({names}), which an archive without secrets lacks; nothing was changed",
            "Take --with-secrets, where they are in the controller's Glance.",
        )
    else:
        missing = [name for group in GROUPS if not engine.has_image(name := node_images.reference(lab, group))]
        if missing:
            raise BadInput(f"The image {missing[0]} is not there; nothing was changed", "`labctl setup` makes it.")


def export(context: LabContext, target: Path, *, with_secrets: bool) -> int:
    """Write the lab into an archive. Returns its size in bytes.

    With secrets it holds the nodes as they are at this moment, and the lab's files. Without, it holds lab.yaml
    without the passwords in it, and the images with packages from which nodes are configured anew.
    """
    lab, paths = context.lab, context.paths
    engine = context.provider.require_engine("Exporting a lab")
    if with_secrets:
        return _export_nodes(context, engine, target)
    with tempfile.TemporaryDirectory(dir=paths.state) as directory, context.progress.step("Archive") as step:
        file = Path(directory, "lab.yaml")
        write_private(file, _without_secrets(paths))
        found = {str(group): node_images.reference(lab, group) for group in GROUPS}
        manifest = Manifest(lab.name, lab.release.value, engine.kind, finished=False, images=found)
        return archive.write(target.absolute(), manifest, {"lab.yaml": file}, engine, step)


def _export_nodes(context: LabContext, engine: Engine, target: Path) -> int:
    lab, paths, progress = context.lab, context.paths, context.progress
    name = f"export-{os.getpid()}"
    snapshots.check_save(context, name)
    snapshot = snapshots.save(context, name)
    try:
        with progress.step("Archive") as step:
            kept = paths.snapshots / name / "lab"
            files = {file: kept / file for file in snapshot_store.files(kept)}
            if "lab.yaml" not in files:
                write_private(kept / "lab.yaml", "{}\n")  # the default lab
                files["lab.yaml"] = kept / "lab.yaml"
            manifest = Manifest(lab.name, lab.release.value, engine.kind, finished=True, images=snapshot.images)
            return archive.write(target.absolute(), manifest, files, engine, step)
    finally:
        snapshots.delete(context, name)


def _without_secrets(paths: LabPaths) -> str:
    """lab.yaml anew (JSON is YAML), without the key secrets and without comments, in which there may be anything."""
    data: Any = read(paths.lab_yaml).data or {}
    return json.dumps({key: value for key, value in data.items() if key != "secrets"}, indent=2) + "\n"


def check_import(paths: LabPaths, source: Path) -> tuple[Manifest, LabContext]:
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
        LabContext.of(lab, paths).provider.check_room(len(lab.nodes))
    else:
        other = [name for group, name in manifest.images.items() if node_images.reference(lab, _group(group)) != name]
        if other:
            raise BadInput(f"This novalab makes no nodes from {', '.join(other)} of {source}; nothing was changed")
    context = LabContext.of(lab, paths)
    kind = find(lab.engine, paths).kind
    if kind != manifest.engine:
        raise BadInput(f"{source} was written by {manifest.engine}, the engine here is {kind}; nothing was changed")
    image_files.check(() if manifest.finished else lab.images, paths)
    preflight(context).check(paths)
    return manifest, context


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


def up(context: LabContext, source: Path, manifest: Manifest) -> Outcome:
    """Make the lab of an archive, which check_import() has found in order, and verify it."""
    start = time.monotonic()
    paths = context.paths
    context.provider.connect()
    engine = context.provider.require_engine("A lab from an archive")
    with context.progress.step("Images of the archive") as step:
        step.note(f"OpenStack {manifest.release}, {'finished nodes' if manifest.finished else 'packages'}")
        archive.load(source, manifest, engine)
    for name, text in archive.files(source, manifest).items():
        place = paths.directory / name
        if name == "lab.yaml" and place.is_file():
            continue  # the lab.yaml of somebody who wants another network, say
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(place, text.decode())
        place.chmod(snapshot_store.FILES.get(name, 0o600))
    if not manifest.finished:
        return lifecycle_up.up(context, preflight(context))
    _bring_up(context, engine, manifest)
    results = verify(paths, context.progress)
    return Outcome(results, service_list(context), time.monotonic() - start)


def _bring_up(context: LabContext, engine: Engine, manifest: Manifest) -> None:
    """Make the nodes of a finished lab, from images with names of this lab's own."""
    own = {node: snapshot_images.reference(context.lab, context.paths, _CARRIED, node) for node in manifest.images}
    for node, image in manifest.images.items():
        engine.run("tag", image, own[node])
        if image != own[node]:
            engine.run("rmi", image)  # its name only
    snapshots.note(context)
    since = context.provider.start_from(own, context.progress, lambda: readiness.wait_for_conductor(context))
    with context.progress.step("Reports of all services"):
        readiness.wait_for_all(context, since)


def _described(text: bytes) -> Lab:
    with tempfile.TemporaryDirectory(prefix="labctl-") as directory:
        Path(directory, "lab.yaml").write_bytes(text)
        return model.load(LabPaths(Path(directory)))


def _group(name: str) -> Group:
    return "controller_nodes" if name == "controller_nodes" else "compute_nodes"
