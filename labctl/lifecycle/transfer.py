"""Move a lab to another machine: export it to a file there, and create it from the file here without a network."""

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
from labctl.lab import image_files, model, secrets, snapshot_store
from labctl.lab.model import Group, Lab
from labctl.lab.paths import LabPaths
from labctl.lab.yaml_reader import read
from labctl.lifecycle import archive, pause
from labctl.lifecycle import snapshot as snapshots
from labctl.lifecycle import up as lifecycle_up
from labctl.lifecycle.archive import Manifest, Written
from labctl.lifecycle.archive_reader import Archive, may_hold
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.preflight import preflight
from labctl.lifecycle.up import Outcome
from labctl.lifecycle.verify import service_list, verify
from labctl.providers import node_images, snapshot_images
from labctl.providers.engine import Engine, find

GROUPS: tuple[Group, ...] = ("controller_nodes", "compute_nodes")
_MOVED = "carried"  # takes a snapshot's place in the names of images


def check_export(context: LabContext, target: Path, *, with_secrets: bool) -> None:
    """Refuse what cannot be exported. Raises BadInput; nothing is changed."""
    lab = context.lab
    if target.exists() or not target.absolute().parent.is_dir():
        problem = "already exists" if target.exists() else "cannot be written: its directory does not exist"
        raise BadInput(f"{target} {problem}; nothing was changed", "Choose a different file.")
    engine = context.provider.require_engine("Exporting a lab")
    if with_secrets:
        pause.preflight(context)
    elif lab.images:
        names = ", ".join(image.name for image in lab.images)
        raise BadInput(
            f"lab.yaml has images of its own ({names}), which an archive without secrets lacks; nothing was changed",
            "Use --with-secrets, where they are in the controller's Glance.",
        )
    else:
        for group in GROUPS:
            if not engine.has_image(name := node_images.reference(lab, group)):
                raise BadInput(f"The image {name} does not exist; nothing was changed", "`labctl setup` makes it.")


def export(context: LabContext, target: Path, *, with_secrets: bool) -> Written:
    """Write the lab to an archive.

    With secrets it has the nodes as they are now, and the lab's files. Without, it has lab.yaml without the passwords
    in it, and the images with packages, from which nodes are configured again.
    """
    lab, paths = context.lab, context.paths
    engine = context.provider.require_engine("Exporting a lab")
    if with_secrets:
        return _export_nodes(context, engine, target)
    with tempfile.TemporaryDirectory(dir=paths.state) as directory, context.progress.step("Archive") as step:
        file = Path(directory, "lab.yaml")
        # Without comments, which may hold anything. JSON is YAML.
        data: Any = read(paths.lab_yaml).data or {}
        write_private(file, json.dumps({key: data[key] for key in data if key != "secrets"}, indent=2) + "\n")
        found = {str(group): node_images.reference(lab, group) for group in GROUPS}
        manifest = Manifest(lab.name, lab.release.value, engine.kind, finished=False, images=found)
        return archive.write(target.absolute(), manifest, {"lab.yaml": file}, engine, step)


def _export_nodes(context: LabContext, engine: Engine, target: Path) -> Written:
    lab = context.lab
    name = f"export-{os.getpid()}"
    snapshots.check_save(context, name)
    snapshot = snapshots.save(context, name)
    try:
        with context.progress.step("Archive") as step:
            kept = context.paths.snapshots / name / "lab"
            files = {file: kept / file for file in snapshot_store.files(kept) if may_hold(file, finished=True)}
            if "lab.yaml" not in files:
                write_private(kept / "lab.yaml", "{}\n")  # the default lab
                files["lab.yaml"] = kept / "lab.yaml"
            manifest = Manifest(lab.name, lab.release.value, engine.kind, finished=True, images=dict(snapshot.images))
            return archive.write(target.absolute(), manifest, files, engine, step)
    finally:
        snapshots.delete(context, name)


def check_import(paths: LabPaths, archive: Archive) -> LabContext:
    """The lab of an archive. Raises BadInput if it cannot be made here; nothing is changed."""
    if paths.made.is_file():
        raise BadInput(
            f"There is a lab in {paths.directory} already; nothing was changed",
            "`labctl up` continues with it. For the one in the archive, choose a different directory.",
        )
    source, manifest = archive.path, archive.manifest
    for what, here, there in (
        ("of the architecture", platform.machine(), manifest.machine),
        ("of novalab", version("novalab"), manifest.novalab),
    ):
        if here != there:
            raise BadInput(f"{source} is {what} {there}, this is {here}; nothing was changed", "Use one that fits.")
    if shutil.which(manifest.unpack[0]) is None:
        raise BadInput(f"{manifest.unpack[0]} is not installed, but {source} needs it; nothing was changed")
    lab = _chosen(paths, archive)
    context = LabContext.of(lab, paths)
    if manifest.finished:
        _check_nodes(lab, archive)
        context.provider.check_room(len(lab.nodes))
    else:
        known = {str(group): node_images.reference(lab, group) for group in GROUPS}
        if other := [name for group, name in manifest.images.items() if known.get(group) != name]:
            raise BadInput(f"This novalab makes no nodes from {', '.join(other)} of {source}; nothing was changed")
    engine = find(lab.engine, paths)
    if engine.kind != manifest.engine:
        raise BadInput(
            f"{source} was written by {manifest.engine}, the engine here is {engine.kind}; nothing was changed"
        )
    if manifest.finished and (taken := [name for name in manifest.images.values() if engine.has_image(name)]):
        raise BadInput(
            f"There is an image {taken[0]} already, which the archive would replace; nothing was changed",
            f"Remove it with `{engine.kind} rmi {taken[0]}` if nothing needs it.",
        )
    image_files.check(() if manifest.finished else lab.images, paths)
    preflight(context).check(paths)
    return context


def _check_nodes(lab: Lab, archive: Archive) -> None:
    """Refuse finished nodes that are not those of the lab, and secrets that labctl has not written."""
    names, images = {node.name for node in lab.nodes}, archive.manifest.images
    if set(images) != names or any(not name.startswith(snapshot_images.REPOSITORY) for name in images.values()):
        raise BadInput(f"{archive.path} has other nodes than its lab.yaml; nothing was changed")
    if not secrets.are_valid(archive.files.get(".labctl/secrets.json", b"")):
        raise BadInput(f"{archive.path} has no passwords, or some that labctl has not written; nothing was changed")


def _chosen(paths: LabPaths, archive: Archive) -> Lab:
    """The lab that the archive describes. One without secrets may become a different one, if there is a lab.yaml."""
    text = archive.files["lab.yaml"]
    if not paths.lab_yaml.is_file() or paths.lab_yaml.read_bytes() == text:
        with tempfile.TemporaryDirectory(prefix="labctl-") as directory:
            Path(directory, "lab.yaml").write_bytes(text)
            return model.load(LabPaths(Path(directory)))
    if archive.manifest.finished:
        raise BadInput(f"{paths.lab_yaml} differs from the archive; nothing was changed", "Use a different directory.")
    return model.load(paths)


def up(context: LabContext, archive: Archive) -> Outcome:
    """Create the lab of an archive that has passed check_import(), and verify it."""
    start = time.monotonic()
    manifest, paths = archive.manifest, context.paths
    context.provider.connect()
    engine = context.provider.require_engine("A lab from an archive")
    with context.progress.step("Images of the archive") as step:
        step.note(f"OpenStack {manifest.release}, {'finished nodes' if manifest.finished else 'packages'}")
        archive.load(engine, paths.state)
    for name, data in archive.files.items():
        place = paths.directory / name
        if name == "lab.yaml" and place.is_file():
            continue  # the user's, who wants a different network, say
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(place, data.decode())
        place.chmod(snapshot_store.FILES.get(name, 0o600))
    if not manifest.finished:
        return lifecycle_up.up(context, preflight(context))
    # The images of nodes get names of this lab's own.
    own = {node: snapshot_images.reference(context.lab, context.paths, _MOVED, node) for node in manifest.images}
    for node, image in manifest.images.items():
        engine.run("tag", image, own[node])
        if image != own[node]:
            engine.run("rmi", image)  # its name only
    snapshots.note(context)
    since = context.provider.start_from(own, context.progress, lambda: snapshots.wait_for_conductor(context))
    snapshots.wait_for_all(context, since)
    results = verify(context)
    return Outcome(results, service_list(context), time.monotonic() - start)
