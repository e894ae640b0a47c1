"""What of a lab's state is degraded."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from labctl.cli import status_text
from labctl.diagnostics import health

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab

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


def test_status_of_a_healthy_lab_has_nothing_degraded(lab: Lab) -> None:
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
def test_status_of_a_fault_names_it(
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
