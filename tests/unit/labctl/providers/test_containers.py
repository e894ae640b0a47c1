"""What Podman and Docker Engine say of a lab's network and containers."""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest

from labctl.errors import LabError
from labctl.providers import containers
from labctl.providers.containers import Container, OwnNetwork
from labctl.providers.engine import Engine
from labctl.providers.node_state import NodeState

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths

DEFAULT = IPv4Network("192.168.56.0/24")


class FakeEngine(Engine):
    """Answers as an engine's command line, by the first words of a command."""

    answers: dict[tuple[str, ...], str]
    calls: list[tuple[str, ...]]

    def __init__(self, answers: dict[tuple[str, ...], str]) -> None:
        super().__init__("podman", ("podman",))
        self.__dict__.update(answers=answers, calls=[])

    def run(self, *arguments: str, **_: object) -> str:
        self.calls.append(arguments)
        return next(text for words, text in self.answers.items() if arguments[: len(words)] == words)


PODMAN = {
    "name": "novalab-lab",
    "id": "0" * 64,
    "driver": "bridge",
    "network_interface": "podman1",
    "subnets": [{"subnet": "fd00::/64"}, {"subnet": "192.168.56.0/24", "gateway": "192.168.56.1"}],
    "labels": {"novalab.directory": "/labs/one"},
}
DOCKER = {
    "Name": "novalab-lab",
    "Id": "abcdef0123456789" * 4,
    "Driver": "bridge",
    "IPAM": {"Driver": "default", "Config": [{"Subnet": "192.168.56.0/24", "Gateway": "192.168.56.1"}]},
    "Labels": {"novalab.directory": "/labs/one"},
}


@pytest.mark.parametrize(
    ("item", "subnet", "interface", "directory"),
    [
        (PODMAN, DEFAULT, "podman1", "/labs/one"),
        (DOCKER, DEFAULT, "br-abcdef012345", "/labs/one"),
        ({**DOCKER, "IPAM": {"Config": None}, "Labels": None}, None, "br-abcdef012345", None),
        ({"name": "novalab-lab"}, None, None, None),
    ],
)
def test_network_is_read_from_inspect(
    item: dict[str, object], subnet: IPv4Network | None, interface: str | None, directory: str | None
) -> None:
    engine = FakeEngine({("network", "ls"): "podman\nnovalab-lab\n", ("network", "inspect"): json.dumps([item])})
    assert containers.networks(engine) == [OwnNetwork("novalab-lab", subnet, interface, directory)]


@pytest.mark.parametrize(
    ("name", "network", "done"),
    [
        ("lab", "192.168.56.0/24", []),
        ("lab", "192.168.57.0/24", ["rm", "create"]),
        ("new", "192.168.57.0/24", ["create"]),
    ],
)
def test_network_is_created_as_described(
    make_lab: Callable[..., Lab], paths: LabPaths, name: str, network: str, done: list[str]
) -> None:
    answers = {("network", "ls"): "novalab-lab\n", ("network", "inspect"): json.dumps([PODMAN]), ("network",): ""}
    engine = FakeEngine(answers)
    containers.ensure_network(engine, make_lab(name=name, network=network), paths)
    changes = [call for call in engine.calls if call[:2] not in answers]
    assert [call[1] for call in changes] == done
    label = f"novalab.directory={paths.directory}"
    create = ("network", "create", "--subnet", network, "--label", label, f"novalab-{name}")
    assert changes[-1:] == ([create] if done else [])


def test_a_network_that_goes_away_meanwhile() -> None:
    class Fleeting(FakeEngine):
        def run(self, *arguments: str, **_: object) -> str:
            said = super().run(*arguments)
            if "gone" in arguments:
                self.answers[("network", "ls")] = "novalab-lab\n"
                raise LabError("no such network: gone")
            return said

    engine = Fleeting({("network", "ls"): "novalab-lab\ngone\n", ("network", "inspect"): json.dumps([PODMAN])})
    assert [network.name for network in containers.networks(engine)] == ["novalab-lab"]
    assert engine.calls.count(("network", "inspect", "novalab-lab")) == 1


def test_networks_that_cannot_be_looked_at() -> None:
    class Broken(FakeEngine):
        def run(self, *arguments: str, **_: object) -> str:
            if arguments[1] == "inspect":
                raise LabError("the engine is broken")
            return super().run(*arguments)

    with pytest.raises(LabError, match="the engine is broken"):
        containers.networks(Broken({("network", "ls"): "novalab-lab\n"}))


def test_containers_are_read_from_inspect(paths: LabPaths) -> None:
    mine = {"novalab.directory": str(paths.directory)}
    items = [
        {"Id": "b", "Name": "/novalab-lab-controller", "State": {"Status": "running"}, "Config": {"Labels": mine}},
        {"Id": "a", "Name": "novalab-lab-compute1", "State": {"Status": "Exited"}, "Config": {"Labels": None}},
    ]
    engine = FakeEngine({("ps",): "b\na\n", ("container", "inspect"): json.dumps(items)})
    assert containers.find(engine, prefix="novalab-lab", paths=paths) == [
        Container("a", "novalab-lab-compute1", NodeState.STOPPED, None),
        Container("b", "novalab-lab-controller", NodeState.RUNNING, str(paths.directory)),
    ]
    assert engine.calls[-1] == ("container", "inspect", "a", "b")


GONE = 2**22 + 1  # more than a process number can be, proc(5)


@pytest.mark.parametrize(
    ("said", "processes", "state"),
    [
        ("running", (GONE, GONE), NodeState.LOST),
        ("paused", (GONE, GONE), NodeState.LOST),
        ("stopping", (GONE, GONE), NodeState.LOST),
        # conmon is about to tell Podman; or it was killed alone.
        ("running", (GONE, os.getpid()), NodeState.RUNNING),
        ("running", (os.getpid(), GONE), NodeState.RUNNING),
        ("exited", (0, GONE), NodeState.STOPPED),
        # Docker Engine names no conmon, and may be on another machine.
        ("running", (GONE, None), NodeState.RUNNING),
    ],
)
def test_containers_lost_by_podman_are_recognised(
    paths: LabPaths, said: str, processes: tuple[int, int | None], state: NodeState
) -> None:
    marks = {key: value for key, value in zip(("Pid", "ConmonPid"), processes, strict=True) if value is not None}
    item = {"Id": "a", "Name": "novalab-lab-controller", "State": {"Status": said, **marks}, "Config": {}}
    engine = FakeEngine({("ps",): "a\n", ("container", "inspect"): json.dumps([item])})
    assert [item.state for item in containers.find(engine, prefix="novalab-lab", paths=paths)] == [state]


def test_containers_when_there_are_none(paths: LabPaths) -> None:
    assert containers.find(FakeEngine({("ps",): "\n"}), prefix="novalab-lab", paths=paths) == []
