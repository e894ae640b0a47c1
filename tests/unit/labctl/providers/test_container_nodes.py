"""How containers and Vagrant's memory of them are brought together, and what is removed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from labctl.errors import LabError
from labctl.providers import vagrant
from labctl.providers.container_nodes import ContainerNodes
from labctl.providers.containers import Container
from labctl.providers.engine import Engine
from labctl.providers.node_state import NodeState, NodeStatus, node_state
from labctl.ui.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths

GONE = 2**22 + 1  # more than a process number can be, proc(5)
LOST = {"running lost": {"Pid": GONE, "ConmonPid": GONE}, "stopping lost": {"Pid": GONE, "ConmonPid": GONE}}


class FakeEngine:
    """Containers as (id, name, state, directory). `stop` changes the state of all to stopped, if that is not None."""

    stopped: str | None = None

    def __init__(self, *containers: tuple[str, str, str, str]) -> None:
        self.containers = containers
        self.done: list[str] = []

    def run(self, *arguments: str) -> str:
        if arguments[0] == "ps":
            return "\n".join(container[0] for container in self.containers)
        if arguments[:2] == ("container", "inspect"):
            return json.dumps(
                [
                    {
                        "Id": id_,
                        "Name": name,
                        "State": {"Status": state.removesuffix(" lost"), **LOST.get(state, {})},
                        "Config": {"Labels": {"novalab.directory": directory}},
                    }
                    for id_, name, state, directory in self.containers
                ]
            )
        self.done.append(" ".join(arguments))
        if arguments[0] == "stop" and self.stopped is not None:
            self.containers = tuple((id_, name, self.stopped, owner) for id_, name, _, owner in self.containers)
        return ""


def note(paths: LabPaths, node: str, identity: str) -> None:
    """As Vagrant remembers a machine."""
    directory = paths.dotfile / "machines" / node / "docker"
    directory.mkdir(parents=True)
    (directory / "id").write_text(identity, encoding="utf-8")


@pytest.fixture
def nodes(paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ContainerNodes]:
    """The nodes of a lab, with an engine."""

    def make(lab: Lab, engine: FakeEngine) -> ContainerNodes:
        monkeypatch.setattr("labctl.providers.engine.find", lambda *_: engine)
        monkeypatch.setattr("labctl.providers.engine.install", lambda found, _: found)
        monkeypatch.setattr("shutil.which", lambda *_: None)
        return ContainerNodes(lab, paths)

    return make


def test_prepare_makes_images_for_new_nodes_only(
    make_lab: Callable[..., Lab],
    paths: LabPaths,
    nodes: Callable[..., ContainerNodes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The controller has its container; only the computes start from an image."""
    monkeypatch.setattr("labctl.providers.containers.ensure_network", lambda *_: None)
    wanted: list[set[str]] = []
    monkeypatch.setattr("labctl.providers.node_images.ensure", lambda *_, groups, **__: wanted.append(set(groups)))
    note(paths, "controller", "1")
    engine = FakeEngine(("1", "novalab-lab-controller", "running", str(paths.directory)))
    with Progress(paths.directory / "log") as progress:
        assert nodes(make_lab(), engine).prepare(progress, by_vagrant=False) == ("compute1", "compute2")
    assert wanted == [{"compute_nodes"}]


REMOVE = "rm --force --volumes"


@pytest.mark.parametrize(
    ("state", "identity", "done", "remembered", "running"),
    [
        ("running", "1", [], "1", True),
        ("exited", "1", [], "1", False),
        ("stopped", "1", [], "1", False),
        ("paused", "1", ["unpause 1"], "1", True),
        # Vagrant notes the id after the start.
        ("running", None, [f"{REMOVE} 1"], None, False),
        ("running", "preparing", [f"{REMOVE} 1"], None, False),
        ("created", "1", [f"{REMOVE} 1"], None, False),
        ("dead", "1", [f"{REMOVE} 1"], None, False),
        ("paused", "preparing", ["unpause 1", f"{REMOVE} 1"], None, False),
        (None, "1", [], None, False),
        (None, None, [], None, False),
    ],
)
def test_recover_makes_notes_and_containers_agree(
    paths: LabPaths,
    make_lab: Callable[..., Lab],
    nodes: Callable[..., ContainerNodes],
    state: str | None,
    identity: str | None,
    done: list[str],
    remembered: str | None,
    running: bool,
) -> None:
    mine = str(paths.directory)
    sound = [("2", "novalab-lab-controller", "running", mine), ("3", "novalab-lab-compute2", "running", mine)]
    engine = FakeEngine(*sound, *([("1", "novalab-lab-compute1", state, mine)] if state else []))
    note(paths, "controller", "2")
    note(paths, "compute2", "3")
    if identity is not None:
        note(paths, "compute1", identity)
    said: list[str] = []
    assert nodes(make_lab(), engine).recover(said.append) == ([] if running else ["compute1"])
    assert engine.done == done
    assert vagrant.machine_id(paths, "compute1", "docker") == remembered
    assert (vagrant.machine_id(paths, "controller", "docker"), len(said)) == ("2", len(done))


@pytest.mark.parametrize(("after", "idle"), [("exited", ["compute1", "controller"]), ("stopping lost", None)])
def test_recover_what_podman_has_lost(
    paths: LabPaths,
    make_lab: Callable[..., Lab],
    nodes: Callable[..., ContainerNodes],
    after: str,
    idle: list[str] | None,
) -> None:
    """Nothing is thrown away: a lost container is stopped, and started again by those who start what is idle."""
    mine = str(paths.directory)
    engine = FakeEngine(
        ("1", "novalab-lab-controller", "running lost", mine), ("2", "novalab-lab-compute1", "running lost", mine)
    )
    engine.stopped = after
    note(paths, "controller", "1")
    note(paths, "compute1", "2")
    lab = make_lab(computes=1)
    if idle is None:
        with pytest.raises(LabError, match="novalab-lab-compute1, novalab-lab-controller"):
            nodes(lab, engine).recover(lambda _: None)
    else:
        assert sorted(nodes(lab, engine).recover(lambda _: None)) == idle
    assert engine.done == ["stop --time 0 2", "stop --time 0 1"]


def test_remove_what_podman_has_lost(
    paths: LabPaths, make_lab: Callable[..., Lab], nodes: Callable[..., ContainerNodes]
) -> None:
    engine = FakeEngine(("1", "novalab-lab-controller", "running lost", str(paths.directory)))
    assert nodes(make_lab(), engine).destroy(lambda _: None) == ["novalab-lab-controller"]
    assert engine.done == [f"{REMOVE} 1"]


def test_remove_what_ends_meanwhile(
    paths: LabPaths, make_lab: Callable[..., Lab], nodes: Callable[..., ContainerNodes]
) -> None:
    class Ending(FakeEngine):
        def run(self, *arguments: str) -> str:
            said = super().run(*arguments)
            if arguments[0] == "kill":
                raise LabError("container state improper: stopped")
            return said

    engine = Ending(("1", "novalab-lab-controller", "running", str(paths.directory)))
    assert nodes(make_lab(), engine).destroy(lambda _: None) == ["novalab-lab-controller"]
    assert engine.done == ["kill 1", f"{REMOVE} 1"]


def test_recover_leaves_the_notes_of_a_vagrant_that_runs(
    paths: LabPaths, make_lab: Callable[..., Lab], nodes: Callable[..., ContainerNodes]
) -> None:
    engine = FakeEngine(("1", "novalab-lab-compute1", "created", str(paths.directory)))
    note(paths, "compute1", "preparing")
    assert nodes(make_lab(), engine).recover(lambda _: None, by_vagrant=True) == [
        "controller",
        "compute1",
        "compute2",
    ]
    assert engine.done == [f"{REMOVE} 1"]
    assert vagrant.machine_id(paths, "compute1", "docker") == "preparing"


def test_remove_takes_what_is_no_longer_described_and_nothing_of_others(
    paths: LabPaths, make_lab: Callable[..., Lab], nodes: Callable[..., ContainerNodes]
) -> None:
    mine = str(paths.directory)
    engine = FakeEngine(
        ("1", "novalab-lab-compute9", "running", mine),
        ("2", "novalab-lab-controller", "exited", mine),
        ("3", "novalab-lab-2-controller", "running", "/other"),
    )
    note(paths, "compute9", "1")
    removed = nodes(make_lab(), engine).destroy(lambda _: None)
    assert removed == ["novalab-lab-compute9", "novalab-lab-controller"]
    assert engine.done == ["kill 1", f"{REMOVE} 1 2"]
    assert not paths.dotfile.exists()


@pytest.mark.parametrize("state", ["running", "exited", None])
def test_remove_takes_one_node_and_its_note(
    paths: LabPaths, make_lab: Callable[..., Lab], nodes: Callable[..., ContainerNodes], state: str | None
) -> None:
    """Also when its container is gone already; the others and their notes stay."""
    mine = str(paths.directory)
    there = [("3", "novalab-lab-compute3", state, mine)] if state else []
    engine = FakeEngine(("1", "novalab-lab-compute1", "running", mine), *there)
    note(paths, "compute1", "1")
    note(paths, "compute3", "3")
    (node,) = make_lab().former_computes(["controller", "compute1", "compute3"])
    assert str(node.address) == "192.168.56.23"
    nodes(make_lab(), engine).remove(node, lambda _: None)
    assert engine.done == [*(["kill 3"] if state == "running" else []), *([f"{REMOVE} 3"] if state else [])]
    assert not (paths.dotfile / "machines" / "compute3").exists()
    assert vagrant.machine_id(paths, "compute1", "docker") == "1"


NODES = ("controller", "compute1", "compute2")


def test_a_node_that_cannot_be_held_at_once(
    monkeypatch: pytest.MonkeyPatch, make_lab: Callable[..., Lab], paths: LabPaths
) -> None:
    """runc cannot freeze a node that boots; the others stay held meanwhile."""
    states = dict.fromkeys(NODES, "running")
    orders: list[str] = []

    def run(_: Engine, *arguments: str) -> str:
        orders.append(" ".join(arguments))
        states.update(dict.fromkeys(arguments[1:], "paused"))
        if len(orders) < 3:
            states["compute1"] = "running"
            raise LabError("unable to freeze")
        return ""

    monkeypatch.setattr(Engine, "run", run)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("labctl.providers.engine.find", lambda *_: Engine("podman", ("podman",)))
    monkeypatch.setattr("labctl.providers.engine.install", lambda found, _: found)
    nodes = ContainerNodes(make_lab(), paths)
    nodes._hold(lambda: [Container(name, name, NodeState(state), None) for name, state in states.items()])
    assert orders == ["pause controller compute1 compute2", "pause compute1", "pause compute1"]


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(computes=1)


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


def test_states_without_an_engine_are_unknown(lab: Lab, paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert {state.state for state in ContainerNodes(lab, paths).states().values()} == {"not_created"}
    assert not paths.state.exists()
    paths.make_state()
    states = ContainerNodes(lab, paths).states()
    assert {state.state for state in states.values()} == {"unknown"}
    assert "No container engine works" in states["controller"].problem
