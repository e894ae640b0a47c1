# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What is said of servers that do not come up, on what a lab's APIs and logs have said of such servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.novalab.openstack.plugins.filter.server_explanation import server_explanation
from ansible_collections.novalab.openstack.plugins.module_utils import explanation

# A flavor of 16 processors; a server for compute2, whose nova-compute was stopped; a raw image of zeros; a compute
# without Open vSwitch; a server that is up. Caught on a lab of two computes.
CAPTURED: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("captured").joinpath("servers.json").read_text(encoding="utf-8")
)


def case(name: str, **facts: Any) -> dict[str, Any]:  # noqa: ANN401 (as the module's facts)
    """An explanation of a captured server, with other facts in the place of some."""
    captured = CAPTURED[name]
    said: dict[str, Any] = server_explanation({**captured["facts"], **facts}, captured["logs"])
    return said


def services(**changes: str) -> list[dict[str, Any]]:
    """The computes as captured, with changes to compute2."""
    return [
        {**service, **(changes if service["host"] == "compute2" else {})}
        for service in CAPTURED["dead"]["facts"]["computes"]
    ]


DOWN = services(state="down", updated_at="2026-11-25T01:55:29.000000")


@pytest.mark.parametrize(
    ("said", "causes", "remedy"),
    [
        (
            case("big"),
            [
                "compute1 has too little: asked 16 VCPU, a server can have 2 at most",
                "compute2 has too little: asked 16 VCPU, a server can have 2 at most",
                "the scheduler asked no filter: Placement has offered no compute",
            ],
            "choose a smaller flavor, or delete servers",
        ),
        (
            case("dead", computes=DOWN),
            [
                "only compute2 was allowed, by the request",
                "nova-compute on compute2 is down, last heard of at 2026-11-25T01:55:29",
                "the filter ComputeFilter left none of 1",
                "nova-compute on compute2 had not been heard from when the scheduler looked",
            ],
            "labctl ssh compute2 -- sudo systemctl start nova-compute",
        ),
        (
            case("dead"),
            [
                "only compute2 was allowed, by the request",
                "the filter ComputeFilter left none of 1",
                "nova-compute on compute2 had not been heard from when the scheduler looked",
            ],
            "what kept the computes out is over, as far as it shows: delete the server and make it again",
        ),
        (
            case("dead", computes=services(status="disabled", disabled_reason="new disk")),
            [
                "only compute2 was allowed, by the request",
                "nova-compute on compute2 is disabled: new disk",
                "the filter ComputeFilter left none of 1",
                "nova-compute on compute2 had not been heard from when the scheduler looked",
            ],
            "openstack compute service set --enable compute2 nova-compute",
        ),
        (
            case("dead", status="BUILD", fault="", task="scheduling", allocated=["compute2"], computes=DOWN),
            ["it was given to compute2, and nova-compute on compute2 is down, last heard of at 2026-11-25T01:55:29"],
            "labctl ssh compute2 -- sudo systemctl start nova-compute: the build then goes on",
        ),
        (
            case("dead", status="BUILD", fault="", allocated=["compute2"], seconds=12),
            ["it has been building on compute2 for 12 s"],
            "wait; 'labctl verify' says whether the lab is whole",
        ),
        (
            case("build-failed"),
            [
                "compute1 has logged: Unable to open stream to tcp:127.0.0.1:6640 to retrieve schema: Connection",
                "compute1 has logged: Failed to plug vif VIFOpenVSwitch(",
            ],
            "mend the cause, delete the server and make it again",
        ),
        (
            case("up", status="SHUTOFF"),
            ["it is in status SHUTOFF"],
            "'openstack server start' starts a server that is shut off",
        ),
        (case("up"), ["its guest says on the console that it is up"], ""),
        (case("up", ready="novalab guest ready: "), ["its guest says on the console that it is up"], ""),
    ],
)
def test_causes_of_a_servers_failure_are_named_with_a_remedy(
    said: dict[str, Any], causes: list[str], remedy: str
) -> None:
    assert len(said["causes"]) == len(causes), said["causes"]
    for found, expected in zip(said["causes"], causes, strict=True):
        assert found.startswith(expected)
    assert said["remedy"] == remedy


@pytest.mark.parametrize(
    ("console", "ready", "cause"),
    [
        ("", "", "image demo-zero does not boot"),
        ("SeaBIOS\nBooting from Hard Disk...\nNo bootable device.\n", "", "no system to start: No bootable device"),
        ("[1.2] Kernel panic - not syncing: VFS\n", "", "no system to start: Kernel panic - not syncing: VFS"),
        ("Linux version 6.12\n", "guest ready", "has not said 'guest ready' after"),
    ],
)
def test_a_machine_without_a_system(console: str, ready: str, cause: str) -> None:
    said = case("noboot", console=console, ready=ready)
    assert not said["up"]
    assert cause in said["causes"][0]
    assert "labctl console demo-noboot" in said["remedy"]
    assert all(line.startswith("console: ") for line in said["evidence"])


def test_a_guest_whose_compute_is_down() -> None:
    said = case("up", computes=DOWN)
    assert not said["up"]
    assert said["causes"] == ["nova-compute on compute2 is down, last heard of at 2026-11-25T01:55:29"]


def test_a_guest_without_metadata() -> None:
    console = "  hostname   guest\n  metadata   none\nnovalab guest ready: guest 1 172.24.4.239\n"
    said = case("up", console=console, ready="novalab guest ready: ")
    assert said["causes"] == ["its guest has got no metadata, so no name and no script of its own"]
    assert "neutron-ovn-metadata-agent.log on compute2" in said["remedy"]


def test_evidence_is_shortened_and_harmless() -> None:
    """Without what is the same in every line, and without what would steer a terminal."""
    assert "controller: 02:00:16 INFO nova.filters: Filter ComputeFilter returned 0 hosts" in case("dead")["evidence"]
    assert "console: # " in case("up", console="\x1b[6n# \r\n")["evidence"]


def test_only_one_that_says_so_is_up() -> None:
    assert [name for name in CAPTURED if case(name)["up"]] == ["up"]


@pytest.mark.parametrize(
    ("asked", "inventory", "shortage"),
    [
        ({"VCPU": 2}, {"total": 2, "reserved": 0, "allocation_ratio": 4.0, "max_unit": 2, "used": 6}, []),
        (
            {"VCPU": 2},
            {"total": 2, "reserved": 0, "allocation_ratio": 4.0, "max_unit": 2, "used": 7},
            ["asked 2 VCPU, 1 of 8 are free"],
        ),
        (
            {"VCPU": 3},
            {"total": 2, "reserved": 0, "allocation_ratio": 4.0, "max_unit": 2, "used": 0},
            ["asked 3 VCPU, a server can have 2 at most"],
        ),
        (
            {"VCPU": 100},
            {"total": 100, "reserved": 1, "allocation_ratio": 1.0, "max_unit": 100, "used": 0},
            ["asked 100 VCPU, 99 of 99 are free"],
        ),
        ({"VCPU": 0}, None, []),
        ({"VCPU": 1}, None, ["asked 1 VCPU, it has none"]),
    ],
)
def test_shortages_are_computed_from_the_inventory(
    asked: dict[str, int], inventory: dict[str, Any] | None, shortage: list[str]
) -> None:
    assert explanation.shortages(asked, {"VCPU": inventory} if inventory else {}) == shortage
