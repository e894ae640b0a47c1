"""Nodes that are system containers, created by Vagrant's docker provider with Podman or Docker Engine."""

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

from labctl.ansible import inventory
from labctl.errors import BadInput, LabError
from labctl.lab import secrets as lab_secrets
from labctl.lab.model import Node
from labctl.lab.snapshot_store import Snapshot
from labctl.providers import containers, engine, host_packages, inotify_limit, node_images, snapshot_images, vagrant
from labctl.providers.base import HostRequirement, Report
from labctl.providers.containers import Container
from labctl.providers.engine import Engine
from labctl.providers.node_state import NodeState, NodeStatus
from labctl.providers.vagrant import VagrantNodes
from labctl.remote import access, ssh
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress, Step

# What Vagrant can deal with. HALF_MADE comes from an engine's interrupted start.
_SOUND = (NodeState.RUNNING, NodeState.STOPPED, NodeState.LOST)
_PAUSE_TRIES, _PAUSE_INTERVAL = 20, 0.25  # seconds


class ContainerNodes(VagrantNodes):
    """The nodes of a lab as containers; see Provider."""

    keeps_snapshots = True
    clocks_stop = False

    @cached_property
    def _found(self) -> Engine | LabError:
        try:
            return engine.find(self._lab.engine, self._paths)
        except LabError as error:
            return error

    @cached_property
    def _installed(self) -> Engine:
        return engine.install(self._engine, self._paths)

    @property
    def _engine(self) -> Engine:
        """The engine, to look: nothing is written for it. Raises LabError if none works."""
        if "_installed" in self.__dict__:
            return self._installed
        if isinstance(self._found, LabError):
            raise self._found
        return self._found

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
        states = self._all(NodeState.NOT_CREATED)
        if not self._paths.state.is_dir():
            return states
        try:
            found = self._described()
        except LabError as error:
            return self._all(NodeState.UNKNOWN, error.message)
        for item in found:
            # No engine says since when a container is paused.
            since = None if item.state is NodeState.PAUSED else item.since
            states[self._node_name(item)] = NodeStatus(item.state, since)
        return states

    def present(self) -> dict[str, NodeState]:
        if isinstance(self._found, LabError):
            return super().present()
        return {self._node_name(item): item.state for item in self.own()}

    def _node_name(self, container: Container) -> str:
        return container.name.removeprefix(f"{self._lab.container_prefix}-")

    def own(self) -> list[Container]:
        """The containers of this lab's nodes, in lab.yaml or not."""
        found = containers.find(self._engine, prefix=self._lab.container_prefix, paths=self._paths)
        return [item for item in found if item.directory == str(self._paths.directory)]

    def make_keys(self) -> None:
        lab_secrets.ensure_ssh_key(self._paths)

    def prepare(self, progress: Progress, *, by_vagrant: bool) -> tuple[str, ...]:
        lab, paths, engine_ = self._lab, self._paths, self._installed
        with progress.step("Network") as step:
            step.note(f"{lab.network_name} {lab.network}")
            containers.ensure_network(engine_, lab, paths)
        idle = self.recover(progress.write, by_vagrant=by_vagrant)
        if idle:
            present = {container.name for container in self.own()}
            new = [node for node in lab.nodes if lab.container(node) not in present]
            groups = {node.group for node in new if not snapshot_images.own(paths, engine_, node.name)}
            node_images.ensure(lab, engine_, paths, progress, groups=groups, network=lab.network_name)
        return tuple(idle)

    def recover(self, report: Report, *, by_vagrant: bool = False) -> list[str]:
        """Make Vagrant's records and the engine's containers agree. Returns the names of the nodes that do not run.

        Vagrant records the container's id after `docker run`: a run that is killed in between leaves a container that
        Vagrant does not know and whose name it cannot use again, or the record "preparing". Such a container is new
        and empty. A running Vagrant has read its records already: then only containers are repaired.
        Raises LabError if the engine has lost a container for good: its contents are not thrown away.
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
                report(f"{node.name}: was paused, runs again")
                state = NodeState.RUNNING
            if container is not None and (container.id != known or state not in _SOUND):
                report(f"{node.name}: an interrupted run left an incomplete container; removed")
                self._installed.run("rm", "--force", "--volumes", container.id)
                state = NodeState.NOT_CREATED
            if state is NodeState.NOT_CREATED and known is not None and not by_vagrant:
                vagrant.forget(paths, node.name)
            if state is not NodeState.RUNNING:
                idle.append(node.name)
        return idle

    def _without_lost(self, report: Report) -> list[Container]:
        """The containers, after stopping lost ones, which shows newer Podman (5.1) that they do not run."""
        own = self.own()
        lost = [container for container in own if container.state is NodeState.LOST]
        for container in lost:
            report(f"{container.name}: its processes are gone, but Podman says that it runs; stopped")
            with contextlib.suppress(LabError):
                self._installed.run("stop", "--time", "0", container.id)
        own = self.own() if lost else own
        if still := [container.name for container in own if container.state is NodeState.LOST]:
            raise LabError(
                "Podman takes these for running, though their processes were killed, and can neither stop nor start "
                f"them: {', '.join(still)}",
                "Reboot this machine, then `labctl up` continues and nothing on the nodes is lost. Without a reboot, "
                "`labctl destroy` and `labctl up` rebuild the lab.",
            )
        return own

    def ssh_hosts(self) -> dict[str, SshHost]:
        return access.of_containers(self._lab, self._paths)

    def halt(self, step: Step) -> None:
        machines = self._machines(step.detail)
        self.recover(step.note)
        machines.run("halt")

    def remove(self, node: Node, report: Report) -> None:  # noqa: ARG002 (see Provider)
        containers.remove(self._installed, [own for own in self.own() if own.name == self._lab.container(node)])
        vagrant.forget(self._paths, node.name)

    def destroy(self, report: Report) -> list[str]:
        """Containers are removed first, all at once. Vagrant then finds that they are gone and forgets them."""
        own = [] if isinstance(self._found, LabError) else self.own()
        for container in own:
            report(f"removing {container.name}")
        if own:
            containers.remove(self._installed, own)
        self._destroy_machines(report)
        return [container.name for container in own]

    def remove_leftovers(self, progress: Progress) -> list[str]:
        if isinstance(self._found, LabError):
            return []
        with progress.step("Network") as step:
            directory, found = str(self._paths.directory), containers.networks(self._engine)
            own = [network.name for network in found if network.directory == directory]
            for name in own:
                step.note(name)
                self._engine.run("network", "rm", name)
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
        """Pause the running containers of look() in one call, so that their views of each other are of one moment.

        runc gives up where processes come and go all the time, as while a node boots ("unable to freeze", cgroup v1),
        but succeeds later. Raises LabError with the engine's own message if none of many tries succeeds.
        """
        for left in reversed(range(_PAUSE_TRIES)):
            running = [item.id for item in look() if item.state is NodeState.RUNNING]
            try:
                if running:
                    self._installed.run("pause", *running)
                return
            except LabError:
                if not left:
                    raise
                time.sleep(_PAUSE_INTERVAL)

    def _release(self, nodes: Sequence[Container]) -> int:
        """Resume the containers that are paused. Returns how many there were."""
        held = [item.id for item in nodes if item.state is NodeState.PAUSED]
        if held:
            self._installed.run("unpause", *held)
        return len(held)

    def snapshot_images(self, name: str) -> dict[str, str]:
        names = [node.name for node in self._lab.nodes]
        return {node: snapshot_images.reference(self._lab, self._paths, name, node) for node in names}

    def snapshot_save(self, snapshot: Snapshot, step: Step) -> None:
        """The nodes are paused meanwhile; those that were paused before stay so."""
        nodes = {item.name: item for item in self._described()}
        running = {item.id for item in nodes.values() if item.state is NodeState.RUNNING}
        start = time.monotonic()
        try:
            self._hold(self._described)
            wanted = {snapshot.images[node.name]: nodes[self._lab.container(node)].id for node in self._lab.nodes}
            self._installed.commit(wanted, "--change", f"LABEL {snapshot_images.label(self._paths)}")
        finally:
            if self._release([item for item in self._described() if item.id in running]):
                step.note(f"the nodes were paused for {time.monotonic() - start:.1f} s")

    def snapshot_check(self, snapshot: Snapshot) -> None:
        kind = self._engine.kind
        if kind != snapshot.engine:
            raise BadInput(
                f"Snapshot {snapshot.name!r} belongs to {snapshot.engine}, but the lab's engine is {kind} now"
            )
        if lost := [node for node, image in snapshot.images.items() if not self._engine.has_image(image)]:
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
            engine.at_once(lambda item: containers.remove(self._installed, [item]), self.own())
            shutil.rmtree(self._paths.dotfile / "machines", ignore_errors=True)
            put_back(step)
        since = self.start_from(snapshot.images, progress, conductor)
        snapshot_images.prune(self._installed, self._paths)
        return since

    def snapshot_delete(self, name: str, forget: Callable[[], None], report: Report) -> None:  # noqa: ARG002
        forget()
        snapshot_images.prune(self._installed, self._paths)

    def start_from(self, images: Mapping[str, str], progress: Progress, conductor: Callable[[], None]) -> float:
        """Until the conductor answers, computes are paused: they would ask it in vain, and compete with it."""
        lab, paths = self._lab, self._paths
        since = time.time()
        snapshot_images.note(paths, images)
        containers.ensure_network(self._installed, lab, paths)
        hosts = self.ssh_hosts()
        inventory.write(lab, paths, hosts)
        with progress.step("Nodes") as step:
            self.up([node.name for node in lab.nodes], step.detail)
            # They have booted for a second or two, and their nova-compute does not ask yet.
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
        own = snapshot_images.own(self._paths, self._found, node.name)
        return {
            **described,
            "image": own or node_images.reference(self._lab, node.group),
            "create_args": [*arguments, *containers.labels(self._paths)],
        }
