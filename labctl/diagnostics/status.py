"""What a lab is like right now: its nodes, Nova's and Neutron's own lists, versions, and what is wrong since when."""

import json
import threading
import time
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
from labctl.remote.nodes import ask
from labctl.remote.ssh import Answer

T = TypeVar("T")

TIMEOUT = 8.0  # seconds that a node, or an API, has for its answer; 1 is usual
_SERVICES = openstack_api.Question("compute", "/os-services", "services")
_SERVERS = openstack_api.Question("compute", "/servers/detail?all_tenants=1", "servers")
_AGENTS = openstack_api.Question("network", "/v2.0/agents", "agents")

Document = dict[str, Any]


def look(context: LabContext) -> Document:
    """Everything that can be told of a lab within a few seconds, as `labctl status --json` prints it.

    Never an exception because of the lab: what does not answer is named under problems. Lists that could not be had are
    None. Times are ISO 8601 in UTC, sizes are bytes.
    """
    lab, paths = context.lab, context.paths
    start = time.monotonic()
    # The APIs are asked at once, before it is known whether their node runs: when it does not, nobody waits for them.
    cloud = _start(lambda: _cloud(lab, paths)) if paths.clouds_yaml.is_file() else None
    states = context.provider.states()
    running = [node for node in lab.nodes if states[node.name].running]
    before = time.time()
    answers = ask(lab, paths, running, "state", lambda node: _wanted(lab, node), timeout=TIMEOUT)
    after = time.time()
    nodes = [_node(node, states[node.name], answers.get(node.name)) for node in lab.nodes]
    lists: Document = {"services": None, "agents": None, "servers": None}
    problems = sorted({state.problem for state in states.values() if state.problem})
    if states[lab.controller.name].running and cloud is not None:
        said, more = _within(cloud, 2 * TIMEOUT)
        lists.update(said)
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
    """Something done beside; the end of the program does not wait for it, as it would for a pool's threads."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 (it is raised again where the result is asked for)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _cloud(lab: Lab, paths: LabPaths) -> tuple[Document, list[str]]:
    """Nova's services and servers and Neutron's agents, and why one of these lists is missing."""
    questions = {"services": _SERVICES}
    if lab.networking != "none":  # without networks Nova cannot even list servers
        questions |= {"servers": _SERVERS, "agents": _AGENTS}
    found = openstack_api.connect(paths, lab.name, timeout=TIMEOUT).all_rows(questions)
    shape = {"services": _service, "servers": _server, "agents": _agent}
    lists = {name: [shape[name](row) for row in rows.rows] for name, rows in found.items() if not rows.problem}
    return lists, [rows.problem for rows in found.values() if rows.problem]


def _within(cloud: "Future[tuple[Document, list[str]]]", seconds: float) -> tuple[Document, list[str]]:
    try:
        return cloud.result(timeout=seconds)
    except LabError as error:
        return {}, [error.message]
    except TimeoutError:
        return {}, [f"the APIs do not answer within {seconds:.0f} s"]


def _wanted(lab: Lab, node: Node) -> Document:
    packages = [name for names in services.versions(lab).values() for name in names]
    return {"units": services.units(lab, node), "packages": packages, "cells": node is lab.controller}


def _node(node: Node, state: NodeStatus, answer: Answer | None) -> Document:
    """A node as it was described, as its engine has it, and as it says itself."""
    result: Document = {
        "name": node.name,
        "group": node.group,
        "address": str(node.address),
        "state": state.state,
        "since": _iso(state.since),
        "problem": state.problem or None,
    }
    if answer is None:
        return result
    try:
        said = json.loads(answer.output) if answer.ok else {}
    except ValueError:
        said, answer = {}, Answer("", f"says {answer.output[:200]!r}")
    if not answer.ok:
        return {**result, "problem": answer.problem}
    said["units"] = [{**unit, "since": _iso(_moment(unit["since"]))} for unit in said["units"]]
    return {
        **said,
        **result,
        "since": result["since"] or _iso(_moment(said["since"])),
        "time": _iso(_moment(said["time"])),
    }


def _versions(nodes: list[Document], wanted: Mapping[str, Sequence[str]]) -> dict[str, dict[str, list[str]]]:
    """For each component its versions, each with the nodes that have it."""
    found: dict[str, dict[str, list[str]]] = {}
    for node in nodes:
        installed = node.get("packages", {})
        for component, packages in wanted.items():
            version = next((installed[name] for name in packages if name in installed), None)
            if version is not None:
                found.setdefault(component, {}).setdefault(version, []).append(node["name"])
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
    addresses = [entry["addr"] for entries in row.get("addresses", {}).values() for entry in entries]
    return {
        "name": row["name"],
        "id": row["id"],
        "status": row["status"],
        "host": row.get("OS-EXT-SRV-ATTR:host"),
        "addresses": addresses,
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


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
