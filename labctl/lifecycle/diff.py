"""Compare lab.yaml with the lab that is there: what has to be done, and what cannot be."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl.lab import overrides, service_files
from labctl.lab import records as made
from labctl.lab.model import Lab
from labctl.lifecycle.plan import Change, Plan, Refusal
from labctl.providers.node_state import NodeState

_AGAIN = "Restore lab.yaml, or rebuild the lab: `labctl destroy`, then `labctl up`."
# Why what a lab was made as stays as it is.
_FIXED = {
    "name": "network, containers and files carry it",
    "release": "a node stays on the Debian that it was made from",
    "provider": "nodes do not move from one provider to another",
    "network": "the nodes' addresses are in every service and in Keystone's catalogue",
    "networking": "the instances that are there live with the network they were made with",
    "guest_network": "instances and their ports have their addresses from it",
    "engine": "the nodes are known to the engine that made them only",
    "box": "a virtual machine stays on the box that it was made from",
}


@dataclass(frozen=True)
class Existing:
    """What exists of a lab. nodes has the state of each, by name.

    made and software are the records of labctl.lab.records; passwords are those in force. cloud says whether there has
    been a whole cloud; unknown why Nova cannot be asked for the servers on nodes that leave, empty when it has been;
    servers names them by node.
    """

    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, Any] | None = None
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    engine: str | None = None
    servers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cloud: bool = True
    unknown: str = ""
    options: overrides.Facts = field(default_factory=dict)


def compare(
    lab: Lab, existing: Existing, leaving: tuple[str, ...], *, evict: bool = False, remove: bool = True
) -> Plan:
    """The plan for a lab. leaving has the nodes that lab.yaml no longer describes.

    Without remove, nodes may not leave: they do by `labctl up` only.
    """
    refusals = list(_refused(lab, existing))
    if leaving:
        refusals += _refused_removal(lab, existing, leaving, evict=evict, remove=remove)
    changes = [*_removed(lab, existing, leaving), *_created(lab, existing), *_changed(lab, existing, leaving)]
    staying = tuple(node.name for node in lab.nodes if node.name in existing.nodes)
    if staying:
        touched = {name for change in changes for name in change.nodes}
        whole = tuple(name for name in staying if name not in touched)
        if whole:
            changes.append(Change("keep", ", ".join(whole), "no file and no service changes"))
    return Plan(tuple(changes), tuple(refusals), leaving, _returning(lab, existing), evict)


def _returning(lab: Lab, existing: Existing) -> tuple[str, ...]:
    """Nodes that an interrupted run was about to remove and that are to stay."""
    before = made.names(existing.made, "leaving")
    return tuple(node.name for node in lab.nodes if node.name in before)


def _refused(lab: Lab, existing: Existing) -> Iterator[Refusal]:
    before = existing.made
    now = made.facts(lab, existing.engine or before.get("engine"))
    for key, reason in _FIXED.items():
        if before.get(key, now[key]) != now[key]:
            yield Refusal(key, str(before[key]), str(now[key]), reason, _AGAIN)
    if before.get("dashboard") is True and not lab.dashboard:
        reason = "Horizon and its packages are not taken away again"
        yield Refusal("dashboard", "true", "false", reason, _AGAIN)
    sizes: dict[str, str] = before.get("sizes") or {}
    for kind, size in now["sizes"].items():
        if sizes.get(kind, size) != size:
            yield Refusal(kind, sizes[kind], size, "a virtual machine keeps the size that it was made with", _AGAIN)


def _refused_removal(
    lab: Lab, existing: Existing, leaving: tuple[str, ...], *, evict: bool, remove: bool
) -> Iterator[Refusal]:
    was, now = str(len(lab.computes) + len(leaving)), str(len(lab.computes))
    if "keystone_admin" in _new_passwords(lab, existing):
        reason = "while computes leave, the cloud is talked to with the password in force"
        way = f"One after the other: `labctl up` with computes: {was} and the new password, then the computes."
        yield Refusal("secrets.keystone_admin", "another one", "a new one", reason, way)
    if not remove:
        yield Refusal("computes", was, now, f"{', '.join(leaving)} must leave", "`labctl up` removes them.")
    elif not existing.cloud:
        reason = f"the lab was never complete, and {', '.join(leaving)} may be registered in parts of it"
        way = f"Write computes: {was} and run `labctl up` first, or rebuild it: `labctl destroy`, then `labctl up`."
        yield Refusal("computes", was, now, reason, way)
    elif existing.unknown and not evict:
        reason = f"Nova cannot be asked what servers are on {', '.join(leaving)}: {existing.unknown}"
        way = f"Write computes: {was} and run `labctl up` first, or let them go whatever they are: `labctl up --evict`."
        yield Refusal("computes", was, now, reason, way)
    elif existing.servers and not evict:
        there = "; ".join(f"on {node}: {', '.join(names)}" for node, names in existing.servers.items())
        way = "Delete them, or have labctl delete them with the nodes: `labctl up --evict`. They cannot be moved:"
        yield Refusal(
            "computes", was, now, f"servers are there, {there}", f"{way} the lab's computes share no disks and no keys."
        )


def _removed(lab: Lab, existing: Existing, leaving: tuple[str, ...]) -> Iterator[Change]:
    for name in leaving:
        if servers := existing.servers.get(name):
            yield Change(
                "remove",
                f"servers {', '.join(servers)}",
                f"deleted with their disks, which are on {name}",
                (name,),
                local=True,
            )
        elif existing.unknown:
            yield Change(
                "remove", f"servers on {name}", "deleted with their disks, whatever there are", (name,), local=True
            )
        network = ", Neutron's agents" if lab.networking == "neutron" else ""
        gone = "" if existing.nodes.get(name) else " (the node itself is gone already)"
        yield Change(
            "remove",
            f"node {name}",
            f"its service disabled, then stopped; service, host mapping, resource provider{network} and node removed"
            f"{gone}",
            (name,),
            local=True,
        )


def _created(lab: Lab, existing: Existing) -> Iterator[Change]:
    known = made.names(existing.made, "nodes")
    if not known:
        yield Change("create", f"network {lab.network_name}", str(lab.network))
    for node in lab.nodes:
        state = existing.nodes.get(node.name)
        role = "installed" if node.group == "controller_nodes" else "installed, registered and mapped to its cell"
        if state is None:
            again = "; the one that there was is gone, with what was on it" if node.name in known else ""
            local = node.group == "compute_nodes" and bool(known)
            yield Change("create", f"node {node.name}", f"{node.address}, {role}{again}", (node.name,), local=local)
        elif state not in (NodeState.RUNNING, NodeState.UNKNOWN):
            yield Change("start", f"node {node.name}", f"it is {state}", (node.name,))


def _changed(lab: Lab, existing: Existing, leaving: tuple[str, ...]) -> Iterator[Change]:
    staying = tuple(node.name for node in lab.nodes if node.name in existing.nodes)
    if not staying:
        return
    new = [node.name for node in lab.nodes if node.name not in existing.nodes]
    lines = [f"a line for {', '.join(new)}"] if new else []
    lines += [f"no line for {', '.join(leaving)}"] if leaving else []
    if lines:
        detail = f"{' and '.join(lines)} in /etc/hosts; no service restarts"
        yield Change("change", ", ".join(staying), detail, staying, local=True)
    if returning := [name for name in _returning(lab, existing) if name in staying]:
        detail = "was about to be removed and stays: its services are enabled and started"
        yield Change("change", ", ".join(returning), detail, tuple(returning))
    if existing.software is None:
        detail = "the last `labctl up` did not finish; the rest follows"
        yield Change("change", "software", detail, staying)
    else:
        yield from _changed_software(lab, existing, staying)
    for name in _new_passwords(lab, existing):
        secret = service_files.secrets()[name]
        nodes = staying if secret.where == "every node" else staying[:1]
        yield Change("change", f"password {name}", f"{secret.effect} ({secret.where})", nodes)


def _new_passwords(lab: Lab, existing: Existing) -> list[str]:
    """The names of the passwords that are in force and that lab.yaml says otherwise."""
    names = service_files.secrets()
    return [name for name in names if lab.secrets.get(name, "") not in ("", existing.passwords.get(name, ""))]


def _changed_overrides(lab: Lab, existing: Existing, before: object, staying: tuple[str, ...]) -> Iterator[Change]:
    for name, words in overrides.changes(before if isinstance(before, dict) else {}, existing.options).items():
        targets = [target for target in overrides.targets(lab, name) if target.node.name in staying]
        units = dict.fromkeys(unit for target in targets for unit in target.restarts)
        nodes = tuple(dict.fromkeys(target.node.name for target in targets)) or staying
        detail = f"{', '.join(words)}; {', '.join(units)} restart on {', '.join(nodes)}"
        yield Change("change", f"overrides/{name}", detail, nodes)


def _changed_software(lab: Lab, existing: Existing, staying: tuple[str, ...]) -> Iterator[Change]:
    before = existing.software or {}
    now = made.software(lab, existing.options)
    yield from _changed_overrides(lab, existing, before.get("overrides"), staying)
    controller, computes = staying[:1], staying[1:]
    if before.get("roles") != now["roles"]:
        yield Change("change", "software", "novalab has changed since the last `labctl up`", staying)
    if now["dashboard"] and not before.get("dashboard"):
        yield Change("create", "dashboard", f"Horizon on the controller, {lab.dashboard_url}", controller)
    if before.get("virt_type", now["virt_type"]) != now["virt_type"]:
        detail = f"was {before['virt_type']}, now {now['virt_type']}; nova-compute restarts if it makes a difference"
        yield Change("change", "virt_type", detail, computes)
    images = before.get("images")
    yield from _changed_images(images if isinstance(images, dict) else {}, now["images"], controller)


def _changed_images(before: Mapping[str, Any], now: Mapping[str, Any], controller: Iterable[str]) -> Iterator[Change]:
    nodes = tuple(controller)
    for name, image in now.items():
        if name not in before:
            yield Change("create", f"image {name}", "in Glance", nodes)
        elif image != before[name]:
            yield Change("change", f"image {name}", "in Glance", nodes)
    for name in before:
        if name not in now:
            yield Change("keep", f"image {name}", f"stays in Glance; `openstack image delete {name}` removes it")
