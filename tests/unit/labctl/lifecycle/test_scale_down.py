"""In which order nodes leave, and what the records say at each moment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from labctl.ansible import inventory, playbook
from labctl.errors import LabError
from labctl.lab import records
from labctl.lifecycle import scale_down, up
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.preflight import make_plan
from labctl.providers.container_nodes import ContainerNodes
from labctl.providers.machine_nodes import MachineNodes
from labctl.providers.node_state import NodeState
from labctl.remote import access
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths

HOSTS = {
    name: SshHost(f"192.168.56.{last}", 22, "vagrant", "key")
    for name, last in (("controller", 11), ("compute1", 21), ("compute2", 22), ("compute3", 23))
}
STAYING = {name: HOSTS[name] for name in ("controller", "compute1")}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, paths: LabPaths, make_lab: Callable[..., Lab]) -> list[Any]:
    """A lab of virtual machines with three computes, of which two are to leave; what is done with it."""
    told: list[Any] = []

    def run(name: str, *, inventory: Path, extra_vars: dict[str, object], **_: object) -> None:
        listed = {
            line.split()[0] for line in inventory.read_text(encoding="utf-8").splitlines() if "ansible_host" in line
        }
        told.append((name, extra_vars, listed))

    monkeypatch.setattr(playbook, "run", run)
    monkeypatch.setattr(MachineNodes, "remove", lambda _, node, __: told.append(node.name))
    lab = make_lab(provider="libvirt", computes=3)
    paths.make_state()
    records.remember(paths, lab, None)
    inventory.write(lab, paths, HOSTS)
    paths.clouds_yaml.touch()
    for node in ("controller", "compute1", "compute2"):  # the third is gone
        directory = paths.dotfile / "machines" / node / "libvirt"
        directory.mkdir(parents=True)
        (directory / "id").write_text(node, encoding="utf-8")
    monkeypatch.setattr(scale_down, "servers", lambda *_: {})
    return told


def settle(lab: Lab, paths: LabPaths) -> None:
    plan = make_plan(LabContext.of(lab, paths))
    plan.check(paths)
    records.remember(paths, lab, None, leaving=(*plan.leaving, *plan.returning))
    with Progress(paths.logs / "x.log") as progress:
        scale_down.settle(replace(LabContext.of(lab, paths), progress=progress), plan, STAYING)


def test_up_with_two_leaving_nodes_removes_them(told: list[Any], paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    """The last one first; what is gone is not in the inventory that the playbook gets."""
    lab = make_lab(provider="libvirt", computes=1)
    settle(lab, paths)
    extra_vars = {"remove_computes": ["compute3", "compute2"], "remove_evict": False}
    assert told == [
        ("playbooks/remove_computes.yaml", extra_vars, {"controller", "compute1", "compute2"}),
        "compute3",
        "compute2",
    ]
    assert records.nodes(paths) == ("controller", "compute1")
    assert set(access.known(paths)) == {"controller", "compute1"}
    assert "compute2" not in paths.hosts_ini.read_text(encoding="utf-8")


def test_an_interrupted_removal_goes_on(
    told: list[Any], paths: LabPaths, make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(provider="libvirt", computes=1)

    def fail(*_: object) -> None:
        raise LabError("killed")

    with monkeypatch.context() as context:
        context.setattr(MachineNodes, "remove", fail)
        with pytest.raises(LabError):
            settle(lab, paths)
    assert records.nodes(paths) == ("controller", "compute1", "compute3", "compute2")
    told.clear()
    settle(lab, paths)
    assert told[1:] == ["compute3", "compute2"]
    assert make_plan(LabContext.of(lab, paths)).leaving == ()


def test_node_that_was_to_leave_and_returns_stays(
    told: list[Any], paths: LabPaths, make_lab: Callable[..., Lab]
) -> None:
    lab = make_lab(provider="libvirt", computes=3)
    records.remember(paths, make_lab(provider="libvirt", computes=1), None, leaving=["compute3", "compute2"])
    settle(lab, paths)
    assert [(item[0], item[1]) for item in told] == [
        ("playbooks/keep_computes.yaml", {"remove_computes": ["compute2", "compute3"]})
    ]
    assert make_plan(LabContext.of(lab, paths)).returning == ()


def test_a_nova_that_does_not_answer(
    told: list[Any], paths: LabPaths, make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> dict[str, tuple[str, ...]]:
        raise LabError("Nova does not answer: refused")

    monkeypatch.setattr(scale_down, "servers", silent)
    lab = make_lab(provider="libvirt", computes=1)
    (refusal,) = make_plan(LabContext.of(lab, paths)).refusals
    assert "Nova does not answer: refused" in refusal.reason
    assert make_plan(LabContext.of(lab, paths), evict=True).refusals == ()


@pytest.mark.parametrize(
    ("now", "title", "skip", "extra_vars"),
    [
        ({}, "Software and verification", None, {"drift_token": "t0"}),
        ({"computes": 4}, "Computes and verification", "controller,network", {"site_new_computes": ["compute4"]}),
        (
            {"computes": 5},
            "Computes and verification",
            "controller,network",
            {"site_new_computes": ["compute4", "compute5"]},
        ),
        ({"computes": 2}, "Computes and verification", "controller,computes,network", {"site_new_computes": []}),
        ({"computes": 4, "virt_type": "qemu"}, "Software and verification", None, {"drift_token": "t0"}),
    ],
)
def test_what_of_site_yaml_runs(
    paths: LabPaths,
    make_lab: Callable[..., Lab],
    monkeypatch: pytest.MonkeyPatch,
    now: dict[str, object],
    title: str,
    skip: str | None,
    extra_vars: dict[str, object],
) -> None:
    ran: list[dict[str, Any]] = []
    monkeypatch.setattr(playbook, "run", lambda _name, **given: ran.append(given))
    monkeypatch.setattr(scale_down, "servers", lambda *_: {})
    nodes = {node.name: NodeState.RUNNING for node in make_lab(computes=3).nodes}
    monkeypatch.setattr(ContainerNodes, "present", lambda _: nodes)
    monkeypatch.setattr(ContainerNodes, "engine_kind", None)
    paths.make_state()
    paths.clouds_yaml.touch()
    records.remember(paths, make_lab(computes=3), None)
    records.remember_software(paths, make_lab(computes=3))
    with Progress(paths.logs / "x.log") as progress:
        context = replace(LabContext.of(make_lab(**{"computes": 3, **now}), paths), progress=progress)
        up._software(context, make_plan(context), "t0")
    assert [(given["title"], given["skip"], given["extra_vars"]) for given in ran] == [(title, skip, extra_vars)]
