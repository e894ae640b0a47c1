"""Nodes that are virtual machines, created by Vagrant with libvirt or VirtualBox."""

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from labctl.ansible import inventory
from labctl.errors import BadInput, LabError
from labctl.lab.model import Node
from labctl.lab.snapshot_store import Snapshot
from labctl.providers import host_packages, vagrant
from labctl.providers.base import HostRequirement, Report
from labctl.providers.engine import Engine
from labctl.providers.node_state import NodeState, NodeStatus, node_state
from labctl.providers.vagrant import VagrantNodes
from labctl.remote import access
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress, Step


class MachineNodes(VagrantNodes):
    """The nodes of a lab as virtual machines; see Provider."""

    keeps_snapshots = False
    clocks_stop = True
    engine_kind: str | None = None
    environment: Mapping[str, str] = {}

    def require_engine(self, purpose: str) -> NoReturn:
        provider = self._lab.provider
        raise BadInput(f"{purpose} needs nodes in containers, but the provider is {provider}; nothing was changed")

    def engines(self) -> list[Engine]:
        return []

    def requirements(self) -> list[HostRequirement]:
        return host_packages.for_machines(self._lab)

    def check_room(self, nodes: int) -> None:
        """Vagrant's providers check that themselves."""

    def connect(self) -> None:
        """No engine is involved."""

    def states(self) -> dict[str, NodeStatus]:
        """Vagrant, which takes seconds, is asked only if a node does not answer."""
        if not (self._paths.dotfile / "machines").is_dir():
            return self._all(NodeState.NOT_CREATED)
        noted = access.known(self._paths)
        if all(node.name in noted and _answers(noted[node.name]) for node in self._lab.nodes):
            return self._all(NodeState.RUNNING)
        try:
            said = self._machines().states()
        except LabError as error:
            return self._all(NodeState.UNKNOWN, error.message)
        return {node.name: NodeStatus(node_state(said.get(node.name, ""))) for node in self._lab.nodes}

    def make_keys(self) -> None:
        """Vagrant creates a key for each machine."""

    def prepare(self, progress: Progress, *, by_vagrant: bool) -> tuple[str, ...]:  # noqa: ARG002 (see Provider)
        """Vagrant knows which machines run, so all are named."""
        return tuple(node.name for node in self._lab.nodes)

    def ssh_hosts(self) -> dict[str, SshHost]:
        return self._machines().ssh_hosts()

    def halt(self, step: Step) -> None:
        self._machines(step.detail).run("halt")

    def remove(self, node: Node, report: Report) -> None:
        if vagrant.machine_id(self._paths, node.name, self._lab.provider) is not None:
            self._machines(report).run("destroy", vm_name=node.name)
        vagrant.forget(self._paths, node.name)

    def destroy(self, report: Report) -> list[str]:
        self._destroy_machines(report)
        return []

    def remove_leftovers(self, progress: Progress) -> list[str]:  # noqa: ARG002 (see Provider)
        return []

    def pause(self, step: Step) -> None:
        self._machines(step.detail).run("suspend")

    def resume(self, step: Step) -> bool:
        self._machines(step.detail).run("resume")
        return True

    def snapshot_images(self, name: str) -> dict[str, str]:  # noqa: ARG002 (see Provider)
        return {}

    def snapshot_save(self, snapshot: Snapshot, step: Step) -> None:
        machines = self._machines(step.detail)
        machines.run("suspend")
        machines.run("snapshot save", snapshot.name)
        machines.run("resume")

    def snapshot_check(self, snapshot: Snapshot) -> None:
        name = snapshot.name
        if name not in self._machines().snapshots():
            raise BadInput(f"Vagrant does not know the snapshot {name!r} of the lab's machines; nothing was changed")

    def snapshot_restore(
        self,
        snapshot: Snapshot,
        progress: Progress,
        put_back: Callable[[Step], None],
        conductor: Callable[[], None],  # noqa: ARG002
    ) -> float | None:
        with progress.step("Nodes") as step:
            machines = self._machines(step.detail)
            machines.run("snapshot restore", snapshot.name)
            put_back(step)
            machines.up([node.name for node in self._lab.nodes])
            inventory.write(self._lab, self._paths, machines.ssh_hosts())
        return None

    def snapshot_delete(self, name: str, forget: Callable[[], None], report: Report) -> None:
        machines = self._machines(report)
        if name in machines.snapshots():
            machines.run("snapshot delete", name)
        forget()

    def start_from(self, images: Mapping[str, str], progress: Progress, conductor: Callable[[], None]) -> float:  # noqa: ARG002
        self.require_engine("Creating nodes from images")

    def describe(self, node: Node) -> dict[str, Any]:  # noqa: ARG002 (see Provider)
        return {}


def _answers(host: SshHost) -> bool:
    """Whether something listens on the node's ssh port."""
    with contextlib.suppress(OSError), socket.create_connection((host.host, host.port), timeout=1.0):
        return True
    return False
