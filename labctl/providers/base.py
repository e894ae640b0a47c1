"""Where the nodes of a lab run: what every provider can do, and the states that a node is in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from labctl.errors import BadInput
from labctl.lab.model import Node
from labctl.lab.snapshot_store import Snapshot
from labctl.providers.engine import Engine
from labctl.providers.node_state import NodeState, NodeStatus
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress, Step

Report = Callable[[str], None]


@dataclass(frozen=True)
class HostRequirement:
    """A program that must be on this machine, and the Debian package that brings it. there is whether it is."""

    program: str
    package: str
    there: bool


class Provider(Protocol):
    """Where the nodes of one lab run. Verbs never ask which provider it is.

    Whatever changes something raises LabError with the provider's own words when it fails.
    """

    @property
    def engine_kind(self) -> str | None:
        """What records say of the engine: podman or docker; None for virtual machines, and when no engine works."""

    @property
    def keeps_snapshots(self) -> bool:
        """Whether snapshots can outlive the nodes."""

    def require_engine(self, purpose: str) -> Engine:
        """The container engine, for what needs one. Raises BadInput for virtual machines, LabError when none works."""

    def engines(self) -> list[Engine]:
        """The container engines whose names and networks the lab shares with others; none when none works."""

    def requirements(self) -> list[HostRequirement]:
        """What this machine must have."""

    def check_room(self, nodes: int) -> None:
        """Raise BadInput when this machine has no room for so many more nodes."""

    def connect(self) -> None:
        """Reach whatever makes the nodes, before anything is changed. Raises LabError when it cannot be reached."""

    def states(self) -> dict[str, NodeStatus]:
        """The state of each node that the lab describes. Quick; problems are part of the answer, never an exception."""

    def present(self) -> dict[str, NodeState]:
        """Each node of this lab that exists, described or not. UNKNOWN where asking takes seconds."""

    def make_keys(self) -> None:
        """The keys that the nodes are reached with, unless the provider makes its own."""

    def prepare(self, progress: Progress, *, by_vagrant: bool) -> tuple[str, ...]:
        """Make what the nodes need: network, images. Returns the names of the nodes that do not run yet.

        by_vagrant says that a Vagrant is running, which calls this and has read its notes already.
        """

    def up(self, names: Sequence[str], report: Report) -> None:
        """Create or start nodes."""

    def ssh_hosts(self) -> dict[str, SshHost]:
        """How to reach each node that is up."""

    def halt(self, step: Step) -> None:
        """Shut all nodes down; what is on them stays."""

    def remove(self, node: Node, report: Report) -> None:
        """Remove one node; one that is gone already is no error."""

    def destroy(self, report: Report) -> list[str]:
        """Remove every node of the lab, described or not. Returns the names of the containers."""

    def remove_leftovers(self, progress: Progress, *, keep_snapshots: bool) -> list[str]:
        """Remove network and images of this lab after its nodes. Returns the names of the networks."""

    def pause(self, step: Step) -> None:
        """Hold all nodes at one moment. Nodes that are held already stay so."""

    def resume(self, step: Step) -> bool:
        """Let all nodes go on. Returns whether one had been held."""

    @property
    def clocks_stop(self) -> bool:
        """Whether the clocks of held nodes stand still."""

    def snapshot_images(self, name: str) -> dict[str, str]:
        """The image that each node would have in a snapshot; none for virtual machines."""

    def snapshot_save(self, snapshot: Snapshot, step: Step) -> None:
        """Keep the state of all nodes."""

    def snapshot_check(self, snapshot: Snapshot) -> None:
        """Raise BadInput when a snapshot cannot be restored here."""

    def snapshot_restore(
        self, snapshot: Snapshot, progress: Progress, put_back: Callable[[Step], None], conductor: Callable[[], None]
    ) -> float | None:
        """Replace the nodes by those of a snapshot.

        put_back gives the lab its files and is called between the removal and the making; conductor waits until Nova's
        conductor answers. Returns when the nodes began to start (epoch, seconds); None stands for now.
        """

    def snapshot_delete(self, name: str, forget: Callable[[], None], report: Report) -> None:
        """Remove a snapshot; forget removes its files."""

    def start_from(self, images: Mapping[str, str], progress: Progress, conductor: Callable[[], None]) -> float:
        """Make the nodes from images of finished ones. Returns when they began to start (epoch, seconds)."""

    def describe(self, node: Node) -> dict[str, Any]:
        """What the Vagrantfile needs to know of a node beyond the model: ssh, image, create_args."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What programs that reach the nodes' engine need in their environment."""


def not_in_containers(purpose: str, provider: str) -> BadInput:
    """The refusal of what only containers can do."""
    return BadInput(f"{purpose} needs nodes in containers, and this lab's provider is {provider}; nothing was changed")
