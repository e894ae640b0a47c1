# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""When computes are mapped, with a script in the place of nova-manage."""

from __future__ import annotations

import itertools
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils import nova_manage, service_database
from ansible_collections.novalab.openstack.plugins.modules import nova_host_discovery

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTS = {"compute1", "compute2"}


class FailedError(Exception):
    """A module that has failed."""


class Module:
    """A module, and what it does."""

    def __init__(self, timeout: int = 10) -> None:
        self.params = {"timeout": timeout}
        self.done: list[str] = []

    def fail_json(self, msg: str) -> None:
        raise FailedError(msg)

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        self.done.append(" ".join(command[3:]))
        return 0, "", ""


@pytest.fixture
def nova(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which a program for runuser is first; it gives Python a Nova that notes what it is called with."""
    package = tmp_path / "nova" / "cmd"
    package.mkdir(parents=True)
    (package / "manage.py").write_text(
        "import pathlib, sys\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "(here / 'imported').touch()\n"
        "def main():\n"
        "    (here / 'called').write_text(' '.join(sys.argv))\n"
        "    print('as it said')\n"
        "    return int((here / 'status').read_text())\n",
        encoding="utf-8",
    )
    (tmp_path / "status").write_text("0", encoding="utf-8")
    program = tmp_path / "runuser"
    program.write_text(
        # runuser -u nova -- /usr/bin/python3 -I -c PROGRAM ARGUMENTS
        f'#!/bin/sh\nshift 6\nprogram=$1\nshift\nPYTHONPATH={tmp_path} exec /usr/bin/python3 -c "$program" "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path


def test_a_command_that_is_prepared(nova: Path) -> None:
    prepared = nova_manage.Prepared(Module(), ["cell_v2", "discover_hosts"])
    assert prepared.run() == 0
    assert (nova / "called").read_text(encoding="utf-8") == "nova-manage cell_v2 discover_hosts"


def test_a_command_that_fails(nova: Path) -> None:
    (nova / "status").write_text("2", encoding="utf-8")
    assert nova_manage.Prepared(Module(), ["x"]).run((0, 2)) == 2
    with pytest.raises(FailedError, match="'nova-manage x' ended with status 2: as it said"):
        nova_manage.Prepared(Module(), ["x"]).run()


def test_a_command_that_is_not_wanted_any_more(nova: Path) -> None:
    """As when its caller ends early."""
    process = nova_manage.Prepared(Module(), ["x"]).process
    process.communicate("")
    assert (process.returncode, (nova / "imported").exists(), (nova / "called").exists()) == (0, True, False)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A cell's database, each of whose queries has an answer, the last one again and again; and what is done."""
    cell = SimpleNamespace(services=[HOSTS], nodes=[HOSTS], statuses=[0], done=[])
    ticks = itertools.count()

    class Prepared:
        def __init__(self, *_: object) -> None:
            cell.done.append("prepare")

        def run(self, accept: tuple[int, ...]) -> int:
            cell.done.append(f"map {accept}")
            return int(cell.statuses.pop(0))

    def answers(name: str) -> Callable[[object], set[str]]:
        def answer(_: object) -> set[str]:
            found: list[set[str]] = getattr(cell, name)
            cell.done.append(name)
            return found.pop(0) if len(found) > 1 else found[0]

        return answer

    monkeypatch.setattr(nova_manage, "Prepared", Prepared)
    monkeypatch.setattr(nova_manage, "compute_services", answers("services"))
    monkeypatch.setattr(nova_manage, "registered_computes", answers("nodes"))
    monkeypatch.setattr(service_database, "connect", lambda _: None)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    return cell


def test_mapping_needs_the_services_only(cell: SimpleNamespace) -> None:
    cell.services = [set(), {"compute1"}, HOSTS]
    cell.nodes = [{"compute2"}, HOSTS]
    assert nova_host_discovery.register(Module(), HOSTS, "") == set()
    assert cell.done == ["prepare", "services", "services", "services", "map (0, 2)", "nodes", "nodes"]


def test_what_is_late_is_told_and_the_others_are_mapped(cell: SimpleNamespace) -> None:
    cell.services = [{"compute2"}]
    cell.nodes = [{"compute2"}]
    assert nova_host_discovery.register(Module(3), HOSTS, "") == {"compute1"}
    assert cell.done[-2:] == ["map (0, 2)", "nodes"]


def test_another_discovery_at_the_same_time(cell: SimpleNamespace) -> None:
    cell.statuses = [2]
    module = Module()
    nova_host_discovery.register(module, HOSTS, "")
    assert module.done == ["-- nova-manage cell_v2 discover_hosts --by-service"]
