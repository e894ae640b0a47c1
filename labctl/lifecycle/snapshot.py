"""Snapshots of a lab: the state of all nodes at one moment, kept, restored and removed.

Of containers each node becomes an image of the engine, made while all of them are held still. Virtual machines have
snapshots of their own, through Vagrant.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping

from labctl.ansible import inventory
from labctl.errors import BadInput, LabError
from labctl.lab import fingerprint, records, registry, snapshot_store
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.lab.snapshot_store import Snapshot
from labctl.lifecycle import pause, readiness
from labctl.lifecycle.operations import engine_of, preflight
from labctl.providers import containers, image_overrides, inotify_limit, snapshot_images, vagrant
from labctl.providers.containers import Container
from labctl.providers.engine import Engine
from labctl.providers.vagrant import Machines
from labctl.remote import access, ssh
from labctl.ui.progress import Progress, Step


def check_save(lab: Lab, paths: LabPaths, name: str) -> None:
    """Refuse a name that is bad or in use, and a lab that does not run. Raises BadInput; nothing is changed."""
    snapshot_store.check_name(name)
    if any(snapshot.name == name for snapshot in snapshot_store.every(paths)):
        raise BadInput(
            f"There is a snapshot {name!r} already; nothing was changed",
            f"Choose another name, or remove it with `labctl snapshot delete {name}`.",
        )
    pause.preflight(lab, paths)


def save(lab: Lab, paths: LabPaths, name: str, progress: Progress) -> Snapshot:
    """Keep the state of all nodes, and the lab's own files beside it. Nodes that were paused stay so."""
    engine = engine_of(lab, paths)
    tags = {node.name: snapshot_images.reference(lab, paths, name, node.name) for node in lab.nodes} if engine else {}
    kind = engine.kind if engine else None
    with progress.step("Snapshot") as step, snapshot_store.adding(paths, lab, name, kind, tags) as snapshot:
        if engine is None:
            machines = Machines(lab, paths, {}, step.detail)
            machines.suspend()
            machines.snapshot_save(name)
            machines.resume()
        else:
            with _held(engine, lab, paths, step) as nodes:
                wanted = {tags[node.name]: nodes[lab.container(node)].id for node in lab.nodes}
                snapshot_images.make(engine, paths, wanted)
    if engine is None:
        pause.step_clocks(lab, paths, progress)
    return snapshot


def check_restore(paths: LabPaths, name: str) -> Lab:
    """The lab as it is to be. Raises BadInput when the snapshot cannot be restored here; nothing is changed."""
    snapshot = snapshot_store.get(paths, name)
    lab = snapshot_store.described(paths, snapshot)
    if paths.made.is_file():
        _check_made(paths, lab, snapshot)
    else:
        preflight(lab, paths).check(paths)
    engine = engine_of(lab, paths)
    if engine is None:
        if name not in Machines(lab, paths, {}, lambda _: None).snapshots():
            raise BadInput(f"Vagrant does not know the snapshot {name!r} of the lab's machines; nothing was changed")
        return lab
    if engine.kind != snapshot.engine:
        raise BadInput(f"Snapshot {name!r} is in the engine {snapshot.engine}, and the lab's is {engine.kind} now")
    lost = [node for node, image in snapshot.images.items() if not engine.has_image(image)]
    if lost:
        raise BadInput(
            f"The images of snapshot {name!r} are gone from {engine.kind}: {', '.join(lost)}; nothing was changed",
            f"`labctl snapshot delete {name}` removes the rest of it.",
        )
    present = len(containers.find(engine, prefix=lab.container_prefix, paths=paths))
    inotify_limit.check(max(0, len(lab.nodes) - present))
    return lab


def _check_made(paths: LabPaths, lab: Lab, snapshot: Snapshot) -> None:
    """Refuse to turn the nodes that are there into a lab of another kind, whose name or network may be taken."""
    before, then = records.read(paths), records.facts(lab, snapshot.engine)
    changes = [
        f"{key} was {then[key]} then, is {before[key]} now"
        for key in (*records.FIXED, "engine")
        if before.get(key, then[key]) != then[key]
    ]
    if changes:
        raise BadInput(
            f"Snapshot {snapshot.name!r} is of another lab than the one that is there: {'; '.join(changes)}",
            "`labctl destroy --keep-snapshots` removes that first. Nothing was changed.",
        )


def restore(lab: Lab, paths: LabPaths, name: str, progress: Progress) -> float:
    """Bring the lab back to a snapshot. Returns the seconds until every service has reported since then.

    lab is what check_restore() returned.
    """
    start = time.monotonic()
    snapshot = snapshot_store.get(paths, name)
    engine = engine_of(lab, paths)
    if engine is None:
        with progress.step("Nodes") as step:
            machines = Machines(lab, paths, {}, step.detail)
            machines.snapshot_restore(name)
            _put_back(paths, snapshot, step)
            machines.up([node.name for node in lab.nodes])
            inventory.write(lab, paths, machines.ssh_hosts())
        pause.step_clocks(lab, paths, progress)
        since = None
    else:
        with progress.step("Nodes removed") as step:
            remove_nodes(engine, lab, paths)
            _put_back(paths, snapshot, step)
        since = bring_up(engine, lab, paths, snapshot.images, progress)
        snapshot_images.prune(engine, paths)
    with progress.step("Reports of all services"):
        readiness.wait_for_all(lab, paths, since)
    return time.monotonic() - start


def bring_up(engine: Engine, lab: Lab, paths: LabPaths, images: Mapping[str, str], progress: Progress) -> float:
    """Make the nodes from images of finished ones. Returns when that began (epoch, seconds).

    Until the conductor answers, the computes are held: they would ask it in vain, and the processors are the
    controller's.
    """
    since = time.time()
    registry.remember(paths, lab)
    records.remember(paths, lab, engine.kind)
    image_overrides.note(paths, images)
    engine.ensure_network(lab.network_name, lab.network, labels=containers.marks(paths))
    hosts = access.of_containers(lab, paths)
    inventory.write(lab, paths, hosts)
    with progress.step("Nodes") as step:
        Machines(lab, paths, engine.environment, step.detail).up([node.name for node in lab.nodes])
        _hold_computes(engine, lab, paths)
    with progress.step("Conductor"):
        try:
            ssh.wait_for_ssh({lab.controller.name: hosts[lab.controller.name]})
            readiness.wait_for_conductor(lab, paths)
        finally:
            pause.release(engine, pause.own(engine, lab, paths))
    with progress.step("Computes"):
        ssh.wait_for_ssh(hosts)
    return since


def _hold_computes(engine: Engine, lab: Lab, paths: LabPaths) -> None:
    """They have booted for a second or two, and their nova-compute is not yet so far as to ask."""
    computes = {lab.container(node) for node in lab.computes}
    pause.hold(engine, lambda: [item for item in pause.own(engine, lab, paths) if item.name in computes])


def check_delete(lab: Lab, paths: LabPaths, name: str) -> None:
    """Raise BadInput when there is no such snapshot; one that is damaged can be removed."""
    snapshot_store.check_name(name)
    if not (paths.snapshots / name).is_dir():
        snapshot_store.get(paths, name)
    engine_of(lab, paths)


def delete(lab: Lab, paths: LabPaths, name: str, progress: Progress) -> None:
    """Remove a snapshot. Nodes that were restored from it go on, and keep what they need of its images."""
    engine = engine_of(lab, paths)
    with progress.step("Snapshot removed") as step:
        if engine is None:
            machines = Machines(lab, paths, {}, step.detail)
            if name in machines.snapshots():
                machines.snapshot_delete(name)
        snapshot_store.forget(paths, name)
        if engine is not None:
            snapshot_images.prune(engine, paths)


def remove_nodes(engine: Engine, lab: Lab, paths: LabPaths) -> None:
    """Remove the lab's containers at once, and Vagrant's memory of them."""
    found = containers.find(engine, prefix=lab.container_prefix, paths=paths)
    mine = [item for item in found if item.directory == str(paths.directory)]
    snapshot_images.at_once(lambda item: _remove(engine, item), mine)
    for node in (paths.dotfile / "machines").glob("*"):
        vagrant.forget(paths, node.name, "docker")


def _remove(engine: Engine, item: Container) -> None:
    if item.state in ("running", "paused"):
        with contextlib.suppress(LabError):  # Docker Engine wants it awake for that; `rm --force` is enough
            engine.run("kill", item.id)
    engine.run("rm", "--force", "--volumes", item.id)


def _put_back(paths: LabPaths, snapshot: Snapshot, step: Step) -> None:
    fingerprint.forget(paths)
    replaced = snapshot_store.put_back(paths, snapshot)
    if replaced is not None:
        step.note(f"lab.yaml is as it was then; what it said before is in {replaced}")


@contextlib.contextmanager
def _held(engine: Engine, lab: Lab, paths: LabPaths, step: Step) -> Iterator[dict[str, Container]]:
    """The containers of the lab by name, held still meanwhile; those that were before stay so."""
    nodes = pause.own(engine, lab, paths)
    running = {item.id for item in nodes if item.state == "running"}
    start = time.monotonic()
    try:
        pause.hold(engine, lambda: pause.own(engine, lab, paths))
        yield {item.name: item for item in nodes}
    finally:
        held = [item for item in pause.own(engine, lab, paths) if item.id in running]
        if pause.release(engine, held):
            step.note(f"the nodes stood still for {time.monotonic() - start:.1f} s")
