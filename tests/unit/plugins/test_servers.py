# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What is decided about servers: kept, started, replaced, waited for, left over."""

from __future__ import annotations

import base64
import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils import cloud
from ansible_collections.novalab.openstack.plugins.modules import (
    check_allocations,
    check_leftovers,
    log_lines,
    server_diagnosis,
    server_wait,
    servers,
)

FAULT = {"message": "No valid host was found."}
OWN_FAULT = {
    "message": "Instance 7f771418-8170-4782-8730-d20cfc55a7b9 in power state running. "
    "Cannot get_diagnostics while the instance is in this state."
}
CONTEXT = "[None req-d727dccb 178fba48 b62ce7d4 - - default default]"


def listed(name: str, status: str = "ACTIVE", user_data: str = "", **more: object) -> dict[str, Any]:
    encoded = base64.b64encode(user_data.encode()).decode() or None
    return {"id": f"id-{name}", "name": name, "status": status, "OS-EXT-SRV-ATTR:user_data": encoded, **more}


@pytest.mark.parametrize(
    ("server", "verdict"),
    [
        (listed("a", user_data="x"), ("keep", "")),
        (listed("a", "BUILD", user_data="x"), ("keep", "")),
        (listed("a", "SHUTOFF", user_data="x"), ("start", "it was shut off")),
        (listed("a", "ERROR", user_data="x"), ("replace", "it was in status ERROR")),
        (
            listed("a", "ERROR", user_data="x", fault=FAULT),
            ("replace", "it was in status ERROR: No valid host was found."),
        ),
        (listed("a", "ERROR", user_data="x", fault=OWN_FAULT), ("replace", "it was in status ERROR")),
        (listed("a", user_data="y"), ("replace", "it was made for other neighbours")),
        (listed("a", "SHUTOFF"), ("replace", "it was made for other neighbours")),
    ],
)
def test_verdict_on_a_server_that_exists(server: dict[str, Any], verdict: tuple[str, str]) -> None:
    assert servers.verdict(server, "x") == verdict


class Cloud:
    """A cloud that remembers what it was told."""

    def __init__(self, there: list[dict[str, Any]], ports: dict[str, str]) -> None:
        self.there = {server["name"]: server for server in there}
        self.told: list[str] = []
        self.addresses = {name: self.port(name, address) for name, address in ports.items()}

    @staticmethod
    def port(name: str, address: str) -> SimpleNamespace:
        return SimpleNamespace(name=name, id=f"port-{name}", fixed_ips=[{"ip_address": address}])

    def id(self, kind: str, name: str) -> str:
        return f"{kind}-{name}"

    def servers(self, names: set[str]) -> dict[str, dict[str, Any]]:
        return {name: server for name, server in self.there.items() if name in names}

    def ports(self, names: set[str]) -> dict[str, Any]:
        return {name: port for name, port in self.addresses.items() if name in names}

    def make_port(self, name: str, network: str, security_groups: list[str]) -> SimpleNamespace:
        self.told.append(f"port {name} {network} {security_groups}")
        return self.port(name, f"new-{name}")

    def make_server(self, **body: Any) -> str:  # noqa: ANN401 (a request's body)
        script = base64.b64decode(body["user_data"]).decode()
        self.told.append(f"server {body['name']} {body['host']} {body['networks'][0]['port']} {script}")
        return f"new-{body['name']}"

    def runs(self, server_id: str) -> bool:
        return not self.there[server_id.removeprefix("id-")].get("off")

    def reboot(self, server_id: str) -> None:
        self.told.append(f"reboot {server_id}")

    def start(self, server_id: str) -> None:
        self.told.append(f"start {server_id}")

    def delete(self, server_ids: list[str], timeout: int) -> None:
        assert timeout == 1
        self.told += [f"delete {server_id}" for server_id in server_ids]

    def delete_port(self, port: SimpleNamespace) -> None:
        self.told.append(f"delete {port.id}")


PARAMETERS: dict[str, Any] = {
    "servers": [{"name": "a", "host": "compute1"}, {"name": "b", "host": "compute2"}],
    "image": "guest",
    "flavor": "tiny",
    "network": "lab",
    "security_group": "open",
    "key_name": None,
    "user_data": "ping ADDRESSES",
    "timeout": 1,
}
PORTS = {"a": "10.0.0.1", "b": "10.0.0.2"}


@pytest.mark.parametrize(
    ("there", "ports", "told", "actions"),
    [
        (
            [],
            {},
            [
                "port a network-lab ['security_group-open']",
                "port b network-lab ['security_group-open']",
                "server a compute1 port-a ping new-b",
                "server b compute2 port-b ping new-a",
            ],
            ["make a", "make b"],
        ),
        ([listed("a", user_data="ping 10.0.0.2"), listed("b", user_data="ping 10.0.0.1")], PORTS, [], []),
        (
            [listed("a", "SHUTOFF", user_data="ping 10.0.0.2"), listed("b", "ERROR", fault=FAULT)],
            PORTS,
            ["delete id-b", "start id-a", "server b compute2 port-b ping 10.0.0.1"],
            ["start a: it was shut off", "replace b: it was in status ERROR: No valid host was found."],
        ),
        (
            [listed("a", user_data="ping 10.0.0.2", off=True), listed("b", user_data="ping 10.0.0.1")],
            PORTS,
            ["reboot id-a"],
            ["reboot a: its machine was off"],
        ),
        (
            [listed("a", user_data="ping 10.0.0.2")],
            PORTS,
            ["server b compute2 port-b ping 10.0.0.1"],
            ["make b"],
        ),
    ],
)
def test_present_makes_or_replaces_servers(
    there: list[dict[str, Any]], ports: dict[str, str], told: list[str], actions: list[str]
) -> None:
    cloud = Cloud(there, ports)
    done, found = servers.present(cloud, PARAMETERS, check=False)
    assert (cloud.told, done) == (told, actions)
    assert [(server["name"], server["host"]) for server in found] == [("a", "compute1"), ("b", "compute2")]


def test_check_mode_does_nothing() -> None:
    cloud = Cloud([listed("a", "ERROR")], {})
    assert servers.present(cloud, PARAMETERS, check=True) == (["make b"], [])
    cloud = Cloud([listed("a", "ERROR")], PORTS)
    assert servers.present(cloud, PARAMETERS, check=True)[0] == ["replace a: it was in status ERROR", "make b"]
    assert servers.absent(cloud, {"a"}, 1, check=True) == ["delete server a", "delete port a"]
    assert cloud.told == []


def test_absent_deletes_its_own_servers_and_ports() -> None:
    cloud = Cloud([listed("a"), listed("mine")], {**PORTS, "mine": "10.0.0.9"})
    assert servers.absent(cloud, {"a", "b"}, 1, check=False) == ["delete server a", "delete port a", "delete port b"]
    assert cloud.told == ["delete id-a", "delete port-a", "delete port-b"]


@pytest.mark.parametrize(
    ("server", "console", "lacks", "final"),
    [
        (listed("a", "BUILD", **{"OS-EXT-STS:task_state": "spawning"}), "", "a is in status BUILD (spawning)", False),
        (listed("a", "ERROR", fault=FAULT), "", "a is in status ERROR: No valid host was found.", True),
        (listed("a"), "", "a is ACTIVE and has not said on its console: ready", False),
        (listed("a"), "ready\nb is silent", "a says on its console: b is silent", True),
        (listed("a"), "root@a:~# ready", "", False),
    ],
)
def test_state_says_what_a_server_lacks(server: dict[str, Any], console: str, lacks: str, final: bool) -> None:
    wanted = {"name": "a", "id": "id-a", "texts": ["ready"], "bad": ["b is silent"]}
    assert server_wait.state_of(server, wanted, console) == (lacks, final)


def test_wait_asks_until_all_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_wait, "POLL_SECONDS", 0)
    consoles = {"id-a": iter(["", "ready"]), "id-b": iter(["ready"])}
    cloud = SimpleNamespace(server=lambda wanted: listed(wanted[3:]), console=lambda wanted: next(consoles[wanted]))
    wanted = [{"name": name, "id": f"id-{name}", "texts": ["ready"], "bad": []} for name in "ab"]
    ready, problems = server_wait.wait(cloud, wanted, 60)
    assert ([server["name"] for server in ready], problems) == (["a", "b"], {})


def test_wait_ends_at_the_first_error() -> None:
    cloud = SimpleNamespace(server=lambda wanted: listed(wanted[3:], "ERROR" if wanted == "id-a" else "BUILD"))
    wanted = [{"name": name, "id": f"id-{name}", "texts": [], "bad": []} for name in "ab"]
    assert server_wait.wait(cloud, wanted, 3600)[1] == {
        "id-a": "a is in status ERROR: without a message",
        "id-b": "b is in status BUILD",
    }


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (f"2026-11-25 02:00:16.312 2226 INFO nova.filters {CONTEXT} Filter ComputeFilter returned 0 hosts", True),
        ("2026-11-25 02:00:16.312 2226 INFO nova.filters [None req-other - - -] Filter x returned 0 hosts", False),
        ('2026-11-25 01:25:13.379 965 ERROR nova.compute.manager [instance: id-a]   File "x.py", line 1', False),
        ("2026-11-25 01:25:13.379 965 ERROR nova.compute.manager [instance: id-a]     ~~~~~~^^^^", False),
        ("2026-11-25 01:25:13.379 965 ERROR nova.compute.manager [instance: id-a] Traceback (most recent", False),
        ("2026-11-25 01:25:13.379 965 ERROR nova.compute.manager [instance: id-a] ", False),
        ("2026-11-25 01:25:13.379 965 ERROR nova.compute.manager [instance: id-a] nova.exception.InternalError", True),
        (f"2026-11-25 01:54:18.158 965 INFO nova.compute.manager {CONTEXT} [instance: id-a] Get console output", False),
        ("  a line of id-a without a time", False),
    ],
)
def test_log_lines_about_the_server_are_selected(line: str, kept: bool) -> None:
    assert log_lines.select([line, line], ["req-d727dccb", "id-a"]) == ([line] if kept else [])


def test_a_long_line_keeps_its_end() -> None:
    line = f"2026-11-25 01:25:09.116 965 ERROR os_vif {CONTEXT} {'x' * 9000} Got error: refused"
    (found,) = log_lines.select([line], ["req-d727dccb"])
    assert len(found) < 2100
    assert found.endswith("Got error: refused")


@pytest.mark.parametrize(
    ("flavor", "disk"),
    [({}, 1), ({"swap": 0, "ephemeral": 2}, 3), ({"swap": 1}, 2), ({"swap": 1024}, 2), ({"swap": ""}, 1)],
)
def test_resources_asked_include_the_flavors_extras(flavor: dict[str, Any], disk: int) -> None:
    asked = server_diagnosis.asked({"vcpus": 1, "ram": 128, "disk": 1, **flavor})
    assert asked == {"VCPU": 1, "MEMORY_MB": 128, "DISK_GB": disk}


def test_server_is_found_by_unique_name_or_id() -> None:
    there = [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}, {"id": "3", "name": "b"}]
    assert server_diagnosis.find(there, "a")["id"] == "1"
    assert server_diagnosis.find(there, "3")["name"] == "b"
    with pytest.raises(LookupError, match="there is no server 'c'; servers: a, b, b"):
        server_diagnosis.find(there, "c")
    with pytest.raises(LookupError, match="2 servers are named b: 2, 3"):
        server_diagnosis.find(there, "b")


def test_seconds_since_a_moment() -> None:
    now = dt.datetime(2026, 11, 25, 2, 0, 30, tzinfo=dt.UTC)
    assert server_diagnosis.seconds_since("2026-11-25T02:00:15Z", now) == 15


@pytest.mark.parametrize(("found", "ok"), [([], True), (["1"], True), (["1", "9", "8"], False)])
def test_leftovers_without_an_instance_fail_the_check(found: list[str], ok: bool) -> None:
    for kind in ("domains", "tokens"):
        check = check_leftovers.compare("compute1", kind, found, ["1", "2"])
        assert check.ok is ok
        assert check.found == ("none" if ok else "8, 9")


def test_allocations_and_ports_without_an_instance() -> None:
    check = check_allocations.check_consumers("controller", {"1": "compute1", "9": "compute2"}, {"1"})
    assert (check.ok, check.found) == (False, "9 on compute2")
    assert check_allocations.check_consumers("controller", {"1": "compute1"}, {"1"}).ok
    ports = [
        {"id": "p1", "name": "", "device_owner": "compute:nova", "device_id": "1"},
        {"id": "p2", "name": "", "device_owner": "compute:nova", "device_id": "9"},
        {"id": "p3", "name": "", "device_owner": "network:distributed", "device_id": "ovnmeta"},
        {"id": "p4", "name": "demo-compute1", "device_owner": "", "device_id": ""},
    ]
    check = check_allocations.check_ports("controller", ports, {"1"}, ["demo-compute1"])
    assert (check.ok, check.found) == (False, "p2, p4")
    assert check_allocations.check_ports("controller", ports[:1], {"1"}, ["demo-compute1"]).ok


class Busy(Cloud):
    """A cloud whose Nova stops a server that was off, some time after it was asked for it."""

    def __init__(self, states: list[dict[str, Any]]) -> None:
        super().__init__([states[0]], {"a": "10.0.0.1"})
        self.states = states

    def servers(self, names: set[str]) -> dict[str, dict[str, Any]]:
        self.there = {"a": self.states.pop(0) if len(self.states) > 1 else self.states[0]}
        return super().servers(names)

    def reboot(self, server_id: str) -> None:
        error: Any = cloud.ERRORS[0](f"Cannot 'reboot' instance {server_id} while it is in task_state powering-off")
        error.status_code = 409
        raise error


OFF = listed("a", user_data="ping ", off=True)
STOPPING = OFF | {"OS-EXT-STS:task_state": "powering-off"}
STOPPED = OFF | {"status": "SHUTOFF", "OS-EXT-STS:task_state": None}
ONE = {**PARAMETERS, "servers": [{"name": "a", "host": "compute1"}]}


@pytest.mark.parametrize(
    ("states", "actions"),
    [
        ([STOPPING, STOPPING, STOPPED], ["start a: it was shut off"]),
        # It begins between the look and the action.
        ([OFF, STOPPING, STOPPED], ["reboot a: its machine was off"]),
        ([OFF, OFF, STOPPED], ["reboot a: its machine was off"]),
    ],
)
def test_server_that_nova_is_stopping_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, states: list[dict[str, Any]], actions: list[str]
) -> None:
    monkeypatch.setattr(servers, "POLL_SECONDS", 0)
    busy: Any = Busy(list(states))
    assert servers.present(busy, ONE, check=False)[0] == actions
    assert busy.told == ["start id-a"]


def test_server_that_stays_busy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "POLL_SECONDS", 0)
    busy: Any = Busy([STOPPING])
    with pytest.raises(TimeoutError, match=r"busy for 0 s: a \(powering-off\)"):
        servers.present(busy, {**ONE, "timeout": 0}, check=False)
