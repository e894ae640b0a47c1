"""The plan of `labctl up`: lab.yaml compared with the lab that exists, what has to be done, and what is refused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from labctl.errors import BadInput
from labctl.lab import overrides, service_files
from labctl.lab import records as made
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.providers.node_state import NodeState

Action = Literal["create", "start", "change", "remove", "keep"]
_SIGNS: dict[Action, str] = {"create": "+", "start": ">", "change": "~", "remove": "-", "keep": "="}
_AGAIN = "Restore lab.yaml, or rebuild the lab: `labctl destroy`, then `labctl up`."
# The keys that cannot change in a lab that exists, and why.
_FIXED = {
    "name": "network, containers and files are named after it",
    "release": "a node stays on the Debian that it was created with",
    "provider": "nodes do not move from one provider to another",
    "network": "the nodes' addresses are in every service and in Keystone's catalogue",
    "networking": "instances stay in the network that they were created in",
    "guest_network": "instances and their ports have their addresses from it",
    "engine": "only the engine that created the nodes knows them",
    "box": "a virtual machine stays on the box that it was created from",
}


@dataclass(frozen=True)
class Change:
    """One thing that is done, in words for people. nodes are those whose files or services it changes.

    local says that nothing on the controller is installed or configured for it.
    """

    action: Action
    what: str
    detail: str = ""
    nodes: tuple[str, ...] = ()
    local: bool = False

    @property
    def text(self) -> str:
        """The change in one line."""
        return f"{_SIGNS[self.action]} {self.what}{f': {self.detail}' if self.detail else ''}"


@dataclass(frozen=True)
class Refusal:
    """A change of lab.yaml that is impossible: why, and what to do instead."""

    key: str
    was: str
    now: str
    reason: str
    way: str

    @property
    def text(self) -> str:
        """The refusal in one line."""
        return f"{self.key} was {self.was}, now {self.now}: {self.reason}"


@dataclass(frozen=True)
class Plan:
    """What `labctl up` would do.

    leaving has the nodes to remove, returning those that an interrupted run was about to remove and that are to stay;
    evict says that servers on nodes that leave are deleted.
    """

    changes: tuple[Change, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    leaving: tuple[str, ...] = ()
    returning: tuple[str, ...] = ()
    evict: bool = False

    @property
    def due(self) -> bool:
        """Whether anything is to be done."""
        return any(change.action != "keep" for change in self.changes)

    @property
    def new(self) -> tuple[str, ...]:
        """The computes to create."""
        created = [change for change in self.changes if change.local and change.action == "create"]
        return tuple(name for change in created for name in change.nodes)

    @property
    def local(self) -> bool:
        """Whether nothing is to be done but to add or remove computes, in a lab whose software is complete."""
        return self.due and all(change.local for change in self.changes if change.action != "keep")

    def check(self, paths: LabPaths) -> None:
        """Raise BadInput with all refusals and what to do instead."""
        if not self.refusals:
            return
        lines = "\n".join(f"  {refusal.text}" for refusal in self.refusals)
        raise BadInput(
            f"The lab in {paths.directory} exists and cannot become what lab.yaml says; nothing was changed:\n{lines}",
            "\n".join(dict.fromkeys(refusal.way for refusal in self.refusals)),
        )

    def lines(self) -> list[str]:
        """The changes for people, a line each."""
        return [change.text for change in self.changes]

    def document(self) -> dict[str, Any]:
        """The plan for programs."""
        return {
            "changes": [asdict(change) for change in self.changes],
            "refused": [asdict(refusal) for refusal in self.refusals],
        }


@dataclass(frozen=True)
class Existing:
    """What exists of a lab.

    nodes has the state of each node, made and software are the records of labctl.lab.records, passwords those in force.
    cloud says whether the cloud was ever complete. servers has those on nodes that leave, by node, unknown the reason
    why Nova cannot be asked for them.
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
    """The plan for a lab. leaving has the nodes that are no longer in lab.yaml.

    Without remove, no node may leave, because only `labctl up` removes nodes.
    """
    staying = tuple(node.name for node in lab.nodes if node.name in existing.nodes)
    # Nodes that an interrupted run was about to remove and that are to stay.
    removed = made.names(existing.made, "leaving")
    returning = tuple(node.name for node in lab.nodes if node.name in removed)
    refusals = list(_refused(lab, existing))
    if leaving:
        refusals += _refused_removal(lab, existing, leaving, evict=evict, remove=remove)
    changes = [*_removed(lab, existing, leaving), *_created(lab, existing)]
    if staying:
        changes += _changed(lab, existing, staying, leaving, [name for name in returning if name in staying])
    touched = {name for change in changes for name in change.nodes}
    if kept := [name for name in staying if name not in touched]:
        changes.append(Change("keep", ", ".join(kept), "no file and no service changes"))
    return Plan(tuple(changes), tuple(refusals), leaving, returning, evict)


def _refused(lab: Lab, existing: Existing) -> Iterator[Refusal]:
    before = existing.made
    now = made.facts(lab, existing.engine or before.get("engine"))
    for key, reason in _FIXED.items():
        if before.get(key, now[key]) != now[key]:
            yield Refusal(key, str(before[key]), str(now[key]), reason, _AGAIN)
    if before.get("dashboard") is True and not lab.dashboard:
        yield Refusal("dashboard", "true", "false", "Horizon and its packages cannot be removed", _AGAIN)
    sizes: dict[str, str] = before.get("sizes") or {}
    for kind, size in now["sizes"].items():
        if sizes.get(kind, size) != size:
            yield Refusal(kind, sizes[kind], size, "a virtual machine keeps the size that it was created with", _AGAIN)


def _refused_removal(
    lab: Lab, existing: Existing, leaving: tuple[str, ...], *, evict: bool, remove: bool
) -> Iterator[Refusal]:
    was, now, names = str(len(lab.computes) + len(leaving)), str(len(lab.computes)), ", ".join(leaving)
    first = f"Write computes: {was} and run `labctl up` first, or"
    if "keystone_admin" in _new_passwords(lab, existing):
        reason = "while computes leave, labctl needs the password in force"
        way = f"One after the other: `labctl up` with computes: {was} and the new password, then the computes."
        yield Refusal("secrets.keystone_admin", "a different one", "a new one", reason, way)
    if not remove:
        reason, way = f"{names} must leave", "`labctl up` removes them."
    elif not existing.cloud:
        reason = f"the lab was never complete, and {names} may be registered in parts of it"
        way = f"{first} rebuild it: `labctl destroy`, then `labctl up`."
    elif existing.unknown and not evict:
        reason = f"Nova cannot be asked what servers are on {names}: {existing.unknown}"
        way = f"{first} delete whatever servers they have: `labctl up --evict`."
    elif existing.servers and not evict:
        there = "; ".join(f"on {node}: {', '.join(servers)}" for node, servers in existing.servers.items())
        reason = f"servers are there, {there}"
        way = "Delete them, or have labctl delete them with the nodes: `labctl up --evict`. They cannot be moved: "
        way += "the lab's computes share no disks and no keys."
    else:
        return
    yield Refusal("computes", was, now, reason, way)


def _removed(lab: Lab, existing: Existing, leaving: tuple[str, ...]) -> Iterator[Change]:
    network = ", Neutron's agents" if lab.networking == "neutron" else ""
    steps = f"its service disabled, then stopped; service, host mapping, resource provider{network} and node removed"
    for name in leaving:
        if servers := existing.servers.get(name):
            detail = f"deleted with their disks, which are on {name}"
            yield Change("remove", f"servers {', '.join(servers)}", detail, (name,), local=True)
        elif existing.unknown:
            detail = "deleted with their disks, whatever there are"
            yield Change("remove", f"servers on {name}", detail, (name,), local=True)
        gone = "" if existing.nodes.get(name) else " (the node itself is gone already)"
        yield Change("remove", f"node {name}", f"{steps}{gone}", (name,), local=True)


def _created(lab: Lab, existing: Existing) -> Iterator[Change]:
    known = made.names(existing.made, "nodes")
    if not known:
        yield Change("create", f"network {lab.network_name}", str(lab.network))
    for node in lab.nodes:
        state, compute = existing.nodes.get(node.name), node.group == "compute_nodes"
        if state is None:
            role = "installed, registered and mapped to its cell" if compute else "installed"
            again = "; the one before is gone, with everything on it" if node.name in known else ""
            local = compute and bool(known)
            yield Change("create", f"node {node.name}", f"{node.address}, {role}{again}", (node.name,), local=local)
        elif state not in (NodeState.RUNNING, NodeState.UNKNOWN):
            yield Change("start", f"node {node.name}", f"it is {state}", (node.name,))


def _changed(
    lab: Lab, existing: Existing, staying: tuple[str, ...], leaving: Sequence[str], returning: Sequence[str]
) -> Iterator[Change]:
    new = [node.name for node in lab.nodes if node.name not in existing.nodes]
    lines = [f"{word} line for {', '.join(names)}" for word, names in (("a", new), ("no", leaving)) if names]
    if lines:
        detail = f"{' and '.join(lines)} in /etc/hosts; no service restarts"
        yield Change("change", ", ".join(staying), detail, staying, local=True)
    if returning:
        detail = "was about to be removed and stays: its services are enabled and started"
        yield Change("change", ", ".join(returning), detail, tuple(returning))
    if existing.software is None:
        yield Change("change", "software", "the last `labctl up` did not finish; the rest follows", staying)
    else:
        yield from _changed_software(lab, existing, existing.software, staying)
    for name in _new_passwords(lab, existing):
        secret = service_files.secrets()[name]
        nodes = staying if secret.where == "every node" else staying[:1]
        yield Change("change", f"password {name}", f"{secret.effect} ({secret.where})", nodes)


def _new_passwords(lab: Lab, existing: Existing) -> list[str]:
    """The names of the passwords that lab.yaml changes."""
    names = service_files.secrets()
    return [name for name in names if lab.secrets.get(name, "") not in ("", existing.passwords.get(name, ""))]


def _changed_software(
    lab: Lab, existing: Existing, before: Mapping[str, Any], staying: tuple[str, ...]
) -> Iterator[Change]:
    now = made.software(lab, existing.options)
    yield from _changed_overrides(lab, existing, before, staying)
    controller, computes = staying[:1], staying[1:]
    if before.get("roles") != now["roles"]:
        yield Change("change", "software", "novalab has changed since the last `labctl up`", staying)
    if now["dashboard"] and not before.get("dashboard"):
        yield Change("create", "dashboard", f"Horizon on the controller, {lab.dashboard_url}", controller)
    if before.get("virt_type", now["virt_type"]) != now["virt_type"]:
        detail = f"was {before['virt_type']}, now {now['virt_type']}; nova-compute restarts if it makes a difference"
        yield Change("change", "virt_type", detail, computes)
    images = _mapping(before, "images")
    for name, image in now["images"].items():
        if name not in images or image != images[name]:
            yield Change("change" if name in images else "create", f"image {name}", "in Glance", controller)
    for name in images:
        if name not in now["images"]:
            yield Change("keep", f"image {name}", f"stays in Glance; `openstack image delete {name}` removes it")


def _changed_overrides(
    lab: Lab, existing: Existing, before: Mapping[str, Any], staying: tuple[str, ...]
) -> Iterator[Change]:
    for name, words in overrides.changes(_mapping(before, "overrides"), existing.options).items():
        targets = [target for target in overrides.targets(lab, name) if target.node.name in staying]
        units = dict.fromkeys(unit for target in targets for unit in target.restarts)
        nodes = tuple(dict.fromkeys(target.node.name for target in targets)) or staying
        detail = f"{', '.join(words)}; {', '.join(units)} restart on {', '.join(nodes)}"
        yield Change("change", f"overrides/{name}", detail, nodes)


def _mapping(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = record.get(key)
    return found if isinstance(found, dict) else {}
