"""What is wrong with a lab, by those of the doctor's checks for which the facts of `labctl status` are enough."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from labctl.diagnostics.doctor.case import Case, Facts
from labctl.diagnostics.doctor.checks import cloud, nodes, services
from labctl.diagnostics.doctor.host_facts import HostFacts
from labctl.lab.model import Lab

Document = Mapping[str, Any]


# A lab whose nodes are all in one of these states is as somebody wanted it: nothing about it is degraded.
_AT_REST = ("not_created", "stopped", "paused")
_CHECKS = (
    *(nodes.node_state, nodes.node_silent, nodes.unit_down, nodes.unit_extra, nodes.clock),
    *(nodes.node_disk, nodes.node_memory, services.ovn, cloud.cells, cloud.host_mapping, cloud.service),
)


def judge(document: Document, lab: Lab, asked: tuple[float, float]) -> tuple[str, list[dict[str, Any]]]:
    """The state of a lab in a word, and its problems, each with the keys where, what, since and remedy.

    The word is running, degraded, or the state of all nodes: not_created, stopped, paused. asked has this machine's
    time, in seconds since the epoch, before and after the nodes were asked.
    """
    states = {node["state"] for node in document["nodes"]}
    if len(states) == 1 and states.issubset(_AT_REST):
        return states.pop(), []
    case = Case(
        lab=lab,
        host=HostFacts(),
        states={node["name"]: node["state"] for node in document["nodes"]},
        nodes={node["name"]: _node(document, node) for node in document["nodes"] if "units" in node},
        silent={node["name"]: node["problem"] for node in document["nodes"] if node["problem"]},
        since={node["name"]: node["since"] for node in document["nodes"]},
        asked=asked,
    )
    found = [finding for check in _CHECKS for finding in check(case)]
    degraded = [{"where": f.where, "what": f.what, "since": f.since, "remedy": f.remedy} for f in found]
    unanswered = {"since": None, "remedy": "`labctl verify` says more"}
    degraded += [{"where": where, "what": what, **unanswered} for where, what in _unanswered(document)]
    return ("degraded" if degraded else "running"), degraded


def _unanswered(document: Document) -> Iterator[tuple[str, str]]:
    """The questions without an answer, and who should have given it, other than nodes as such."""
    node_problems = {node["problem"] for node in document["nodes"]}
    for problem in document["problems"]:
        if problem not in node_problems:
            yield "cloud", problem
    controller = document["nodes"][0]
    if document["cells"] is None and "units" in controller:
        yield controller["name"], "MariaDB does not answer the question for Nova's cells"


def _node(document: Document, node: Document) -> Facts:
    """A node of the document as the doctor's facts."""
    disk, memory = node["disk"], node["memory"]
    room = {"size": disk["total"], "free": disk["free"], "inodes": 0, "free_inodes": 0, "read_only": False}
    swap = {"SwapTotal": 0, "SwapFree": 0}
    return {
        "time": _seconds(node["time"]),
        "units": {unit["unit"]: unit for unit in node["units"] if unit["expected"]},
        "failed": [unit["unit"] for unit in node["units"] if not unit["expected"]],
        "others": [],
        "disks": [{"places": ["/"], **room}],
        "memory": {"MemTotal": memory["total"], "MemAvailable": memory["available"], **swap},
        "cloud": _cloud(document),
        "agents": [{**agent, "admin_state_up": agent["enabled"]} for agent in document["agents"] or ()],
    }


def _cloud(document: Document) -> Facts:
    """The contents of the databases; what is not known is left out."""
    found: Facts = {}
    if document["cells"] is not None:
        found["cells"] = [{**cell, "fixed": []} for cell in document["cells"]]
        found["mapped"] = {host: cell["name"] for cell in document["cells"] for host in cell["hosts"]}
    if document["services"] is not None:
        now = _seconds(document["time"])
        found["services"] = [
            {
                **row,
                "down": row["state"] != "up",
                "disabled": row["status"] != "enabled",
                "forced_down": False,
                "age": int(now - _seconds(row["updated_at"])) if row["updated_at"] else None,
            }
            for row in document["services"]
        ]
    return found


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
