"""Nodes that lab.yaml no longer describes: which there are, what lives on them, and how they go."""

import re
from collections.abc import Iterable, Mapping

from labctl.ansible import inventory, playbook
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.lab.schema import COMPUTE_OFFSET
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress

_COMPUTE = re.compile(r"compute([1-9][0-9]*)")


def find(lab: Lab, names: Iterable[str]) -> tuple[Node, ...]:
    """Those of the names that are computes which the lab no longer has, as nodes, the last one first."""
    described = {node.name for node in lab.nodes}
    numbers = [int(match[1]) for name in names if name not in described and (match := _COMPUTE.fullmatch(name))]
    return tuple(_node(lab, number) for number in sorted(set(numbers), reverse=True))


def _node(lab: Lab, number: int) -> Node:
    address = lab.network.network_address + COMPUTE_OFFSET + number - 1
    sizes = lab.computes[0]
    return Node(name=f"compute{number}", group="compute_nodes", address=address, cpus=sizes.cpus, memory=sizes.memory)


def servers(lab: Lab, paths: LabPaths, nodes: Iterable[Node]) -> dict[str, tuple[str, ...]]:
    """The servers on nodes, as `NAME (STATUS)` by node, in all projects. Raises LabError when Nova does not answer."""
    from labctl.lifecycle import instances

    cloud = instances.Cloud(lab, paths)
    found = {node.name: tuple(f"{server.name} ({server.status})" for server in cloud.on(node.name)) for node in nodes}
    return {name: there for name, there in found.items() if there}


def leave(
    lab: Lab,
    nodes: tuple[Node, ...],
    running: Mapping[str, SshHost],
    paths: LabPaths,
    progress: Progress,
    *,
    evict: bool,
) -> None:
    """Take nodes out of the cloud. Raises PlaybookFailed with what hinders it.

    running has the nodes that are on, those of the lab and of those that leave; others are taken for dead.
    """
    inventory.write(lab.with_nodes(nodes), paths, running)
    playbook.run(
        "playbooks/remove_computes.yaml",
        paths=paths,
        inventory=paths.hosts_ini,
        progress=progress,
        title="Removal from the cloud",
        environment={"LABCTL_REMOVE": ",".join(node.name for node in nodes), "LABCTL_EVICT": str(evict).lower()},
    )


def stay(names: Iterable[str], paths: LabPaths, progress: Progress) -> None:
    """Take back what an interrupted removal has begun, as far as site.yaml does not do it."""
    playbook.run(
        "playbooks/keep_computes.yaml",
        paths=paths,
        inventory=paths.hosts_ini,
        progress=progress,
        title="Removal taken back",
        environment={"LABCTL_REMOVE": ",".join(names)},
    )
