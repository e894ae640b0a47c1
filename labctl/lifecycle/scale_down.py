"""Nodes that lab.yaml no longer describes: which there are, what lives on them, and how they go."""

from collections.abc import Iterable, Mapping

from labctl.ansible import inventory, playbook
from labctl.lab import records
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.plan import Plan
from labctl.providers.node_state import NodeState
from labctl.remote import nodes
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress


def servers(lab: Lab, paths: LabPaths, nodes: Iterable[Node]) -> dict[str, tuple[str, ...]]:
    """The servers on nodes, as `NAME (STATUS)` by node, in all projects. Raises LabError when Nova does not answer."""
    from labctl.lifecycle import instances

    cloud = instances.Cloud(lab, paths)
    found = {node.name: tuple(f"{server.name} ({server.status})" for server in cloud.on(node.name)) for node in nodes}
    return {name: there for name, there in found.items() if there}


def _leave(
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
        extra_vars={"remove_computes": [node.name for node in nodes], "remove_evict": evict},
    )


def _stay(names: Iterable[str], paths: LabPaths, progress: Progress) -> None:
    """Take back what an interrupted removal has begun, as far as site.yaml does not do it."""
    playbook.run(
        "playbooks/keep_computes.yaml",
        paths=paths,
        inventory=paths.hosts_ini,
        progress=progress,
        title="Removal taken back",
        extra_vars={"remove_computes": list(names)},
    )


def settle(context: LabContext, plan: Plan, hosts: Mapping[str, SshHost]) -> None:
    """Remove the nodes that the plan says, from the cloud and then for good; hosts are those that stay.

    Can be repeated from any point: the record of the nodes has those that leave until it is finished.
    """
    lab, paths = context.lab, context.paths
    if plan.returning:
        _stay(plan.returning, paths, context.progress)
    going = lab.former_computes(plan.leaving)
    if going:
        _remove(context, going, plan, hosts)
    if going or plan.returning:
        records.remember(paths, lab, context.provider.engine_kind)


def _remove(context: LabContext, going: tuple[Node, ...], plan: Plan, hosts: Mapping[str, SshHost]) -> None:
    lab, paths, provider, progress = context.lab, context.paths, context.provider, context.progress
    states = provider.present()
    known = nodes.hosts(lab.with_nodes(going), paths, [node.name for node in going])
    alive = {name: host for name, host in known.items() if states.get(name) in (NodeState.RUNNING, NodeState.UNKNOWN)}
    _leave(lab, going, {**alive, **hosts}, paths, progress, evict=plan.evict)
    with progress.step("Nodes that leave") as step:
        for node in going:
            provider.remove(node, step.detail)
            step.note(f"{node.name} removed")
        inventory.write(lab, paths, hosts)
