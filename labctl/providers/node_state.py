"""Which nodes of a lab run, and programs on those that do; for verbs that only look, and so neither wait nor fail."""

import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labctl.ansible import inventory
from labctl.ansible.inventory import SshHost
from labctl.errors import LabError
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.providers import containers
from labctl.remote import programs, ssh

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
    noted = inventory.known(paths)
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


def hosts(lab: Lab, paths: LabPaths, names: Iterable[str]) -> dict[str, SshHost]:
    """How to reach nodes, without asking Vagrant: as it was noted when they came up, else as containers are made."""
    noted = inventory.known(paths)
    if lab.provider == "docker":
        made = {node.name: SshHost(str(node.address), 22, "vagrant", str(paths.ssh_key)) for node in lab.nodes}
        noted = {**made, **noted}
    return {name: noted[name] for name in names if name in noted}


def ask(
    lab: Lab,
    paths: LabPaths,
    nodes: Iterable[Node],
    name: str,
    arguments: Callable[[Node], Mapping[str, Any]],
    *,
    timeout: float,
) -> dict[str, ssh.Answer]:
    """Run one of remote.programs on nodes, with arguments of its own on each, and return the answers by node.

    A node that does not answer within timeout seconds is an answer with a problem.
    """
    wanted = list(nodes)
    reach = hosts(lab, paths, [node.name for node in wanted])

    def one(node: Node) -> ssh.Answer:
        if node.name not in reach:
            return ssh.Answer("", f"how to reach it is not noted in {paths.ssh_hosts}: run `labctl up`")
        program = programs.program(name, dict(arguments(node)))
        return ssh.run({node.name: reach[node.name]}, program, timeout=timeout)[node.name]

    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        return {node.name: answer for node, answer in zip(wanted, pool.map(one, wanted), strict=True)}
