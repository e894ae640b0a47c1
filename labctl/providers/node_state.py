"""The states of nodes, in one vocabulary for every provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class NodeState(StrEnum):
    """The state of a node, whatever its provider calls it."""

    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    # Created by an interrupted run and never started: there is nothing on it.
    HALF_MADE = "half-made"
    # Its engine says that it runs, but its processes are gone, and so is the one that reports their end to the engine.
    LOST = "lost"
    NOT_CREATED = "not_created"
    # It exists, but its provider was not asked or did not answer.
    UNKNOWN = "unknown"


# The words of Podman, Docker Engine, VirtualBox and libvirt (through Vagrant) for each state.
_WORDS: Mapping[NodeState, tuple[str, ...]] = {
    NodeState.RUNNING: ("running",),
    NodeState.STOPPED: ("exited", "stopped", "stopping", "poweroff", "shutoff", "aborted"),
    NodeState.PAUSED: ("paused", "saved"),
    NodeState.HALF_MADE: ("created", "configured", "initialized", "dead", "removing", "restarting", "preparing"),
    NodeState.NOT_CREATED: ("not_created",),
}
_STATES = {word: state for state, words in _WORDS.items() for word in words}


def node_state(word: str) -> NodeState:
    """The state for a word of an engine or of Vagrant."""
    return _STATES.get(word, NodeState.UNKNOWN)


@dataclass(frozen=True)
class NodeStatus:
    """A node's state, since when, if that is known, and for UNKNOWN the reason."""

    state: NodeState
    since: datetime | None = None
    problem: str = ""

    @property
    def running(self) -> bool:
        """Whether the node can be reached."""
        return self.state is NodeState.RUNNING
