"""Nodes that are system containers, made by Vagrant's docker provider with Podman or Docker Engine."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

from labctl.ansible import inventory
from labctl.errors import BadInput, LabError
from labctl.lab import secrets as lab_secrets
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.lab.snapshot_store import Snapshot
from labctl.providers import (
    containers,
    engine,
    host_packages,
    image_overrides,
    inotify_limit,
    node_images,
    snapshot_images,
    vagrant,
)
from labctl.providers.base import HostRequirement, Report
from labctl.providers.containers import Container
from labctl.providers.description import describe
from labctl.providers.engine import Engine
from labctl.providers.node_state import NodeState, NodeStatus
from labctl.providers.vagrant import Machines
from labctl.remote import access, ssh
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress, Step

# What Vagrant can deal with. HALF_MADE comes from an engine's interrupted start.
_SOUND = (NodeState.RUNNING, NodeState.STOPPED, NodeState.LOST)
_TRIES, _PAUSE_AGAIN = 20, 0.25  # seconds between two


class ContainerNodes:
    """The nodes of a lab as containers; see Provider."""

    keeps_snapshots = True
    clocks_stop = False

    def __init__(self, lab: Lab, paths: LabPaths) -> None:
        self._lab = lab
        self._paths = paths

    @cached_property
    def _found(self) -> Engine | LabError:
        try:
            return engine.find(self._lab.engine, self._paths)
        except LabError as error:
            return error

    @cached_property
    def _installed(self) -> Engine:
        if isinstance(self._found, LabError):
            raise self._found
        return engine.install(self._found, self._paths)

    @property
    def _engine(self) -> Engine:
        """The engine, to look. Raises LabError when none works."""
        if isinstance(self._found, LabError):
            raise self._found
        return self._installed if "_installed" in self.__dict__ else self._found

    @property
    def engine_kind(self) -> str | None:
        return None if isinstance(self._found, LabError) else self._found.kind

    @property
    def environment(self) -> Mapping[str, str]:
        return self._installed.environment

    def require_engine(self, purpose: str) -> Engine:  # noqa: ARG002 (see Provider)
        return self._engine

    def engines(self) -> list[Engine]:
        return [] if isinstance(self._found, LabError) else [self._found]

    def requirements(self) -> list[HostRequirement]:
        return host_packages.for_containers(self._lab)

    def check_room(self, nodes: int) -> None:
        inotify_limit.check(nodes)

    def connect(self) -> None:
        # It may have been installed since it was looked for.
        if isinstance(self._found, LabError):
            del self._found
        _ = self._installed

    def states(self) -> dict[str, NodeStatus]:
        if not self._paths.state.is_dir():
            return {node.name: NodeStatus(NodeState.NOT_CREATED) for node in self._lab.nodes}
        try:
            found = {container.name: container for container in self.own()}
        except LabError as error:
            return {node.name: NodeStatus(NodeState.UNKNOWN, problem=error.message) for node in self._lab.nodes}
        return {node.name: _status(found.get(self._lab.container(node))) for node in self._lab.nodes}

    def present(self) -> dict[str, NodeState]:
        if isinstance(self._found, LabError):
            return vagrant.known_machines(self._lab, self._paths)
        prefix = f"{self._lab.container_prefix}-"
        return {item.name.removeprefix(prefix): item.state for item in self.own()}

    def own(self) -> list[Container]:
        """The containers of this lab's nodes, whether lab.yaml still describes them or not."""
        found = containers.find(self._engine, prefix=self._lab.container_prefix, paths=self._paths)
        return [item for item in found if item.directory == str(self._paths.directory)]

    def make_keys(self) -> None:
        lab_secrets.ensure_ssh_key(self._paths)

    def prepare(self, progress: Progress, *, by_vagrant: bool) -> tuple[str, ...]:
        lab, made_by = self._lab, self._installed
        with progress.step("Network") as step:
            step.note(f"{lab.network_name} {lab.network}")
            made_by.ensure_network(lab.network_name, lab.network, labels=containers.marks(self._paths))
        idle = self.recover(progress.write, by_vagrant=by_vagrant)
        if idle:
            present = {container.name for container in self.own()}
            given = image_overrides.own(lab, self._paths, made_by)
            new = [node for node in lab.nodes if node.name not in given and lab.container(node) not in present]
            groups = {node.group for node in new}
            node_images.ensure(lab, made_by, self._paths, progress, groups=groups, network=lab.network_name)
        return tuple(idle)

    def recover(self, report: Report, *, by_vagrant: bool = False) -> list[str]:
        """Make Vagrant's notes and the engine's containers agree. Returns the names of the nodes that do not run.

        Vagrant notes the container's id after `docker run`: a run that is killed in between leaves a container that
        Vagrant does not know and whose name it cannot use again, or the note "preparing". Such a container is new and
        empty. Where a Vagrant is running, it has read its notes: then only the containers are put right.
        Raises LabError when the engine has lost a container for good: what it holds is not thrown away.
        """
        lab, paths = self._lab, self._paths
        found = {container.name: container for container in self._without_lost(report)}
        idle = []
        for node in lab.nodes:
            container = found.get(lab.container(node))
            state = container.state if container else NodeState.NOT_CREATED
            known = vagrant.machine_id(paths, node.name, lab.provider)
            if container is not None and state is NodeState.PAUSED:
                self._installed.run("unpause", container.id)
                report(f"{node.name}: was paused, now runs again")
                state = NodeState.RUNNING
            if container is not None and (container.id != known or state not in _SOUND):
                report(f"{node.name}: an interrupted run left the container half-made; removed")
                self._installed.run("rm", "--force", "--volumes", container.id)
                state = NodeState.NOT_CREATED
            if state is NodeState.NOT_CREATED and known is not None and not by_vagrant:
                vagrant.forget(paths, node.name, lab.provider)
            if state is not NodeState.RUNNING:
                idle.append(node.name)
        return idle

    def _without_lost(self, report: Report) -> list[Container]:
        """The containers, after lost ones were stopped, by which newer Podman (5.1) sees that they do not run."""
        own = self.own()
        lost = [container for container in own if container.state is NodeState.LOST]
        for container in lost:
            report(f"{container.name}: its processes are gone and Podman says that it runs; stopped")
            with contextlib.suppress(LabError):
                self._installed.run("stop", "--time", "0", container.id)
        own = self.own() if lost else own
        if still := [container.name for container in own if container.state is NodeState.LOST]:
            raise LabError(
                f"Podman takes {', '.join(still)} for running, though its processes were killed, and can neither stop "
                "nor start it",
                "After a reboot of this machine Podman knows better, and `labctl up` continues with everything that "
                "the nodes hold. Without a reboot, `labctl destroy` and `labctl up` rebuild the lab.",
            )
        return own

    def up(self, names: Sequence[str], report: Report) -> None:
        self._machines(report).up(names)

    def ssh_hosts(self) -> dict[str, SshHost]:
        return access.of_containers(self._lab, self._paths)

    def halt(self, step: Step) -> None:
        machines = self._machines(step.detail)
        self.recover(step.note)
        machines.halt()

    def remove(self, node: Node, report: Report) -> None:  # noqa: ARG002 (see Provider)
        _remove([own for own in self.own() if own.name == self._lab.container(node)], self._installed)
        vagrant.forget_node(self._paths, node.name, self._lab.provider)

    def destroy(self, report: Report) -> list[str]:
        """Containers go first and at once; Vagrant then finds them gone and forgets them."""
        own = [] if isinstance(self._found, LabError) else self.own()
        for container in own:
            report(f"removing {container.name}")
        if own:
            _remove(own, self._installed)
        if (self._paths.dotfile / "machines").is_dir() and shutil.which("vagrant"):
            self._machines(report).destroy()
        shutil.rmtree(self._paths.dotfile, ignore_errors=True)
        return [container.name for container in own]

    def remove_leftovers(self, progress: Progress, *, keep_snapshots: bool) -> list[str]:  # noqa: ARG002
        if isinstance(self._found, LabError):
            return []
        with progress.step("Network") as step:
            own = [item.name for item in self._engine.networks() if item.directory == str(self._paths.directory)]
            for name in own:
                step.note(name)
                self._engine.remove_network(name)
        self._paths.node_images.unlink(missing_ok=True)
        snapshot_images.prune(self._engine, self._paths)
        return own

    def pause(self, step: Step) -> None:
        self._hold(self._described)
        step.note(f"{len(self._lab.nodes)} nodes")

    def resume(self, step: Step) -> bool:
        held = self._release(self._described())
        step.note(f"{held} nodes" if held else "none was paused")
        return bool(held)

    def _described(self) -> list[Container]:
        names = {self._lab.container(node) for node in self._lab.nodes}
        return [item for item in self.own() if item.name in names]

    def _hold(self, look: Callable[[], Sequence[Container]]) -> None:
        """Pause the containers of look() that run, in one call: what one node knows of another is of one moment.

        runc gives up where processes come and go all the time, as while a node boots ("unable to freeze", cgroup v1),
        and the next try succeeds. Raises LabError with the engine's own words when none of many does.
        """
        for left in reversed(range(_TRIES)):
            running = [item.id for item in look() if item.state is NodeState.RUNNING]
            if not running:
                return
            try:
                self._installed.run("pause", *running)
            except LabError:
                if not left:
                    raise
                time.sleep(_PAUSE_AGAIN)
            else:
                return

    def _release(self, nodes: Sequence[Container]) -> int:
        """Unpause the containers that are paused. Returns how many there were."""
        held = [item.id for item in nodes if item.state is NodeState.PAUSED]
        if held:
            self._installed.run("unpause", *held)
        return len(held)

    @contextlib.contextmanager
    def _held(self, step: Step) -> Iterator[dict[str, Container]]:
        """The containers of the lab by name, held still meanwhile; those that were paused before stay so."""
        nodes = self._described()
        running = {item.id for item in nodes if item.state is NodeState.RUNNING}
        start = time.monotonic()
        try:
            self._hold(self._described)
            yield {item.name: item for item in nodes}
        finally:
            if self._release([item for item in self._described() if item.id in running]):
                step.note(f"the nodes stood still for {time.monotonic() - start:.1f} s")

    def snapshot_images(self, name: str) -> dict[str, str]:
        return {
            node.name: snapshot_images.reference(self._lab, self._paths, name, node.name) for node in self._lab.nodes
        }

    def snapshot_save(self, snapshot: Snapshot, step: Step) -> None:
        with self._held(step) as nodes:
            wanted = {snapshot.images[node.name]: nodes[self._lab.container(node)].id for node in self._lab.nodes}
            snapshot_images.make(self._installed, self._paths, wanted)

    def snapshot_check(self, snapshot: Snapshot) -> None:
        kind = self._engine.kind
        if kind != snapshot.engine:
            raise BadInput(
                f"Snapshot {snapshot.name!r} is in the engine {snapshot.engine}, and the lab's is {kind} now"
            )
        lost = [node for node, image in snapshot.images.items() if not self._engine.has_image(image)]
        if lost:
            raise BadInput(
                f"Images of snapshot {snapshot.name!r} are gone from {kind}: {', '.join(lost)}; nothing was changed",
                f"`labctl snapshot delete {snapshot.name}` removes the rest of it.",
            )
        present = len(containers.find(self._engine, prefix=self._lab.container_prefix, paths=self._paths))
        self.check_room(max(0, len(self._lab.nodes) - present))

    def snapshot_restore(
        self, snapshot: Snapshot, progress: Progress, put_back: Callable[[Step], None], conductor: Callable[[], None]
    ) -> float | None:
        with progress.step("Nodes removed") as step:
            self.remove_containers()
            put_back(step)
        since = self.start_from(snapshot.images, progress, conductor)
        snapshot_images.prune(self._installed, self._paths)
        return since

    def remove_containers(self) -> None:
        """Remove the lab's containers at once, and Vagrant's notes of them."""
        snapshot_images.at_once(lambda item: _remove([item], self._installed), self.own())
        for node in (self._paths.dotfile / "machines").glob("*"):
            vagrant.forget(self._paths, node.name, self._lab.provider)

    def snapshot_delete(self, name: str, forget: Callable[[], None], report: Report) -> None:  # noqa: ARG002
        forget()
        snapshot_images.prune(self._installed, self._paths)

    def start_from(self, images: Mapping[str, str], progress: Progress, conductor: Callable[[], None]) -> float:
        """Until the conductor answers, the computes are held: they would ask it in vain, and compete with it."""
        lab, paths, made_by = self._lab, self._paths, self._installed
        since = time.time()
        image_overrides.note(paths, images)
        made_by.ensure_network(lab.network_name, lab.network, labels=containers.marks(paths))
        hosts = self.ssh_hosts()
        inventory.write(lab, paths, hosts)
        with progress.step("Nodes") as step:
            self.up([node.name for node in lab.nodes], step.detail)
            # They have booted for a second or two, and their nova-compute is not yet so far as to ask.
            computes = {lab.container(node) for node in lab.computes}
            self._hold(lambda: [item for item in self.own() if item.name in computes])
        with progress.step("Conductor"):
            try:
                ssh.wait_for_ssh({lab.controller.name: hosts[lab.controller.name]})
                conductor()
            finally:
                self._release(self._described())
        with progress.step("Computes"):
            ssh.wait_for_ssh(hosts)
        return since

    def describe(self, node: Node) -> dict[str, Any]:
        described: dict[str, Any] = {"ssh": asdict(access.of_container(node, self._paths))}
        if isinstance(self._found, LabError):
            return described
        arguments = self._found.node_arguments(self._lab.network_name, node.address, self._paths.ssh_public_key)
        return {
            **described,
            "image": image_overrides.reference(self._lab, self._paths, self._found, node),
            "create_args": [*arguments, *containers.labels(self._paths)],
        }

    def _machines(self, report: Report) -> Machines:
        environment = self.environment
        document = describe(self._lab, self._paths, self, environment)
        return Machines(self._lab, self._paths, environment, report, document)


def _status(container: Container | None) -> NodeStatus:
    if container is None:
        return NodeStatus(NodeState.NOT_CREATED)
    # No engine says since when a container is paused.
    return NodeStatus(container.state, None if container.state is NodeState.PAUSED else container.since)


def _remove(own: Sequence[Container], made_by: Engine) -> None:
    """All at once: nobody needs a clean end of what is thrown away."""
    awake = [item.id for item in own if item.state in (NodeState.RUNNING, NodeState.PAUSED)]
    if awake:
        # One has ended meanwhile, or Docker Engine wants paused ones awake; `rm --force` is enough, only slower.
        with contextlib.suppress(LabError):
            made_by.run("kill", *awake)
    if own:
        made_by.run("rm", "--force", "--volumes", *(item.id for item in own))
