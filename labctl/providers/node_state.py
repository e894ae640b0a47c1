"""Which nodes of a lab run, and programs on those that do; for verbs that only look, and so neither wait nor fail."""

import socket
from dataclasses import dataclass
from datetime import datetime

from labctl.errors import LabError
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.providers import containers
from labctl.remote import access
from labctl.remote.access import SshHost

RUNNING = "running"
_KNOCK_SECONDS = 1.0
# The engines' words in those that Vagrant has for virtual machines; a container that was made and never ran is a rest
# of an interrupted run, and the next `labctl up` makes it again.
_WORDS = {
    "exited": "stopped",
    "poweroff": "stopped",
    "shutoff": "stopped",
    "created": "half-made",
    "configured": "half-made",
}


@dataclass(frozen=True)
class NodeState:
    """running, stopped, paused, half-made, not_created, unknown, or another word of the engine or of Vagrant.

    since is when it came into that state, as far as that is known. problem is why the state is unknown.
    """

    state: str
    since: datetime | None = None
    problem: str = ""

    @property
    def running(self) -> bool:
        """Whether it can be asked."""
        return self.state == RUNNING


def states(lab: Lab, paths: LabPaths) -> dict[str, NodeState]:
    """The state of each node. Containers are asked of their engine; Vagrant, which takes seconds, only about others."""
    if not paths.state.is_dir():
        return {node.name: NodeState("not_created") for node in lab.nodes}
    try:
        return _of_containers(lab, paths) if lab.provider == "docker" else _of_machines(lab, paths)
    except LabError as error:
        return {node.name: NodeState("unknown", problem=error.message) for node in lab.nodes}


def _of_containers(lab: Lab, paths: LabPaths) -> dict[str, NodeState]:
    from labctl.providers import engine

    found = {
        container.name: container
        for container in containers.find(engine.find(lab.engine, paths), prefix=lab.container_prefix, paths=paths)
        if container.directory == str(paths.directory)
    }
    result = {}
    for node in lab.nodes:
        container = found.get(lab.container(node))
        result[node.name] = (
            NodeState("not_created")
            if container is None
            # Since when it is paused, no engine tells.
            else NodeState(_word(container.state), None if container.state == "paused" else container.since)
        )
    return result


def _of_machines(lab: Lab, paths: LabPaths) -> dict[str, NodeState]:
    if not (paths.dotfile / "machines").is_dir():
        return {node.name: NodeState("not_created") for node in lab.nodes}
    noted = access.known(paths)
    if all(node.name in noted and _knock(noted[node.name]) for node in lab.nodes):
        return {node.name: NodeState(RUNNING) for node in lab.nodes}
    from labctl.providers.vagrant import Machines

    said = Machines(lab, paths, {}, lambda _: None).states()
    return {node.name: NodeState(_word(said.get(node.name, "unknown"))) for node in lab.nodes}


def _word(state: str) -> str:
    return _WORDS.get(state, state)


def _knock(host: SshHost) -> bool:
    """Whether something answers at the port of ssh."""
    try:
        with socket.create_connection((host.host, host.port), timeout=_KNOCK_SECONDS):
            return True
    except OSError:
        return False
