"""What is wrong with a lab, judged from what `labctl status` has seen of it: each with its place and since when."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labctl.lab.model import Lab
from labctl.providers.node_state import NodeState

# A lab whose nodes are all in one of these states is as somebody wanted it: nothing about it is degraded.
AT_REST = ("not_created", "stopped", "paused")
_FREE_DISK = 2**30  # bytes; MariaDB, RabbitMQ and the journals end badly below that
_FREE_MEMORY = 0.05  # of the machine's

Document = Mapping[str, Any]
Trouble = dict[str, Any]


def judge(document: Document, lab: Lab, reporting: Mapping[str, Sequence[str]]) -> tuple[str, list[Trouble]]:
    """The state of a lab in a word, and its troubles, each with the keys where, what, since and remedy.

    The word is running, degraded, or what all nodes are: not_created, stopped, paused. reporting has the services that
    must report to Nova, by node.
    """
    states = {node["state"] for node in document["nodes"]}
    if len(states) == 1 and states.issubset(AT_REST):
        return states.pop(), []
    found = [
        *_nodes(document),
        *_units(document),
        *_cloud(document),
        *_services(document, reporting),
        *_agents(document),
        *_cells(document, lab),
        *_resources(document),
    ]
    return ("degraded" if found else "running"), found


def _trouble(where: str, what: str, since: str | None = None, remedy: str = "`labctl up` mends it") -> Trouble:
    return {"where": where, "what": what, "since": since, "remedy": remedy}


def _nodes(document: Document) -> Iterator[Trouble]:
    for node in document["nodes"]:
        name, state = node["name"], node["state"]
        if state in ("running", "unknown"):
            if node["problem"]:
                remedy = "`labctl setup` looks for an engine" if state == "unknown" else "`labctl up` waits for it"
                yield _trouble(name, f"does not answer: {node['problem']}", None, remedy)
        elif state == "paused":
            yield _trouble(name, "is paused", node["since"], "`labctl up` lets it go on")
        elif state == NodeState.LOST:
            what = "its processes were killed, and Podman says that it runs"
            yield _trouble(name, what, None, "`labctl up` stops and starts it, or says why it cannot")
        else:
            yield _trouble(name, f"is {state.replace('_', ' ')}", node["since"], "`labctl up` starts or makes it")


def _units(document: Document) -> Iterator[Trouble]:
    for node in document["nodes"]:
        for unit in node.get("units", ()):
            if unit["active"] == "active":
                continue
            if unit["load"] == "not-found":
                yield _trouble(node["name"], f"unit {unit['unit']} is not installed")
                continue
            result = "" if unit["result"] in (None, "", "success") else f", {unit['result']}"
            again = f", started again {unit['restarts']} times" if unit["restarts"] else ""
            what = f"unit {unit['unit']} is {unit['active']} ({unit['sub']}{result}{again})"
            remedy = f"`labctl logs {unit['unit']}` says why; `labctl up` starts it"
            yield _trouble(node["name"], what, unit["since"], remedy)


def _cloud(document: Document) -> Iterator[Trouble]:
    node_problems = {node["problem"] for node in document["nodes"]}
    for problem in document["problems"]:
        if problem not in node_problems:
            yield _trouble("cloud", problem, None, "`labctl verify` says more")


def _services(document: Document, reporting: Mapping[str, Sequence[str]]) -> Iterator[Trouble]:
    if document["services"] is None:
        return
    seen = {(row["host"], row["binary"]) for row in document["services"]}
    for row in document["services"]:
        if row["state"] != "up":
            remedy = f"`labctl logs {row['binary']}` says why"
            yield _trouble(row["host"], f"{row['binary']} is {row['state']} for Nova", row["updated_at"], remedy)
        if row["status"] != "enabled":
            reason = f": {row['disabled_reason']}" if row["disabled_reason"] else ""
            remedy = f"openstack compute service set --enable {row['host']} {row['binary']}"
            yield _trouble(row["host"], f"{row['binary']} is disabled{reason}", None, remedy)
    for host, binaries in reporting.items():
        for binary in binaries:
            if (host, binary) not in seen:
                yield _trouble(host, f"{binary} is not in Nova's list of services", None)


def _agents(document: Document) -> Iterator[Trouble]:
    for row in document["agents"] or ():
        if not row["alive"]:
            yield _trouble(row["host"], f"{row['type']} is not alive for Neutron", row["updated_at"])
        elif not row["enabled"]:
            yield _trouble(row["host"], f"{row['type']} is disabled", None, "openstack network agent set --enable")


def _cells(document: Document, lab: Lab) -> Iterator[Trouble]:
    controller = document["nodes"][0]
    if document["cells"] is None:
        if "units" in controller:
            yield _trouble(
                controller["name"], "MariaDB does not tell of Nova's cells", None, "`labctl verify` says more"
            )
        return
    for cell in document["cells"]:
        if cell["disabled"]:
            yield _trouble("cloud", f"cell {cell['name']} is disabled", None, "`labctl verify` says how to enable it")
    mapped = {host for cell in document["cells"] for host in cell["hosts"]}
    for node in lab.computes:
        if node.name not in mapped:
            yield _trouble(node.name, "is not mapped to any cell")


def _resources(document: Document) -> Iterator[Trouble]:
    for node in document["nodes"]:
        if "disk" in node and node["disk"]["free"] < _FREE_DISK:
            free = node["disk"]["free"] / 2**20
            yield _trouble(node["name"], f"only {free:.0f} MiB of disk are free", None, "make room on it")
        memory = node.get("memory")
        if memory and memory["total"] and memory["available"] < _FREE_MEMORY * memory["total"]:
            free = memory["available"] / 2**20
            yield _trouble(node["name"], f"only {free:.0f} MiB of memory are available", None, "end what uses it")
