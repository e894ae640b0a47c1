"""When the program on the controller takes services for reported."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from labctl.remote.programs import reports

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICES = {"controller": ["nova-conductor"], "compute1": ["nova-compute"]}
ROWS = "nova-conductor\tcontroller\t{0}\nnova-compute\tcompute1\t{1}\nnova-compute\tcompute9\t{1}\n"
SOCKET = '0 0 10.0.0.11:41234 10.0.0.11:5672 users:(("nova-conductor",pid=7,fd=9))\n'


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A node on which programs say these things, one after another, the last for ever; what was run."""
    clock = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(time, "sleep", lambda _: None)

    def start(*outputs: str, status: int = 0) -> list[str]:
        run: list[str] = []
        left = list(outputs)

        def fake(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
            run.append(command[0])
            if command[0] == "ovn-nbctl":
                return subprocess.CompletedProcess(command, status, "", "timeout")
            return subprocess.CompletedProcess(command, 0, left.pop(0) if len(left) > 1 else left[0], "")

        monkeypatch.setattr(subprocess, "run", fake)
        return run

    return start


def main(**arguments: object) -> None:
    reports.main({"timeout": 9, "services": SERVICES, "since": 100.9, "network": False, **arguments})


def test_stale_rows_do_not_count(node: Callable[..., list[str]]) -> None:
    """A row of the second in which it began counts, one from before does not."""
    run = node("", ROWS.format(99, 100), ROWS.format(100, 100))
    main()
    assert run == ["mariadb"] * 3


def test_wait_names_services_that_are_missing(node: Callable[..., list[str]]) -> None:
    node(ROWS.format(200, 99))
    with pytest.raises(SystemExit, match="nova-compute on compute1 has not reported"):
        main()


@pytest.mark.parametrize("status", [0, 1])
def test_wait_for_ovn_that_fails_is_reported(node: Callable[..., list[str]], status: int) -> None:
    run = node(ROWS.format(200, 200), status=status)
    if status:
        with pytest.raises(SystemExit, match="not all of OVN's controllers have answered: timeout"):
            main(network=True)
    else:
        main(network=True)
    assert run == ["mariadb", "ovn-nbctl"]


def test_wait_for_the_conductor_ends_when_it_listens(node: Callable[..., list[str]]) -> None:
    run = node("", SOCKET.replace("conductor", "scheduler"), SOCKET)
    main(services={}, since=None, network=True)
    assert run == ["ss"] * 3
    node("")
    with pytest.raises(SystemExit, match="no conductor"):
        main(services={}, since=None)


def test_time_of_the_start_is_the_nodes_own(node: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 150.0)
    node(ROWS.format(149, 149))
    with pytest.raises(SystemExit, match="has not reported"):
        main(since=None)
    node(ROWS.format(150, 150))
    main(since=None)
