"""Which nodes are held and let go on, and which labs are refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from labctl.errors import BadInput, LabError
from labctl.lifecycle import pause
from labctl.providers.engine import Engine
from labctl.providers.vagrant import Machines
from labctl.remote.ssh import Answer
from labctl.ui.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths
    from labctl.lifecycle.context import LabContext

NODES = ("controller", "compute1", "compute2")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch, paths: LabPaths) -> Callable[..., list[str]]:
    """An engine with these states of the three nodes and a container of another lab; what it is told to do."""

    def start(*states: str) -> list[str]:
        paths.make_state()
        mine = [(name, state, str(paths.directory)) for name, state in zip(NODES, states, strict=False)]
        items = [
            {
                "Id": name,
                "Name": f"novalab-lab-{name}",
                "State": {"Status": state},
                "Config": {"Labels": {"novalab.directory": directory}},
            }
            for name, state, directory in [*mine, ("foreign", "running", "/other")]
        ]
        orders: list[str] = []

        def run(_: Engine, *arguments: str) -> str:
            if arguments[0] == "ps":
                return " ".join(str(item["Id"]) for item in items)
            if arguments[:2] == ("container", "inspect"):
                return json.dumps(items)
            orders.append(" ".join(arguments))
            return ""

        monkeypatch.setattr(Engine, "run", run)
        monkeypatch.setattr("labctl.providers.engine.install", lambda found, _: found)
        monkeypatch.setattr("labctl.providers.engine.find", lambda *_: Engine("podman", ("podman",)))
        return orders

    return start


@pytest.mark.parametrize(
    ("states", "paused", "resumed"),
    [
        (("running",) * 3, ["pause compute1 compute2 controller"], []),
        (("paused",) * 3, [], ["unpause compute1 compute2 controller"]),
        (("running", "paused", "running"), ["pause compute2 controller"], ["unpause compute1"]),
    ],
)
def test_pause_takes_all_nodes_in_one_call(
    done: Callable[..., list[str]],
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    states: tuple[str, ...],
    paused: list[str],
    resumed: list[str],
) -> None:
    orders = done(*states)
    pause.preflight(context(make_lab()))
    progress = Progress(paths.logs / "x.log")
    pause.pause(context(make_lab(), progress))
    assert orders == paused
    orders.clear()
    assert pause.resume(context(make_lab(), progress)) is bool(resumed)
    assert orders == resumed


def test_pause_with_a_node_that_does_not_run_is_refused(
    done: Callable[..., list[str]], make_lab: Callable[..., Lab], context: Callable[..., LabContext], paths: LabPaths
) -> None:
    orders = done("running", "exited")
    with pytest.raises(BadInput, match="does not run: compute1 is stopped, compute2 is not created; nothing") as caught:
        pause.preflight(context(make_lab()))
    assert (caught.value.remedy, orders) == ("Run `labctl up`.", [])


def test_verify_of_a_paused_lab_is_refused(
    done: Callable[..., list[str]], make_lab: Callable[..., Lab], context: Callable[..., LabContext], paths: LabPaths
) -> None:
    done("running", "paused", "running")
    with pytest.raises(LabError, match="is paused: compute1\\nRun `labctl resume`"):
        pause.refuse_held(context(make_lab()))


def test_pause_without_a_lab_is_refused(
    make_lab: Callable[..., Lab], context: Callable[..., LabContext], paths: LabPaths
) -> None:
    with pytest.raises(BadInput, match="controller is not created"):
        pause.preflight(context(make_lab()))
    pause.refuse_held(context(make_lab()))
    assert not paths.state.exists()


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch, paths: LabPaths) -> list[str]:
    """Virtual machines; what Vagrant is told to do, and what the nodes are."""
    told: list[str] = []
    paths.make_state()
    (paths.dotfile / "machines").mkdir(parents=True)
    monkeypatch.setattr(Machines, "__init__", lambda *_: None)
    monkeypatch.setattr(Machines, "run", lambda _, verb: told.append(verb))
    monkeypatch.setattr(Machines, "states", lambda _: {"controller": "running", "compute1": "saved"})
    monkeypatch.setattr(pause, "ssh_hosts", lambda *_: {})
    return told


@pytest.mark.parametrize("problem", ["", "no chronyc"])
def test_resume_sets_the_clocks_of_machines(
    machines: list[str],
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    monkeypatch: pytest.MonkeyPatch,
    problem: str,
) -> None:
    programs: list[str] = []

    def run(_: object, program: str, *, command: tuple[str, ...]) -> dict[str, Answer]:
        programs.append(f"{' '.join(command)}: {program}")
        return {"compute1": Answer("", problem)}

    monkeypatch.setattr("labctl.remote.ssh.run", run)
    lab, progress = make_lab(provider="libvirt", computes=1), Progress(paths.logs / "x.log")
    pause.preflight(context(lab))
    pause.pause(context(lab, progress))
    if problem:
        with pytest.raises(LabError, match="The clock of compute1 could not be set: no chronyc"):
            pause.resume(context(lab, progress))
    else:
        assert pause.resume(context(lab, progress))
    assert machines == ["suspend", "resume"]
    assert programs == ["sudo -n sh -e: systemctl restart chrony && chronyc waitsync 30 1 0 1"]


def test_pause_of_machines_that_are_off_is_refused(
    machines: list[str],
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        Machines, "states", lambda _: {"controller": "running", "compute1": "poweroff", "compute2": "not_created"}
    )
    with pytest.raises(BadInput, match="compute1 is stopped, compute2 is not created"):
        pause.preflight(context(make_lab(provider="libvirt")))
    assert machines == []
