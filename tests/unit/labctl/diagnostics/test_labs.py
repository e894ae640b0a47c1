"""All labs of a machine: the register's and the engine's side of it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from labctl.diagnostics import labs
from labctl.errors import BadInput
from labctl.lab import records, registry
from labctl.lab.paths import LabPaths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Lab

CREATED = "2026-11-25T16:26:44.123456789-05:00"


class FakeEngine:
    """An engine as far as its containers and networks with a lab's label go."""

    def __init__(self) -> None:
        self.containers: list[dict[str, Any]] = []
        self.networks: list[dict[str, Any]] = []

    def run(self, *arguments: str) -> str:
        match arguments[:2]:
            case ("ps", _):
                return "\n".join(item["Id"] for item in self.containers)
            case ("container", "inspect"):
                return json.dumps(self.containers)
            case ("network", "ls"):
                return "\n".join(item["name"] for item in self.networks)
            case ("network", "inspect"):
                return json.dumps(self.networks)
        raise AssertionError(arguments)

    def add(self, directory: Path, lab: str, states: dict[str, str], network: str | None = "10.1.0.0/24") -> None:
        """The nodes of a lab by state, and its network."""
        marks = {"novalab.directory": str(directory)}
        for node, state in states.items():
            name = f"novalab-{lab}-{node}"
            item = {"Id": name, "Name": name, "State": {"Status": state}, "Config": {"Labels": marks}}
            self.containers.append({**item, "Created": CREATED})
        if network:
            self.networks.append({"name": f"novalab-{lab}", "labels": marks, "subnets": [{"subnet": network}]})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(labs, "working", lambda _: [fake])
    return fake


@pytest.fixture
def enter(tmp_path: Path, make_lab: Callable[..., Lab]) -> Callable[..., LabPaths]:
    def make(directory: str, **keys: object) -> LabPaths:
        paths = LabPaths(tmp_path / directory)
        paths.directory.mkdir()
        lab = make_lab(**keys)
        records.remember(paths, lab, None)
        registry.remember(paths, lab)
        return paths

    return make


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ({}, "no nodes"),
        ({"controller": "running", "compute1": "running", "compute2": "running"}, "running"),
        ({"controller": "running", "compute1": "running"}, "2 of 3 running"),
        ({"controller": "exited", "compute1": "stopped", "compute2": "exited"}, "stopped"),
        ({"controller": "paused", "compute1": "paused", "compute2": "paused"}, "paused"),
        ({"controller": "running", "compute1": "paused", "compute2": "exited"}, "1 of 3 running"),
    ],
)
def test_state_of_a_lab_follows_its_containers(
    engine: FakeEngine, enter: Callable[..., LabPaths], states: dict[str, str], word: str
) -> None:
    paths = enter("a", name="one")
    engine.add(paths.directory, "one", states)
    (lab,) = labs.everything()
    assert (lab.name, lab.directory, lab.state, lab.note) == ("one", str(paths.directory), word, "")
    assert lab.network == "192.168.56.0/24"


def test_labs_known_to_the_engine_only_are_listed(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add(tmp_path, "two-two", {"controller": "running"}, network="10.1.0.0/24")
    engine.add(tmp_path / "net", "other", {})
    engine.containers.append(
        {
            "Id": "b",
            "Name": "novalab_image-lab-compute",
            "State": {"Status": "running"},
            "Config": {"Labels": {"novalab.directory": "/x"}},
        }
    )
    found = labs.everything()
    assert [(lab.name, lab.state, lab.network, lab.since) for lab in found] == [
        ("other", "no nodes", "10.1.0.0/24", None),
        ("two-two", "running", "10.1.0.0/24", "2026-11-25T21:26:44Z"),
    ]
    assert "mkdir -p" in found[0].note


def test_lab_that_is_gone_is_listed_once(engine: FakeEngine, enter: Callable[..., LabPaths]) -> None:
    paths = enter("a")
    shutil.rmtree(paths.directory)
    (lab,) = labs.everything()
    assert (lab.state, lab.note) == ("gone", f"{paths.directory} is gone, and so is the lab")
    assert labs.everything() == []


def test_lab_without_its_directory_is_listed_by_its_containers(
    engine: FakeEngine, enter: Callable[..., LabPaths]
) -> None:
    paths = enter("a b", name="one")
    engine.add(paths.directory, "one", {"controller": "running"})
    shutil.rmtree(paths.directory)
    for _ in range(2):
        (lab,) = labs.everything()
        assert lab.state == "running"
        assert lab.note.endswith(f"mkdir -p '{paths.directory}' && labctl -C '{paths.directory}' destroy")


def test_labs_without_an_engine_are_listed(enter: Callable[..., LabPaths], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of containers, and nothing is forgotten."""
    monkeypatch.setenv("PATH", "/nowhere")
    shutil.rmtree(enter("a").directory)
    assert [lab.state for lab in labs.everything()] == ["unknown"]
    assert [lab.state for lab in labs.everything()] == ["unknown"]


def test_state_of_machines_is_what_vagrant_saw_last(
    engine: FakeEngine, enter: Callable[..., LabPaths], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As Vagrant saw them last."""
    paths = enter("vms", provider="libvirt", computes={"count": 1})
    index = tmp_path / "data" / "machine-index" / "index"
    index.parent.mkdir(parents=True)
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    assert [lab.state for lab in labs.everything()] == ["no nodes"]
    machines = {
        node: {"local_data_path": str(paths.dotfile), "name": node, "provider": "libvirt", "state": "shutoff"}
        for node in ("controller", "compute1")
    }
    index.write_text(json.dumps({"version": 1, "machines": machines}), encoding="utf-8")
    assert [lab.state for lab in labs.everything()] == ["stopped"]
    shutil.rmtree(paths.directory)
    assert [lab.note.rpartition("; ")[2] for lab in labs.everything()] == [
        "machines named novalab-lab-NODE may be left in libvirt"
    ]


def test_lab_is_found_by_name(engine: FakeEngine, enter: Callable[..., LabPaths], tmp_path: Path) -> None:
    paths = enter("a", name="one")
    assert labs.directory_of("one") == paths.directory
    engine.add(tmp_path / "b", "two", {"controller": "running"})
    assert labs.directory_of("two") == tmp_path / "b"
    with pytest.raises(BadInput) as caught:
        labs.directory_of("three")
    assert str(caught.value).splitlines()[1] == f"Labs: one ({paths.directory}), two ({tmp_path / 'b'})"


def test_lab_with_a_name_that_two_have_is_refused(engine: FakeEngine, enter: Callable[..., LabPaths]) -> None:
    places = [enter(directory, name="one").directory for directory in ("a", "b")]
    with pytest.raises(BadInput) as caught:
        labs.directory_of("one")
    assert str(caught.value) == f"There are 2 labs 'one'\nSelect one with -C: {places[0]}, {places[1]}"


def test_lab_by_name_without_any_lab_is_refused(engine: FakeEngine) -> None:
    with pytest.raises(BadInput, match="There is none yet"):
        labs.directory_of("one")
