"""Snapshots of a lab: the state of all nodes at one moment, kept, restored and removed.

Of containers each node becomes an image of the engine, made while all of them are held still. Virtual machines have
snapshots of their own, through Vagrant.
"""

import time

from labctl.errors import BadInput
from labctl.lab import fingerprint, records, registry, snapshot_store
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.lab.snapshot_store import Snapshot
from labctl.lifecycle import pause, readiness
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.preflight import preflight
from labctl.ui.progress import Step


def check_save(context: LabContext, name: str) -> None:
    """Refuse a name that is bad or in use, and a lab that does not run. Raises BadInput; nothing is changed."""
    snapshot_store.check_name(name)
    if any(snapshot.name == name for snapshot in snapshot_store.every(context.paths)):
        raise BadInput(
            f"There is a snapshot {name!r} already; nothing was changed",
            f"Choose another name, or remove it with `labctl snapshot delete {name}`.",
        )
    pause.preflight(context)


def save(context: LabContext, name: str) -> Snapshot:
    """Keep the state of all nodes, and the lab's own files beside it. Nodes that were paused stay so."""
    provider = context.provider
    provider.connect()
    images = provider.snapshot_images(name)
    with (
        context.progress.step("Snapshot") as step,
        snapshot_store.adding(context.paths, context.lab, name, provider.engine_kind, images) as snapshot,
    ):
        provider.snapshot_save(snapshot, step)
    pause.step_clocks(context)
    return snapshot


def check_restore(paths: LabPaths, name: str) -> LabContext:
    """The lab as it is to be. Raises BadInput when the snapshot cannot be restored here; nothing is changed."""
    snapshot = snapshot_store.get(paths, name)
    context = LabContext.of(snapshot_store.described(paths, snapshot), paths)
    if paths.made.is_file():
        _check_made(paths, context.lab, snapshot)
    else:
        preflight(context).check(paths)
    context.provider.snapshot_check(snapshot)
    return context


def _check_made(paths: LabPaths, lab: Lab, snapshot: Snapshot) -> None:
    """Refuse to turn the nodes that exist into a lab of another kind, whose name or network may be taken."""
    before, then = records.read(paths), records.facts(lab, snapshot.engine)
    changes = [
        f"{key} was {then[key]} then, is {before[key]} now"
        for key in (*records.FIXED, "engine")
        if before.get(key, then[key]) != then[key]
    ]
    if changes:
        raise BadInput(
            f"Snapshot {snapshot.name!r} is of a different lab than the one that exists: {'; '.join(changes)}",
            "`labctl destroy --keep-snapshots` removes that first. Nothing was changed.",
        )


def restore(context: LabContext, name: str) -> float:
    """Bring the lab back to a snapshot. Returns the seconds until every service has reported since then.

    context is what check_restore() returned.
    """
    start = time.monotonic()
    snapshot = snapshot_store.get(context.paths, name)
    context.provider.connect()

    def put_back(step: Step) -> None:
        fingerprint.forget(context.paths)
        replaced = snapshot_store.put_back(context.paths, snapshot)
        if replaced is not None:
            step.note(f"lab.yaml is as it was then; what it said before is in {replaced}")
        note(context)

    since = context.provider.snapshot_restore(
        snapshot, context.progress, put_back, lambda: readiness.wait_for_conductor(context)
    )
    pause.step_clocks(context)
    with context.progress.step("Reports of all services"):
        readiness.wait_for_all(context, since)
    return time.monotonic() - start


def note(context: LabContext) -> None:
    """Enter the lab into the register and the records, before its nodes are made."""
    registry.remember(context.paths, context.lab)
    records.remember(context.paths, context.lab, context.provider.engine_kind)


def check_delete(context: LabContext, name: str) -> None:
    """Raise BadInput when there is no such snapshot; one that is damaged can be removed."""
    snapshot_store.check_name(name)
    if not (context.paths.snapshots / name).is_dir():
        snapshot_store.get(context.paths, name)
    context.provider.connect()


def delete(context: LabContext, name: str) -> None:
    """Remove a snapshot. Nodes that were restored from it go on, and keep what they need of its images."""
    with context.progress.step("Snapshot removed") as step:
        context.provider.snapshot_delete(name, lambda: snapshot_store.forget(context.paths, name), step.detail)
