"""Logs: which are meant, their times, their order, and those that come."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from labctl.cli import logs as cli
from labctl.diagnostics import logs
from labctl.diagnostics.logs import Line
from labctl.errors import BadInput, LabError
from labctl.providers.container_nodes import ContainerNodes
from labctl.providers.node_state import NodeState, NodeStatus
from labctl.remote import programs, ssh
from labctl.remote.access import SshHost
from labctl.remote.ssh import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths
    from labctl.lifecycle.context import LabContext

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("name", "nodes", "units", "component"),
    [
        (None, ["controller", "compute1"], None, None),
        ("compute1", ["compute1"], None, None),
        ("keystone", ["controller"], ("keystone",), None),
        ("nova-compute.service", ["compute1"], ("nova-compute",), None),
        ("guest-wire", ["controller", "compute1"], ("guest-wire",), None),
        ("rabbitmq", ["controller"], ("rabbitmq-server",), "rabbitmq"),
        ("openvswitch", ["compute1"], ("ovs-vswitchd",), "openvswitch"),
        (
            "ovn",
            ["controller", "compute1"],
            ("ovn-controller", "ovn-northd", "ovn-ovsdb-server-nb", "ovn-ovsdb-server-sb"),
            "ovn",
        ),
    ],
)
def test_select_by_name_gives_nodes_units_and_component(
    make_lab: Callable[..., Lab],
    name: str | None,
    nodes: list[str],
    units: tuple[str, ...] | None,
    component: str | None,
) -> None:
    wanted = logs.select(make_lab(computes=1), name)
    assert ([node.name for node in wanted.nodes], wanted.units, wanted.component) == (nodes, units, component)


def test_select_by_a_wrong_name_is_refused(make_lab: Callable[..., Lab]) -> None:
    with pytest.raises(BadInput, match="no node or service 'nove'") as error:
        logs.select(make_lab(networking="none"), "nove")
    assert "Nodes: controller, compute1, compute2\n" in str(error.value)
    assert "nova, nova-api, nova-compute, nova-conductor" in str(error.value)
    assert "neutron" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("30s", NOON - 30),
        ("10m", NOON - 600),
        ("2h", NOON - 7200),
        ("1d", NOON - 86400),
        ("11:30", NOON - 1800),
        ("2026-11-25T11:59:59", NOON - 1),
        ("2026-11-25T13:59:59+02:00", NOON - 1),
    ],
)
def test_since_is_read_in_every_form(words: str, moment: float) -> None:
    assert logs.moment(words, NOON) == moment


@pytest.mark.parametrize("words", ["", "5x", "-5m", "noon", "25:00"])
def test_since_that_is_not_a_time_is_refused(words: str) -> None:
    with pytest.raises(BadInput, match="expected 30s"):
        logs.moment(words, NOON)


def oslo(second: int, text: str) -> str:
    return f"2026-11-25T12:{second // 60:02}:{second % 60:02}.000Z {text}\n"


JOURNALCTL = """#!/bin/sh
echo '{{"__REALTIME_TIMESTAMP": "{moment}000000", "__CURSOR": "c", "UNIT": "nova-api.service", "MESSAGE": "'$1'"}}'
for word; do [ "$word" = --follow ] && exec sleep 60; done
exit 0
"""
SSH = """#!/bin/sh
while [ "${1#*@}" = "$1" ]; do shift; done
shift
while [ "$1" = -o ]; do shift 2; done
exec sh -c "$*"
"""


@pytest.fixture
def node(
    tmp_path: Path, make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> tuple[Lab, Callable[[], dict[str, Any]]]:
    """A lab whose controller is this machine, with a log directory of its own; compute1 is off."""
    for name, content in (("journalctl", JOURNALCTL.format(moment=int(NOON))), ("ssh", SSH)):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "nova").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(ssh, "PYTHON", (sys.executable, "-I", "-"))
    states = {"controller": NodeStatus(NodeState.RUNNING), "compute1": NodeStatus(NodeState.STOPPED)}
    monkeypatch.setattr(ContainerNodes, "states", lambda _: states)
    monkeypatch.setattr("labctl.remote.nodes.hosts", lambda *_: {"controller": SshHost("here", 22, "vagrant", "/key")})
    arguments = logs._arguments

    def here(*words: Any, follow: bool) -> dict[str, Any]:  # noqa: ANN401 (passed on)
        return {**arguments(*words, follow=follow), "directories": [str(tmp_path / "nova")]}

    monkeypatch.setattr(logs, "_arguments", here)
    return make_lab(computes=1), lambda: states


def test_read_merges_files_and_journal(
    node: tuple[Lab, object],
    context: Callable[..., LabContext],
    paths: LabPaths,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab, _ = node
    (tmp_path / "nova" / "nova-api.log").write_text(oslo(1, "later"))

    def ask(_: Lab, __: LabPaths, nodes: list[Any], name: str, arguments: Callable[..., Any], **___: float) -> Any:  # noqa: ANN401
        return {
            n.name: ssh.run_on(SshHost("here", 22, "v", "/k"), programs.program(name, arguments(n)), command=ssh.PYTHON)
            for n in nodes
        }

    monkeypatch.setattr("labctl.diagnostics.logs.ask", ask)
    found, problems = logs.read(context(lab), logs.select(lab, None))
    assert [(line.moment - NOON, line.unit, line.text) for line in found] == [
        (0, "nova-api", "--no-pager"),
        (1, "nova-api", "later"),
    ]
    assert problems == {"compute1": "is stopped"}
    assert found[1].source == str(tmp_path / "nova" / "nova-api.log")
    monkeypatch.setattr("labctl.diagnostics.logs.ask", lambda *_, **__: {"controller": Answer("", "no")})
    assert logs.read(context(lab), logs.select(lab, "controller")) == ([], {"controller": "no"})
    with pytest.raises(LabError, match="No node can be asked for its logs: compute1 is stopped"):
        logs.read(context(lab), logs.select(lab, "compute1"))


def test_follow_shows_lines_as_they_come(
    node: tuple[Lab, object], context: Callable[..., LabContext], paths: LabPaths, tmp_path: Path
) -> None:
    lab, _ = node
    path = tmp_path / "nova" / "nova-api.log"
    path.write_text(oslo(1, "before"))
    problems: dict[str, str] = {}
    seen: list[str] = []
    stream = logs.follow(context(lab), logs.select(lab, None), problems)
    for line in stream:
        seen.append(line.text)
        if line.text == "before":
            with path.open("a") as file:
                file.write(oslo(2, "new"))
        if line.text == "new":
            break
    assert seen[-1] == "new"
    assert seen.index("before") < seen.index("new")
    assert problems == {"compute1": "is stopped"}
    stream.close()
    end = time.monotonic() + 10
    while any("sleep 60" in command for command in commands()) and time.monotonic() < end:
        threading.Event().wait(0.1)
    assert not any("sleep 60" in command for command in commands())  # what ran on the node has ended too


def commands() -> list[str]:
    """The command lines of processes that have this test's PATH; others may sleep as well."""
    from pathlib import Path

    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.environ["PATH"].encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_follow_ends_when_nobody_is_left(
    node: tuple[Lab, object], context: Callable[..., LabContext], paths: LabPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "program", lambda *_: "raise SystemExit('gone')")
    problems: dict[str, str] = {}
    assert list(logs.follow(context(node[0]), logs.select(node[0], "controller"), problems)) == []
    assert problems == {"controller": "sends no more lines: gone"}


def test_line_as_json_and_as_text() -> None:
    line = Line(NOON + 0.25, "compute1", "nova-compute", "journal", "a\x1b[2Jb")
    assert json.loads(cli.line_as_json(line)) == {
        "time": "2026-11-25T12:00:00.250Z",
        "node": "compute1",
        "unit": "nova-compute",
        "source": "journal",
        "text": "a\x1b[2Jb",
    }
    assert cli.line_as_text(line, 10).endswith("12:00:00.250 compute1   nova-compute: ab")
    assert cli.line_as_text(Line(0, "a", "b", "journal", "c"), 1) == "1970-01-01 00:00:00.000 a b: c"
