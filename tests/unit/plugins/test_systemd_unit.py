# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""When a systemd unit runs, and when it has to be restarted."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils.systemd import Unit
from ansible_collections.novalab.openstack.plugins.modules import systemd_unit

if TYPE_CHECKING:
    from pathlib import Path


def a_unit(active: str = "active", sub: str = "running", started_at: float = 100.0) -> Unit:
    return Unit("nova-api", "loaded", active, sub, enabled="enabled", started=started_at)


@pytest.mark.parametrize(
    ("active", "sub", "running"),
    [
        ("active", "running", True),
        ("reloading", "reload", True),
        ("activating", "start", True),
        ("activating", "auto-restart", False),
        ("inactive", "dead", False),
        ("failed", "failed", False),
    ],
)
def test_unit_states_that_count_as_running(active: str, sub: str, running: bool) -> None:
    assert a_unit(active, sub).running is running


def file(path: Path, changed: float) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (changed, changed))
    return str(path)


def test_newest_file_of_files_and_folders_is_found(tmp_path: Path) -> None:
    single = file(tmp_path / "nova.conf", 50)
    deep = file(tmp_path / "conf.d" / "deep" / "a.conf", 70)
    file(tmp_path / "conf.d" / "b.conf", 60)
    assert systemd_unit.newest([single]) == (single, 50.0)
    assert systemd_unit.newest([single, str(tmp_path / "conf.d"), str(tmp_path / "missing")]) == (deep, 70.0)
    (tmp_path / "conf.d" / "broken").symlink_to("nowhere")
    assert systemd_unit.newest([str(tmp_path / "conf.d")]) == (deep, 70.0)
    assert systemd_unit.newest([str(tmp_path / "missing")]) == ("", 0.0)
    assert systemd_unit.newest([]) == ("", 0.0)


@pytest.mark.parametrize(
    ("started_at", "changed", "forced", "restart"),
    [
        (100.0, 99, False, False),
        (100.0, 100, False, False),
        (100.0, 101, False, True),
        # When it started is not known: it is not running, or has no process.
        (0.0, 101, False, False),
        (100.0, 99, True, True),
    ],
)
def test_restart_reason_is_a_newer_file_or_request(
    tmp_path: Path, started_at: float, changed: int, forced: bool, restart: bool
) -> None:
    path = file(tmp_path / "nova.conf", changed)
    reason = systemd_unit.restart_reason(a_unit(started_at=started_at), [path], forced)
    expected = "asked for" if forced else f"{path} is newer than its process"
    assert reason == (expected if restart else "")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])  # noqa: S104 (asked on the loopback)
def test_port_that_accepts_connections_is_recognised(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{host}:{server.getsockname()[1]}"
        assert systemd_unit.accepts(address)
    assert not systemd_unit.accepts(address)


@pytest.mark.parametrize(
    ("failed", "logs"),
    [
        (["nova-scheduler"], ["/var/log/nova/nova-scheduler.log"]),
        (["nova-api", "nova-scheduler"], ["/var/log/nova/nova-api.log", "/var/log/nova/nova-scheduler.log"]),
    ],
)
def test_only_the_logs_of_what_failed(failed: list[str], logs: list[str]) -> None:
    every = ["nova-api", "nova-conductor", "nova-scheduler"]
    assert systemd_unit.logs_of(failed, every, [f"/var/log/nova/{name}.log" for name in every]) == logs


def test_logs_with_names_of_their_own() -> None:
    logs = ["/var/log/rabbitmq/broker.log"]
    assert systemd_unit.logs_of(["rabbitmq-server"], ["rabbitmq-server"], logs) == logs


class Systemd:
    """Units in memory: the states that systemctl would tell, and what it was asked to do."""

    def __init__(self, **states: systemd_unit.Unit) -> None:
        self.states = states
        self.calls: list[tuple[str, ...]] = []

    def units(self, names: list[str]) -> list[systemd_unit.Unit]:
        return [self.states[name.replace("-", "_")] for name in names]

    def call(self, *arguments: str) -> str:
        self.calls.append(arguments)
        return ""


def module(*, check: bool = False, **parameters: object) -> SimpleNamespace:
    defaults = {"unwanted": [], "config": [], "restart": False, "listen": [], "wait": False, "timeout": 1, "log": []}
    return SimpleNamespace(params={**defaults, **parameters}, check_mode=check)


RUNNING = a_unit()
STOPPED = Unit("nova-api", "loaded", "inactive", "dead", enabled="enabled", started=0.0)
MASKED = Unit("epmd", "masked", "inactive", "dead", enabled="masked", started=0.0)
PORT_MAPPER = Unit("epmd", "loaded", "active", "running", enabled="enabled", started=50.0)


def test_what_is_unwanted_goes_first_and_running_units_are_restarted() -> None:
    systemd = Systemd(nova_api=RUNNING, epmd=PORT_MAPPER)
    result = systemd_unit.ensure_started(module(name=["nova-api"], unwanted=["epmd"]), systemd)
    assert (result["changed"], result["removed"], result["restarted"]) == (True, ["epmd"], {"nova-api": "asked for"})
    assert [call[0] for call in systemd.calls] == ["disable", "mask", "restart"]
    assert systemd_unit.difference(result) == {
        "before": "epmd: as it was\n",
        "after": "epmd: absent\nnova-api: restarted, asked for\n",
    }


def test_what_is_unwanted_and_gone_changes_nothing() -> None:
    systemd = Systemd(nova_api=RUNNING, epmd=MASKED)
    result = systemd_unit.ensure_started(module(name=["nova-api"], unwanted=["epmd"]), systemd)
    assert (result["changed"], result["removed"], systemd.calls) == (False, [], [])


def test_check_mode_does_nothing() -> None:
    systemd = Systemd(nova_api=STOPPED, epmd=PORT_MAPPER)
    result = systemd_unit.ensure_started(module(check=True, name=["nova-api"], unwanted=["epmd"]), systemd)
    assert (result["removed"], result["started"], systemd.calls) == (["epmd"], ["nova-api"], [])


@pytest.mark.parametrize(("state", "ready"), [(RUNNING, True), (a_unit("activating", "start"), False)])
def test_without_waiting_it_is_said_what_is_ready(state: systemd_unit.Unit, ready: bool) -> None:
    assert systemd_unit.ensure_started(module(name=["nova-api"]), Systemd(nova_api=state))["ready"] is ready
