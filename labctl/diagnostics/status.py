"""The current state of a lab: its nodes, Nova's and Neutron's own lists, versions, and what is wrong since when."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, TypeVar

from labctl.ansible import services
from labctl.diagnostics import health, openstack_api
from labctl.errors import LabError
from labctl.lab import lock
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.lifecycle.context import LabContext
from labctl.providers.node_state import NodeStatus
from labctl.remote.nodes import ask, documents

T = TypeVar("T")

TIMEOUT = 8.0  # seconds that a node, or an API, has for its answer; 1 is usual
_SERVICES = openstack_api.Question("compute", "/os-services", "services")
_SERVERS = openstack_api.Question("compute", "/servers/detail?all_tenants=1", "servers")
_AGENTS = openstack_api.Question("network", "/v2.0/agents", "agents")

Document = dict[str, Any]


def look(context: LabContext) -> Document:
    """Everything that is known of a lab within a few seconds, as `labctl status --json` prints it.

    Never an exception because of the lab: what does not answer is named under problems, and its lists are None. Times
    are ISO 8601 in UTC, sizes are bytes.
    """
    lab, paths = context.lab, context.paths
    start = time.monotonic()
    # The APIs are asked before it is known whether their node runs; if it does not, their answer is not waited for.
    cloud = _start(lambda: _cloud(lab, paths)) if paths.clouds_yaml.is_file() else None
    states = context.provider.states()
    running = [node for node in lab.nodes if states[node.name].running]
    packages = [name for names in services.versions(lab).values() for name in names]

    def wanted(node: Node) -> Document:
        return {"units": services.units(lab, node), "packages": packages, "cells": node is lab.controller}

    before = time.time()
    said, silent = documents(ask(lab, paths, running, "state", wanted, timeout=TIMEOUT))
    after = time.time()
    nodes = [_node(node, states[node.name], said.get(node.name), silent.get(node.name)) for node in lab.nodes]
    lists: Document = {"services": None, "agents": None, "servers": None}
    problems = sorted({state.problem for state in states.values() if state.problem})
    if states[lab.controller.name].running and cloud is not None:
        known, more = _within(cloud, 2 * TIMEOUT)
        lists.update(known)
        problems += more
    elif states[lab.controller.name].running:
        problems.append(f"the APIs were not asked: {paths.clouds_yaml}, which the verification writes, is not there")
    document: Document = {
        "lab": lab.name,
        "directory": str(paths.directory),
        "release": lab.release.value,
        "provider": lab.provider,
        "time": _iso(datetime.now(UTC)),
        "working": lock.holder(paths),
        "nodes": nodes,
        **lists,
        "cells": next((node.pop("cells") for node in nodes if "cells" in node), None),
        "versions": _versions(nodes, services.versions(lab)),
        "problems": problems,
    }
    document["state"], document["degraded"] = health.judge(document, lab, (before, after))
    document["seconds"] = round(time.monotonic() - start, 2)
    return document


def _start(function: Callable[[], T]) -> "Future[T]":
    """Run a function in a thread that the end of the program does not wait for, unlike a pool's."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 (result() raises it again)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _cloud(lab: Lab, paths: LabPaths) -> tuple[Document, list[str]]:
    """Nova's services and servers and Neutron's agents, and why one of these lists is missing."""
    questions = {"services": _SERVICES}
    if lab.networking != "none":  # without networks Nova cannot even list servers
        questions |= {"servers": _SERVERS, "agents": _AGENTS}
    found, problems = openstack_api.ask(paths, lab.name, questions, timeout=TIMEOUT)
    shape = {"services": _service, "servers": _server, "agents": _agent}
    return {name: [shape[name](row) for row in rows] for name, rows in found.items()}, problems


def _within(cloud: "Future[tuple[Document, list[str]]]", seconds: float) -> tuple[Document, list[str]]:
    try:
        return cloud.result(timeout=seconds)
    except LabError as error:
        return {}, [error.message]
    except TimeoutError:
        return {}, [f"the APIs do not answer within {seconds:.0f} s"]


def _node(node: Node, state: NodeStatus, said: Document | None, problem: str | None) -> Document:
    """A node as described, with its provider's state, and what it says itself."""
    result: Document = {
        "name": node.name,
        "group": node.group,
        "address": str(node.address),
        "state": state.state,
        "since": _iso(state.since),
        "problem": problem or state.problem or None,
    }
    if said is None:
        return result
    units = [{**unit, "since": _iso(unit["since"])} for unit in said["units"]]
    since = result["since"] or _iso(said["since"])
    return {**said, **result, "units": units, "since": since, "time": _iso(said["time"])}


def _versions(nodes: list[Document], wanted: Mapping[str, Sequence[str]]) -> Mapping[str, Mapping[str, list[str]]]:
    """For each component its versions, each with the nodes that have it."""
    found: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for node in nodes:
        installed = node.get("packages", {})
        for component, packages in wanted.items():
            if version := next((installed[name] for name in packages if name in installed), None):
                found[component][version].append(node["name"])
    return found


def _service(row: Document) -> Document:
    keys = ("binary", "host", "zone", "status", "state", "disabled_reason")
    return {**{key: row.get(key) for key in keys}, "updated_at": _api_time(row.get("updated_at"))}


def _agent(row: Document) -> Document:
    return {
        "binary": row["binary"],
        "host": row["host"],
        "type": row["agent_type"],
        "alive": row["alive"],
        "enabled": row["admin_state_up"],
        "updated_at": _api_time(row.get("heartbeat_timestamp")),
    }


def _server(row: Document) -> Document:
    return {
        "name": row["name"],
        "id": row["id"],
        "status": row["status"],
        "host": row.get("OS-EXT-SRV-ATTR:host"),
        "addresses": [entry["addr"] for entries in row.get("addresses", {}).values() for entry in entries],
        "project": row.get("tenant_id"),
        "updated_at": _api_time(row.get("updated")),
    }


def _api_time(text: object) -> str | None:
    """The services write UTC, and most of them do not say so."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return _iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _iso(moment: datetime | float | None) -> str | None:
    """A time, or seconds since the epoch, in UTC."""
    if moment is None:
        return None
    utc = moment.astimezone(UTC) if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%SZ}"
