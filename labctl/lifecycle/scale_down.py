"""Nodes that are no longer in lab.yaml: the servers on them, and their removal."""

from collections.abc import Iterable, Mapping

from labctl.ansible import inventory
from labctl.lab import records
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.diff import Plan
from labctl.lifecycle.instances import Cloud
from labctl.providers.node_state import NodeState
from labctl.remote import nodes
from labctl.remote.access import SshHost


def servers(lab: Lab, paths: LabPaths, nodes: Iterable[Node]) -> dict[str, tuple[str, ...]]:
    """The servers on nodes, as `NAME (STATUS)` by node, in all projects. Raises LabError if Nova does not answer."""
    cloud = Cloud(lab, paths)
    found = {node.name: tuple(f"{server.name} ({server.status})" for server in cloud.on(node.name)) for node in nodes}
    return {name: there for name, there in found.items() if there}


def settle(context: LabContext, plan: Plan, hosts: Mapping[str, SshHost]) -> None:
    """Remove the nodes that leave, from the cloud and then from this machine; hosts are those that stay.

    It can be repeated after a failure at any point: leaving nodes stay in the records until they are removed. Raises
    PlaybookFailed with what prevents the removal from the cloud.
    """
    lab, paths = context.lab, context.paths
    if plan.returning:  # undo what an interrupted removal has done, unless site.yaml does that
        changed = {"remove_computes": list(plan.returning)}
        context.play("playbooks/keep_computes.yaml", "Removal taken back", changed)
    going = lab.former_computes(plan.leaving)
    if going:
        _remove(context, going, hosts, evict=plan.evict)
    if going or plan.returning:
        records.remember(paths, lab, context.provider.engine_kind)


def _remove(context: LabContext, going: tuple[Node, ...], hosts: Mapping[str, SshHost], *, evict: bool) -> None:
    lab, paths = context.lab, context.paths
    names = [node.name for node in going]
    states = context.provider.present()
    known = nodes.hosts(lab.with_nodes(going), paths, names)
    # The playbook takes all others for dead.
    alive = {name: host for name, host in known.items() if states.get(name) in (NodeState.RUNNING, NodeState.UNKNOWN)}
    inventory.write(lab.with_nodes(going), paths, {**alive, **hosts})
    removal = {"remove_computes": names, "remove_evict": evict}
    context.play("playbooks/remove_computes.yaml", "Removal from the cloud", removal)
    with context.progress.step("Nodes that leave") as step:
        for node in going:
            context.provider.remove(node, step.detail)
            step.note(f"{node.name} removed")
        inventory.write(lab, paths, hosts)
