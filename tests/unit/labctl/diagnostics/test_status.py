"""What is told of a lab, and what is judged to be wrong with it."""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from labctl.cli import status_text
from labctl.cli.app import app
from labctl.diagnostics import health, openstack_api, status
from labctl.errors import LabError
from labctl.lab import lock
from labctl.providers.container_nodes import ContainerNodes
from labctl.providers.node_state import NodeState, NodeStatus
from labctl.remote.ssh import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths
    from labctl.lifecycle.context import LabContext

NOW = "2026-11-25T12:00:00Z"
BEFORE = "2026-11-25T11:58:00Z"
SECONDS = datetime.fromisoformat(NOW).timestamp()
GIBIBYTE = 2**30


def unit(name: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
    state = {
        "load": "loaded",
        "active": "active",
        "sub": "running",
        "result": "success",
        "since": BEFORE,
        "started": 0.0,
        "enabled": "enabled",
        "restarts": 0,
        "expected": True,
    }
    return {"unit": name, **state, **changes}


def node(name: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
    return {
        "name": name,
        "group": "compute_nodes",
        "address": "10.0.0.21",
        "state": "running",
        "since": BEFORE,
        "problem": None,
        "time": NOW,
        "units": [unit("libvirtd"), unit("nova-compute")],
        "memory": {"used": GIBIBYTE, "total": 8 * GIBIBYTE, "available": 4 * GIBIBYTE},
        "load": [0.5, 0.4, 0.3],
        "processor_seconds": 30.0,
        "disk": {"total": 90 * GIBIBYTE, "used": 40 * GIBIBYTE, "free": 50 * GIBIBYTE},
        **changes,
    }


def service(binary: str, host: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
    state = {"zone": "nova", "status": "enabled", "state": "up", "disabled_reason": None, "updated_at": BEFORE}
    return {"binary": binary, "host": host, **state, **changes}


WHOLE: dict[str, Any] = {
    "lab": "lab",
    "directory": "/lab",
    "release": "2025.1",
    "provider": "docker",
    "time": NOW,
    "working": None,
    "nodes": [node("controller", units=[unit("mariadb"), unit("nova-api")]), node("compute1")],
    "services": [
        service("nova-scheduler", "controller"),
        service("nova-conductor", "controller"),
        service("nova-compute", "compute1"),
    ],
    "agents": [
        {
            "binary": "ovn-controller",
            "host": "compute1",
            "type": "OVN Controller agent",
            "alive": True,
            "enabled": True,
            "updated_at": BEFORE,
        }
    ],
    "servers": [
        {
            "name": "web\x1b[2J",
            "id": "1",
            "status": "ERROR",
            "host": None,
            "addresses": ["10.1.0.5"],
            "project": "p",
            "updated_at": BEFORE,
        }
    ],
    "cells": [
        {"name": "cell0", "uuid": "0", "disabled": False, "hosts": []},
        {"name": "cell1", "uuid": "1", "disabled": False, "hosts": ["compute1"]},
    ],
    "versions": {
        "nova": {"2:31.0": ["controller"], "2:30.0": ["compute1"]},
        "ovn": {"25.03": ["controller", "compute1"]},
    },
    "problems": [],
}


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(computes=1)


def judged(document: dict[str, Any], lab: Lab) -> dict[str, Any]:
    state, degraded = health.judge(document, lab, (SECONDS - 1, SECONDS + 1))
    return {**document, "state": state, "degraded": degraded}


STATE = {
    "hostname": "controller",
    "time": 1795600000.0,
    "since": 1795500000.0,
    "units": [unit("mariadb", since=1795500100), unit("keystone", since=None)],
    **{key: value for key, value in node("").items() if key in ("memory", "load", "processor_seconds", "disk")},
    "packages": {"nova-common": "2:31", "libvirt0": "11"},
    "cells": [],
}


@pytest.fixture
def seen(paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a lab of one compute is like; a test changes it before it looks."""
    paths.clouds_yaml.touch()
    lists: dict[str, Any] = {name: [] for name in ("services", "servers", "agents")}
    world: dict[str, Any] = {
        "states": {name: NodeStatus(NodeState.RUNNING) for name in ("controller", "compute1")},
        "answers": {"controller": Answer(json.dumps(STATE)), "compute1": Answer("", "not reached by ssh: no")},
        "lists": lists,
    }

    def ask_apis(
        _: object, __: object, questions: dict[str, object], **___: object
    ) -> tuple[dict[str, Any], list[str]]:
        if "refuses" in world:
            raise LabError(world["refuses"])
        if "hangs" in world:
            threading.Event().wait(60)
        found = {name: world["lists"][name] for name in questions}
        problems = [rows for rows in found.values() if isinstance(rows, str)]
        return {name: rows for name, rows in found.items() if isinstance(rows, list)}, problems

    def ask(_: object, __: object, nodes: list[Any], *___: object, timeout: float) -> dict[str, Answer]:
        return {row.name: world["answers"][row.name] for row in nodes}

    monkeypatch.setattr(ContainerNodes, "states", lambda _: world["states"])
    monkeypatch.setattr("labctl.diagnostics.status.ask", ask)
    monkeypatch.setattr(openstack_api, "ask", ask_apis)
    return world


def test_look_collects_nodes_lists_and_problems(
    lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any]
) -> None:
    seen["lists"]["services"] = [
        {"binary": "nova-compute", "host": "compute1", "state": "up", "updated_at": "2026-11-25T21:35:54.000000"}
    ]
    seen["lists"]["agents"] = "http://n answers 503 Service Unavailable"
    document = status.look(context(lab))
    controller, compute = document["nodes"]
    assert (controller["since"], controller["units"][0]["since"]) == ("2026-11-24T06:00:00Z", "2026-11-24T06:01:40Z")
    assert controller["units"][1]["since"] is None
    assert compute["problem"] == "not reached by ssh: no"
    assert document["versions"] == {"nova": {"2:31": ["controller"]}, "libvirt": {"11": ["controller"]}}
    assert document["services"][0]["updated_at"] == "2026-11-25T21:35:54Z"
    assert (document["agents"], document["servers"], document["cells"]) == (None, [], [])
    assert document["state"] == "degraded"
    assert "http://n answers 503 Service Unavailable" in [row["what"] for row in document["degraded"]]
    assert json.loads(json.dumps(document)) == document


def test_status_with_an_api_that_refuses_says_so(
    lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any]
) -> None:
    seen["refuses"] = "http://k answers 401"
    document = status.look(context(lab))
    assert (document["services"], document["problems"]) == (None, ["http://k answers 401"])


def test_nobody_waits_for_the_apis_of_a_node_that_is_off(
    lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any]
) -> None:
    seen["hangs"] = True
    seen["states"] = {name: NodeStatus(NodeState.PAUSED) for name in seen["states"]}
    document = status.look(context(lab))
    assert (document["state"], document["services"], document["problems"]) == ("paused", None, [])


def test_status_with_an_api_that_hangs_says_so(
    lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "TIMEOUT", 0.1)
    seen["hangs"] = True
    assert status.look(context(lab))["problems"] == ["the APIs do not answer within 0 s"]


def test_status_with_an_answer_that_is_not_json_says_so(
    lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any]
) -> None:
    seen["answers"]["compute1"] = Answer("Traceback")
    assert status.look(context(lab))["nodes"][1]["problem"] == "its answer is not JSON: 'Traceback'"


def test_before_the_first_verification(
    lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any]
) -> None:
    paths.clouds_yaml.unlink()
    (problem,) = status.look(context(lab))["problems"]
    assert "clouds.yaml" in problem


def test_without_networks_nova_is_not_asked_for_servers(
    make_lab: Callable[..., Lab], context: Callable[..., LabContext], seen: dict[str, Any]
) -> None:
    seen["lists"]["servers"] = "500"
    document = status.look(context(make_lab(computes=1, networking="none")))
    assert (document["servers"], document["agents"], document["problems"]) == (None, None, [])


def test_status_names_the_labctl_that_works_on_the_lab(
    lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any]
) -> None:
    with lock.held(paths, "up"):
        document = status.look(context(lab))
    assert document["working"] == f"labctl up (process {os.getpid()})"
    assert "is working on it" in status_text.render(document)
    assert status.look(context(lab))["working"] is None
    paths.lock.write_text("labctl up (process 999999999)", encoding="utf-8")
    assert lock.holder(paths) is None


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> list[dict[str, Any]]:
    """What the verb sees, one after the other; Ctrl-C after the last."""
    found = [judged(WHOLE, lab), judged({**WHOLE, "problems": ["no"]}, lab)]

    def one(*_: object) -> dict[str, Any]:
        if not found:
            raise KeyboardInterrupt
        return found.pop(0)

    monkeypatch.setattr(status, "look", one)
    return found


def run(paths: LabPaths, *arguments: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["-C", str(paths.directory), "status", *arguments])
    return result.exit_code, result.stdout.splitlines()


def test_exit_status_of_a_degraded_lab_is_one(paths: LabPaths, looks: list[dict[str, Any]]) -> None:
    assert run(paths)[0] == 0
    code, lines = run(paths)
    assert (code, lines[-2:]) == (1, ["  cloud: no", "      `labctl verify` says more"])


def test_watch_repeats_until_interrupted(paths: LabPaths, looks: list[dict[str, Any]]) -> None:
    code, lines = run(paths, "--watch", "0.2", "--json")
    assert (code, [json.loads(line)["state"] for line in lines]) == (130, ["running", "degraded"])


def test_watch_without_a_terminal(paths: LabPaths, looks: list[dict[str, Any]]) -> None:
    code, lines = run(paths, "--watch", "0.2")
    assert (code, sum(line.startswith("Lab lab") for line in lines)) == (130, 2)
