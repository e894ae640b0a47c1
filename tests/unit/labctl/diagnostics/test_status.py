"""What is told of a lab, and what is judged to be wrong with it."""

from __future__ import annotations

import copy
import json
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from labctl.cli import status_text
from labctl.cli.app import app
from labctl.diagnostics import health, openstack_api, status
from labctl.errors import LabError
from labctl.lab import lock
from labctl.providers.container_nodes import ContainerNodes
from labctl.providers.containers import Container
from labctl.providers.node_state import NodeState, NodeStatus, node_state
from labctl.remote import nodes
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


def test_a_whole_lab(lab: Lab) -> None:
    document = judged(WHOLE, lab)
    assert (document["state"], document["degraded"]) == ("running", [])
    said = status_text.render(document)
    assert "compute1 running 11:58:00 (2 min) 10.0.0.21 2 of 2 1.0 GiB 30 s 0.5 50.0 GiB" in " ".join(said.split())
    assert "Versions: nova 31.0 (controller) / 30.0 (compute1), ovn 25.03" in said
    assert "Nothing is degraded." in said
    assert "\x1b" not in said
    assert "libvirtd" not in said
    everything = " ".join(status_text.render(document, units=True).split())
    assert "libvirtd compute1 active (running) 11:58:00 (2 min)" in everything


@pytest.mark.parametrize(
    ("path", "value", "where", "what", "since"),
    [
        (("nodes", 1, "state"), "stopped", "compute1", "compute1 is stopped", BEFORE),
        (("nodes", 1, "state"), "not_created", "compute1", "compute1 is missing", BEFORE),
        (("nodes", 1, "state"), "paused", "compute1", "compute1 is paused", BEFORE),
        (
            ("nodes", 1, "problem"),
            "no answer within 8 s",
            "compute1",
            "compute1 runs and does not answer: no answer within 8 s",
            None,
        ),
        (
            ("nodes", 1, "units", 1),
            unit("nova-compute", active="inactive", sub="dead"),
            *("compute1", "nova-compute does not run on compute1: it is stopped", BEFORE),
        ),
        (
            ("nodes", 1, "units", 1),
            unit("nova-compute", active="activating", sub="auto-restart", result="exit-code", restarts=4),
            *("compute1", "nova-compute does not run on compute1: it ends again and again (4 restarts)", BEFORE),
        ),
        (
            ("nodes", 1, "units", 0),
            unit("libvirtd", load="not-found", active="inactive"),
            *("compute1", "libvirtd does not run on compute1: it is not installed", BEFORE),
        ),
        (("services", 2, "state"), "down", "compute1", "nova-compute on compute1 is down for Nova", BEFORE),
        (
            ("services", 2, "status"),
            "disabled",
            "compute1",
            "nova-compute on compute1 is disabled: no server is scheduled there",
            None,
        ),
        (
            ("nodes", 1, "units"),
            [unit("libvirtd"), unit("x", active="failed", expected=False)],
            "compute1",
            "x has failed on compute1",
            None,
        ),
        (("nodes", 1, "time"), BEFORE, "compute1", "the clock of compute1 is 119 s behind", None),
        (("agents", 0, "alive"), False, "compute1", "Neutron has not heard from ovn-controller on compute1", BEFORE),
        (("agents", 0, "enabled"), False, "compute1", "ovn-controller on compute1 is disabled for Neutron", None),
        (("cells",), None, "controller", "MariaDB does not answer the question for Nova's cells", None),
        (("cells", 1, "disabled"), True, "controller", "cell1 is disabled: no server is scheduled there", None),
        (("cells", 1, "hosts"), [], "compute1", "Host 'compute1' is not mapped to any cell", None),
        (("nodes", 0, "disk", "free"), 5 * 2**20, "controller", "the file system of / on controller is full", None),
        (("nodes", 0, "memory", "available"), 2**20, "controller", "controller has 1 MiB of memory left", None),
        (("problems",), ["http://a answers 503"], "cloud", "http://a answers 503", None),
    ],
)
def test_what_is_degraded(
    lab: Lab, path: tuple[Any, ...], value: object, where: str, what: str, since: str | None
) -> None:
    document = copy.deepcopy(WHOLE)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    document = judged(document, lab)
    assert document["state"] == "degraded"
    (trouble,) = document["degraded"]
    assert (trouble["where"], trouble["what"], trouble["since"]) == (where, what, since)
    assert trouble["remedy"]
    said = status_text.render(document)
    place = "" if where in what else f"{where}: "
    assert f"  {place}{what}{' since 11:58:00 (2 min)' if since else ''}\n" in said


def test_a_service_of_another_host(lab: Lab) -> None:
    document = copy.deepcopy(WHOLE)
    document["services"][2]["host"] = "compute9"
    assert [(row["where"], row["what"]) for row in judged(document, lab)["degraded"]] == [
        ("controller", "nova-compute on compute9 is registered and not of this lab"),
        ("compute1", "nova-compute on compute1 has never reported to Nova"),
    ]


def test_an_engine_that_does_not_answer(lab: Lab) -> None:
    document = copy.deepcopy(WHOLE)
    document |= {"services": None, "agents": None, "servers": None, "cells": None, "versions": {}}
    for row in document["nodes"]:
        row |= {"state": "unknown", "problem": "no engine"}
        del row["units"]
    assert [row["what"] for row in judged(document, lab)["degraded"]] == [
        f"it is not known whether {name} runs: no engine" for name in ("controller", "compute1")
    ]


@pytest.mark.parametrize("state", ["stopped", "paused", "not_created"])
def test_a_lab_at_rest_is_not_degraded(lab: Lab, state: str) -> None:
    document = copy.deepcopy(WHOLE)
    document |= {"services": None, "agents": None, "servers": None, "cells": None, "versions": {}}
    for row in document["nodes"]:
        row["state"] = state
        for key in ("units", "memory", "disk", "load", "processor_seconds"):
            del row[key]
    document = judged(document, lab)
    assert (document["state"], document["degraded"]) == (state, [])
    assert "`labctl up`" in status_text.render(document)


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
    lists = {name: openstack_api.Rows([]) for name in ("services", "servers", "agents")}
    world: dict[str, Any] = {
        "states": {name: NodeStatus(NodeState.RUNNING) for name in ("controller", "compute1")},
        "answers": {"controller": Answer(json.dumps(STATE)), "compute1": Answer("", "not reached by ssh: no")},
        "lists": lists,
    }

    class Cloud:
        def all_rows(self, questions: dict[str, openstack_api.Question]) -> dict[str, openstack_api.Rows]:
            return {name: world["lists"][name] for name in questions}

    def connect(*_: object, **__: object) -> Cloud:
        if "refuses" in world:
            raise LabError(world["refuses"])
        if "hangs" in world:
            threading.Event().wait(60)
        return Cloud()

    def ask(_: object, __: object, nodes: list[Any], *___: object, timeout: float) -> dict[str, Answer]:
        return {row.name: world["answers"][row.name] for row in nodes}

    monkeypatch.setattr(ContainerNodes, "states", lambda _: world["states"])
    monkeypatch.setattr("labctl.diagnostics.status.ask", ask)
    monkeypatch.setattr(openstack_api, "connect", connect)
    return world


def test_look(lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any]) -> None:
    seen["lists"]["services"] = openstack_api.Rows(
        [{"binary": "nova-compute", "host": "compute1", "state": "up", "updated_at": "2026-11-25T21:35:54.000000"}]
    )
    seen["lists"]["agents"] = openstack_api.Rows([], "http://n answers 503 Service Unavailable")
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


def test_an_api_that_refuses(
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


def test_an_api_that_hangs(
    lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "TIMEOUT", 0.1)
    seen["hangs"] = True
    assert status.look(context(lab))["problems"] == ["the APIs do not answer within 0 s"]


def test_an_answer_that_is_none(
    lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any]
) -> None:
    seen["answers"]["compute1"] = Answer("Traceback")
    assert status.look(context(lab))["nodes"][1]["problem"] == "says 'Traceback'"


def test_before_the_first_verification(
    lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any]
) -> None:
    paths.clouds_yaml.unlink()
    (problem,) = status.look(context(lab))["problems"]
    assert "clouds.yaml" in problem


def test_without_networks_nova_is_not_asked_for_servers(
    make_lab: Callable[..., Lab], context: Callable[..., LabContext], seen: dict[str, Any]
) -> None:
    seen["lists"]["servers"] = openstack_api.Rows([], "500")
    document = status.look(context(make_lab(computes=1, networking="none")))
    assert (document["servers"], document["agents"], document["problems"]) == (None, None, [])


def test_who_works_on_it(lab: Lab, context: Callable[..., LabContext], paths: LabPaths, seen: dict[str, Any]) -> None:
    with lock.held(paths, "up"):
        document = status.look(context(lab))
    assert document["working"] == f"labctl up (process {os.getpid()})"
    assert "is working on it" in status_text.render(document)
    assert status.look(context(lab))["working"] is None
    paths.lock.write_text("labctl up (process 999999999)", encoding="utf-8")
    assert lock.holder(paths) is None


@pytest.mark.parametrize(
    ("word", "since", "expected"),
    [
        ("running", datetime(2026, 1, 1, tzinfo=UTC), NodeStatus(NodeState.RUNNING, datetime(2026, 1, 1, tzinfo=UTC))),
        ("exited", datetime(2026, 1, 1, tzinfo=UTC), NodeStatus(NodeState.STOPPED, datetime(2026, 1, 1, tzinfo=UTC))),
        ("paused", datetime(2026, 1, 1, tzinfo=UTC), NodeStatus(NodeState.PAUSED)),
        ("created", None, NodeStatus(NodeState.HALF_MADE)),
    ],
)
def test_states_of_containers(
    lab: Lab,
    paths: LabPaths,
    monkeypatch: pytest.MonkeyPatch,
    word: str,
    since: datetime | None,
    expected: NodeStatus,
) -> None:
    paths.make_state()
    mine, other = str(paths.directory), "/elsewhere"
    found = [
        Container("1", "novalab-lab-controller", node_state(word), mine, since=since),
        Container("2", "novalab-lab-compute1", node_state(word), other, since=since),
    ]
    monkeypatch.setattr("labctl.providers.engine.find", lambda *_: None)
    monkeypatch.setattr("labctl.providers.containers.find", lambda *_, **__: found)
    assert ContainerNodes(lab, paths).states() == {
        "controller": expected,
        "compute1": NodeStatus(NodeState.NOT_CREATED),
    }


def test_no_engine(lab: Lab, paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert {state.state for state in ContainerNodes(lab, paths).states().values()} == {"not_created"}
    assert not paths.state.exists()
    paths.make_state()
    states = ContainerNodes(lab, paths).states()
    assert {state.state for state in states.values()} == {"unknown"}
    assert "No container engine works" in states["controller"].problem


def test_hosts_without_a_note(lab: Lab, make_lab: Callable[..., Lab], paths: LabPaths) -> None:
    assert nodes.hosts(lab, paths, ["compute1"])["compute1"].host == "192.168.56.21"
    assert nodes.hosts(make_lab(provider="libvirt"), paths, ["compute1"]) == {}


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


def test_exit_status(paths: LabPaths, looks: list[dict[str, Any]]) -> None:
    assert run(paths)[0] == 0
    code, lines = run(paths)
    assert (code, lines[-2:]) == (1, ["  cloud: no", "      `labctl verify` says more"])


def test_watch(paths: LabPaths, looks: list[dict[str, Any]]) -> None:
    code, lines = run(paths, "--watch", "0.2", "--json")
    assert (code, [json.loads(line)["state"] for line in lines]) == (130, ["running", "degraded"])


def test_watch_without_a_terminal(paths: LabPaths, looks: list[dict[str, Any]]) -> None:
    code, lines = run(paths, "--watch", "0.2")
    assert (code, sum(line.startswith("Lab lab") for line in lines)) == (130, 2)
