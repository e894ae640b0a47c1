"""Snapshots of a lab: save, restore and delete the state of all nodes at one moment.

Containers become images of the engine, made while all of them are paused. Virtual machines have Vagrant's snapshots.
"""

import time
from collections.abc import Mapping, Sequence

from labctl.ansible import services
from labctl.errors import BadInput, LabError
from labctl.lab import fingerprint, records, registry, snapshot_store
from labctl.lab.paths import LabPaths
from labctl.lab.snapshot_store import Snapshot
from labctl.lifecycle import pause
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.preflight import preflight
from labctl.remote.nodes import ask
from labctl.ui.progress import Step

_TIMEOUT = 120  # seconds, for the conductor and again for everything else; a busy machine takes half of it


def check_save(context: LabContext, name: str) -> None:
    """Refuse a name that is bad or in use, and a lab that does not run. Raises BadInput; nothing is changed."""
    snapshot_store.check_name(name)
    if any(snapshot.name == name for snapshot in snapshot_store.every(context.paths)):
        raise BadInput(
            f"There is a snapshot {name!r} already; nothing was changed",
            f"Choose a different name, or remove it with `labctl snapshot delete {name}`.",
        )
    pause.preflight(context)


def save(context: LabContext, name: str) -> Snapshot:
    """Save the state of all nodes, and the lab's own files with it. Nodes that were paused stay paused."""
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
    """The lab as it will be. Raises BadInput if the snapshot cannot be restored here; nothing is changed."""
    snapshot = snapshot_store.get(paths, name)
    context = LabContext.of(snapshot_store.described(paths, snapshot), paths)
    if not paths.made.is_file():
        preflight(context).check(paths)
    # Nodes that exist must not become a different lab, whose name or network may be taken.
    before, then = records.read(paths), records.facts(context.lab, snapshot.engine)
    keys = [key for key in (*records.FIXED, "engine") if before.get(key, then[key]) != then[key]]
    if keys:
        changes = "; ".join(f"{key} was {then[key]} then, is {before[key]} now" for key in keys)
        raise BadInput(
            f"Snapshot {snapshot.name!r} is of a different lab than the one that exists: {changes}",
            "`labctl destroy --keep-snapshots` removes that first. Nothing was changed.",
        )
    context.provider.snapshot_check(snapshot)
    return context


def restore(context: LabContext, name: str) -> float:
    """Restore the lab of check_restore(). Returns the seconds until every service has reported since then."""
    start = time.monotonic()
    snapshot = snapshot_store.get(context.paths, name)
    context.provider.connect()

    def put_back(step: Step) -> None:
        fingerprint.forget(context.paths)
        replaced = snapshot_store.put_back(context.paths, snapshot)
        if replaced is not None:
            step.note(f"lab.yaml is as it was then; the version from before is {replaced}")
        note(context)

    since = context.provider.snapshot_restore(snapshot, context.progress, put_back, lambda: wait_for_conductor(context))
    pause.step_clocks(context)
    wait_for_all(context, since)
    return time.monotonic() - start


def note(context: LabContext) -> None:
    """Register and record the lab, before its nodes are created."""
    registry.remember(context.paths, context.lab)
    records.remember(context.paths, context.lab, context.provider.engine_kind)


def check_delete(context: LabContext, name: str) -> None:
    """Raise BadInput if there is no such snapshot. A damaged one can be removed."""
    snapshot_store.check_name(name)
    if not (context.paths.snapshots / name).is_dir():
        snapshot_store.get(context.paths, name)
    context.provider.connect()


def delete(context: LabContext, name: str) -> None:
    """Remove a snapshot. Nodes that were restored from it keep running, and their images stay."""
    with context.progress.step("Snapshot removed") as step:
        context.provider.snapshot_delete(name, lambda: snapshot_store.forget(context.paths, name), step.detail)


def wait_for_conductor(context: LabContext) -> None:
    """Wait until the conductor answers computes. Raises LabError after two minutes.

    Before that, a compute gets no answer, and asks again only half a minute later.
    """
    _ask(context, {}, None, "The conductor does not start")


def wait_for_all(context: LabContext, since: float | None) -> None:
    """Wait until each service of Nova, and each of OVN's controllers, has reported since then.

    since is in seconds since the epoch, by the nodes' clock; None stands for now. Raises LabError with those that are
    missing after two minutes.
    """
    with context.progress.step("Reports of all services"):
        _ask(context, services.reporting(context.lab), since, "Not every service has reported since the restore")


def _ask(context: LabContext, wanted: Mapping[str, Sequence[str]], since: float | None, problem: str) -> None:
    lab, controller = context.lab, context.lab.controller
    network = lab.networking == "neutron"
    arguments = {"services": dict(wanted), "since": since, "timeout": _TIMEOUT, "network": network}
    answers = ask(lab, context.paths, [controller], "reports", lambda _: arguments, timeout=_TIMEOUT + 30)
    if not (answer := answers[controller.name]).ok:
        raise LabError(f"{problem}: {answer.problem}", "`labctl verify` says more; the nodes' journals say why.")
