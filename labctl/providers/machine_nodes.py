"""Nodes that are virtual machines, made by Vagrant with libvirt or VirtualBox."""

import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labctl.ansible import inventory
from labctl.errors import BadInput, LabError
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.lab.snapshot_store import Snapshot
from labctl.providers import host_packages, vagrant
from labctl.providers.base import HostRequirement, Report, not_in_containers
from labctl.providers.description import describe
from labctl.providers.engine import Engine
from labctl.providers.node_state import NodeState, NodeStatus, node_state
from labctl.providers.vagrant import Machines
from labctl.remote import access
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress, Step

_KNOCK_SECONDS = 1.0


def _nothing(line: str) -> None:
    """A report that nobody reads."""


class MachineNodes:
    """The nodes of a lab as virtual machines; see Provider."""

    keeps_snapshots = False
    clocks_stop = True
    engine_kind: str | None = None
    environment: Mapping[str, str] = {}

    def __init__(self, lab: Lab, paths: LabPaths) -> None:
        self._lab = lab
        self._paths = paths

    def require_engine(self, purpose: str) -> Engine:
        raise not_in_containers(purpose, self._lab.provider)

    def engines(self) -> list[Engine]:
        return []

    def requirements(self) -> list[HostRequirement]:
        return host_packages.for_machines(self._lab)

    def check_room(self, nodes: int) -> None:
        """Vagrant's providers say so themselves."""

    def connect(self) -> None:
        """There is nothing between labctl and Vagrant."""

    def states(self) -> dict[str, NodeStatus]:
        """Vagrant, which takes seconds, is asked only where a node does not answer."""
        lab = self._lab
        if not (self._paths.dotfile / "machines").is_dir():
            return {node.name: NodeStatus(NodeState.NOT_CREATED) for node in lab.nodes}
        noted = access.known(self._paths)
        if all(node.name in noted and _knock(noted[node.name]) for node in lab.nodes):
            return {node.name: NodeStatus(NodeState.RUNNING) for node in lab.nodes}
        try:
            said = self._machines(_nothing).states()
        except LabError as error:
            return {node.name: NodeStatus(NodeState.UNKNOWN, problem=error.message) for node in lab.nodes}
        return {node.name: NodeStatus(node_state(said.get(node.name, ""))) for node in lab.nodes}

    def present(self) -> dict[str, NodeState]:
        return vagrant.known_machines(self._lab, self._paths)

    def make_keys(self) -> None:
        """Vagrant makes a key for each machine."""

    def prepare(self, progress: Progress, *, by_vagrant: bool) -> tuple[str, ...]:  # noqa: ARG002 (see Provider)
        """Vagrant knows which machines run; all are named."""
        return tuple(node.name for node in self._lab.nodes)

    def up(self, names: Sequence[str], report: Report) -> None:
        self._machines(report).up(names)

    def ssh_hosts(self) -> dict[str, SshHost]:
        return self._machines(_nothing).ssh_hosts()

    def halt(self, step: Step) -> None:
        self._machines(step.detail).halt()

    def remove(self, node: Node, report: Report) -> None:
        if vagrant.machine_id(self._paths, node.name, self._lab.provider) is not None:
            self._machines(report).destroy(node.name)
        vagrant.forget_node(self._paths, node.name, self._lab.provider)

    def destroy(self, report: Report) -> list[str]:
        if (self._paths.dotfile / "machines").is_dir() and shutil.which("vagrant"):
            self._machines(report).destroy()
        shutil.rmtree(self._paths.dotfile, ignore_errors=True)
        return []

    def remove_leftovers(self, progress: Progress, *, keep_snapshots: bool) -> list[str]:  # noqa: ARG002
        return []

    def pause(self, step: Step) -> None:
        self._machines(step.detail).suspend()

    def resume(self, step: Step) -> bool:
        self._machines(step.detail).resume()
        return True

    def snapshot_images(self, name: str) -> dict[str, str]:  # noqa: ARG002 (see Provider)
        return {}

    def snapshot_save(self, snapshot: Snapshot, step: Step) -> None:
        machines = self._machines(step.detail)
        machines.suspend()
        machines.snapshot_save(snapshot.name)
        machines.resume()

    def snapshot_check(self, snapshot: Snapshot) -> None:
        if snapshot.name not in self._machines(_nothing).snapshots():
            name = snapshot.name
            raise BadInput(f"Vagrant does not know the snapshot {name!r} of the lab's machines; nothing was changed")

    def snapshot_restore(
        self,
        snapshot: Snapshot,
        progress: Progress,
        put_back: Callable[[Step], None],
        conductor: Callable[[], None],  # noqa: ARG002 (see Provider)
    ) -> float | None:
        with progress.step("Nodes") as step:
            machines = self._machines(step.detail)
            machines.snapshot_restore(snapshot.name)
            put_back(step)
            machines.up([node.name for node in self._lab.nodes])
            inventory.write(self._lab, self._paths, machines.ssh_hosts())
        return None

    def snapshot_delete(self, name: str, forget: Callable[[], None], report: Report) -> None:
        machines = self._machines(report)
        if name in machines.snapshots():
            machines.snapshot_delete(name)
        forget()

    def start_from(self, images: Mapping[str, str], progress: Progress, conductor: Callable[[], None]) -> float:  # noqa: ARG002
        raise not_in_containers("Making nodes from images", self._lab.provider)

    def describe(self, node: Node) -> dict[str, Any]:  # noqa: ARG002 (see Provider)
        return {}

    def _machines(self, report: Report) -> Machines:
        environment = self.environment
        document = describe(self._lab, self._paths, self, environment)
        return Machines(self._lab, self._paths, environment, report, document)


def _knock(host: SshHost) -> bool:
    """Whether something answers at the port of ssh."""
    try:
        with socket.create_connection((host.host, host.port), timeout=_KNOCK_SECONDS):
            return True
    except OSError:
        return False
