# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What is said of a node's units, names and clock."""

from __future__ import annotations

import datetime as dt
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils.systemd import Unit
from ansible_collections.novalab.openstack.plugins.modules import check_node

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUNNING = Unit("libvirtd", "loaded", "active", "running", started=1795529563.5)
FAILING = Unit("nova-compute", "loaded", "activating", "auto-restart", restarts=7)
MISSING = Unit("none", "not-found", "inactive", "dead")


def test_all_units_run() -> None:
    (check,) = check_node.check_units(None, "compute1", [RUNNING])
    assert (check.ok, check.expected, check.found) == (True, "libvirtd running", "all running")


def test_each_unit_that_does_not_run_is_told_with_evidence() -> None:
    systemd = SimpleNamespace(evidence=lambda unit: (f"journal: {unit} says why",))
    checks = check_node.check_units(systemd, "compute1", [RUNNING, FAILING, MISSING])
    assert [(check.name, check.found, check.ok) for check in checks] == [
        ("unit nova-compute", "activating (auto-restart), started again 7 times", False),
        ("unit none", "not installed", False),
    ]
    assert checks[0].detail == ("journal: nova-compute says why",)


def settled(monkeypatch: pytest.MonkeyPatch, answers: list[Unit], timeout: int) -> Unit:
    """The state in which a unit was left that gives one answer after the other, and the last one for ever."""
    monkeypatch.setattr(check_node, "POLL_SECONDS", 0)
    systemd = check_node.Systemd(None)
    left = list(answers)
    monkeypatch.setattr(systemd, "states", lambda _: [left.pop(0) if len(left) > 1 else left[0]])
    (state,) = systemd.settled([answers[0].name], timeout)
    assert isinstance(state, Unit)
    return state


@pytest.mark.parametrize(
    ("answers", "last"),
    [
        ([("active", "running", 0)], 0),
        # The first answer is for the number of restarts.
        ([("activating", "start", 0), ("activating", "start", 0), ("active", "running", 0)], 2),
        # A restart that nobody has waited for.
        ([("deactivating", "stop-sigterm", 0), ("deactivating", "stop-sigterm", 0), ("active", "running", 0)], 2),
        # It failed and was started again while it was waited for.
        ([("activating", "start", 0), ("activating", "start", 1), ("active", "running", 1)], 1),
        ([("activating", "auto-restart", 3), ("activating", "auto-restart", 3), ("active", "running", 3)], 1),
    ],
)
def test_unit_that_changes_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, answers: list[tuple[str, str, int]], last: int
) -> None:
    states = [
        Unit("nova-api", "loaded", active, sub, restarts=again, started=float(i))
        for i, (active, sub, again) in enumerate(answers)
    ]
    assert settled(monkeypatch, states, timeout=5) == states[last]


def test_settled_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    starting = Unit("nova-api", "loaded", "activating", "start")
    assert settled(monkeypatch, [starting], timeout=0) == starting


@pytest.mark.parametrize(
    ("running", "ok", "remedy"),
    [
        (["nova-compute"], True, "start"),
        ([], False, "start what is missing"),
        (["nova-compute", "nova-api"], False, "stop and mask nova-api"),
        (["nova-api"], False, "stop and mask nova-api"),
    ],
)
def test_units_not_expected_fail_the_check(running: list[str], ok: bool, remedy: str) -> None:
    check = check_node.check_exclusive("compute1", "nova-*", ["libvirtd", "nova-compute"], running)
    assert (check.ok, check.expected) == (ok, "nova-compute")
    assert check.found == (", ".join(sorted(running)) or "none")
    assert remedy in check.remedy


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, list[str]]], None]:
    """/etc/hosts as it were."""

    def set_hosts(table: dict[str, list[str]]) -> None:
        def getaddrinfo(name: str, *_: object) -> list[Any]:
            if name not in table:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in table[name]]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return set_hosts


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ({"controller": ["10.0.0.11"], "compute1": ["10.0.0.21", "10.0.0.21"]}, "the same"),
        ({"controller": ["10.0.0.11"], "compute1": ["127.0.1.1"]}, "compute1=127.0.1.1"),
        ({"controller": ["10.0.0.11"], "compute1": ["10.0.0.21", "127.0.1.1"]}, "compute1=10.0.0.21+127.0.1.1"),
        ({"compute1": ["10.0.0.21"]}, "controller=unknown"),
    ],
)
def test_names_that_resolve_wrongly_fail_the_check(
    hosts: Callable[[dict[str, list[str]]], None], table: dict[str, list[str]], found: str
) -> None:
    hosts(table)
    check = check_node.check_names("compute1", {"controller": "10.0.0.11", "compute1": "10.0.0.21"})
    assert (check.found, check.ok) == (found, found == "the same")
    assert check.expected == "controller=10.0.0.11, compute1=10.0.0.21"


@pytest.mark.parametrize(
    ("now", "found", "ok"),
    [
        (1000.0, "+0.0 s at most", True),
        (1010.0, "+10.0 s at most", True),
        (1010.5, "+10.5 s at most", False),
        (990.0, "-10.0 s at most", True),
        (989.0, "-11.0 s at most", False),
    ],
)
def test_clock_that_is_off_fails_the_check(now: float, found: str, ok: bool) -> None:
    check = check_node.check_clock("compute1", now, 1000.0, 10)
    assert (check.found, check.ok) == (found, ok)


def test_registrations_are_utc() -> None:
    created = dt.datetime.fromisoformat("2025-11-24T16:00:00")  # without a zone, as the database has it
    rows = [{"binary": "nova-compute", "host": "compute1", "created_at": created}]
    assert check_node.registrations(rows) == {"nova-compute@compute1": 1764000000.0}


def test_without_a_database_nothing_has_registered(tmp_path: Path) -> None:
    assert check_node.registered(None) == {}
    assert check_node.registered(str(tmp_path / "none.conf")) == {}
