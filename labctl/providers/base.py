"""What every provider can do: the interface between the verbs and where the nodes of a lab run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from labctl.lab.model import Node
from labctl.lab.snapshot_store import Snapshot
from labctl.providers.engine import Engine
from labctl.providers.node_state import NodeState, NodeStatus
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress, Step

Report = Callable[[str], None]


@dataclass(frozen=True)
class HostRequirement:
    """A program that this machine needs, the Debian package that has it, and whether it is there."""

    program: str
    package: str
    there: bool


class Provider(Protocol):
    """Where the nodes of one lab run. Verbs never ask which provider it is.

    A method that changes something raises LabError with the provider's own message if it fails.
    """

    @property
    def engine_kind(self) -> str | None:
        """The engine's name in records, podman or docker; None for virtual machines, and if no engine works."""

    @property
    def keeps_snapshots(self) -> bool:
        """Whether snapshots can outlive the nodes."""

    @property
    def clocks_stop(self) -> bool:
        """Whether the clocks of paused nodes stand still."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables for programs that use the nodes' engine."""

    def require_engine(self, purpose: str) -> Engine:
        """The container engine. Raises BadInput for virtual machines, LabError if no engine works."""

    def engines(self) -> list[Engine]:
        """The container engines whose names and networks the lab shares with others; empty if none works."""

    def requirements(self) -> list[HostRequirement]:
        """What this machine must have."""

    def check_room(self, nodes: int) -> None:
        """Raise BadInput if this machine has no room for so many more nodes."""

    def connect(self) -> None:
        """Reach the engine before anything is changed. Raises LabError if it cannot be reached."""

    def states(self) -> dict[str, NodeStatus]:
        """The state of each node in lab.yaml. Quick; problems are part of the answer, never an exception."""

    def present(self) -> dict[str, NodeState]:
        """Each node of this lab that exists, in lab.yaml or not. UNKNOWN if asking would take seconds."""

    def make_keys(self) -> None:
        """Create the ssh keys of the nodes, unless the provider creates its own."""

    def prepare(self, progress: Progress, *, by_vagrant: bool) -> tuple[str, ...]:
        """Create what the nodes need: network, images. Returns the names of the nodes that do not run yet.

        by_vagrant says that a running Vagrant is the caller, which has read its own records already.
        """

    def up(self, names: Sequence[str], report: Report) -> None:
        """Create or start nodes."""

    def ssh_hosts(self) -> dict[str, SshHost]:
        """How to reach each node that is up."""

    def halt(self, step: Step) -> None:
        """Shut all nodes down. Their contents stay."""

    def remove(self, node: Node, report: Report) -> None:
        """Remove one node. It is no error if it is gone already."""

    def destroy(self, report: Report) -> list[str]:
        """Remove every node of the lab, in lab.yaml or not. Returns the names of the containers."""

    def remove_leftovers(self, progress: Progress) -> list[str]:
        """Remove network and images of this lab after its nodes. Returns the names of the networks."""

    def pause(self, step: Step) -> None:
        """Pause all nodes at the same moment. Nodes that are paused already stay paused."""

    def resume(self, step: Step) -> bool:
        """Resume all nodes. Returns whether one was paused."""

    def snapshot_images(self, name: str) -> dict[str, str]:
        """The image that each node would have in a snapshot; none for virtual machines."""

    def snapshot_save(self, snapshot: Snapshot, step: Step) -> None:
        """Save the state of all nodes."""

    def snapshot_check(self, snapshot: Snapshot) -> None:
        """Raise BadInput if a snapshot cannot be restored here."""

    def snapshot_restore(
        self, snapshot: Snapshot, progress: Progress, put_back: Callable[[Step], None], conductor: Callable[[], None]
    ) -> float | None:
        """Replace the nodes by those of a snapshot.

        put_back restores the lab's files and is called between removal and creation; conductor waits until Nova's
        conductor answers. Returns when the nodes began to start (epoch, seconds); None stands for now.
        """

    def snapshot_delete(self, name: str, forget: Callable[[], None], report: Report) -> None:
        """Remove a snapshot; forget removes its files."""

    def start_from(self, images: Mapping[str, str], progress: Progress, conductor: Callable[[], None]) -> float:
        """Create the nodes from images of finished ones. Returns when they began to start (epoch, seconds)."""

    def describe(self, node: Node) -> dict[str, Any]:
        """What the Vagrantfile needs to know of a node beyond the model: ssh, image, create_args."""
