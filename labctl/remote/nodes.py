"""Ask the nodes of a lab something, on all of them at the same time."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.remote import access, programs, ssh
from labctl.remote.access import SshHost


def hosts(lab: Lab, paths: LabPaths, names: Iterable[str]) -> dict[str, SshHost]:
    """How to reach nodes, without asking Vagrant: as it was noted when they came up, else as containers are made."""
    noted = access.known(paths)
    if lab.traits.containers:
        noted = {**access.of_containers(lab, paths), **noted}
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
