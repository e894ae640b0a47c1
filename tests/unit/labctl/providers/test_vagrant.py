"""Transient errors are tried again, all others are reported at once."""

import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from labctl.errors import LabError
from labctl.providers import vagrant
from labctl.ui.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths

GONE = 'Stderr: Error: inspecting object: no such object: "b4da0757af64"\n'
LOCKED = (
    "An action 'up' was attempted on the machine 'controller',\nbut another process is already executing an action\n"
)


@pytest.fixture
def machines(make_lab: "Callable[..., Lab]", paths: "LabPaths", monkeypatch: pytest.MonkeyPatch) -> vagrant.Machines:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("time.sleep", lambda _: None)
    return vagrant.Machines(make_lab(), paths, lambda _: None, {"environment": {}, "nodes": []})


def test_what_vagrant_says_of_a_node_is_shown(tmp_path: "Path") -> None:
    log = tmp_path / "log"
    with Progress(log) as progress, progress.step("Nodes") as step:
        report = vagrant.watched(step)
        for line in ("Bringing machine 'compute1' up", "==> compute1: Creating the container...", "==> compute1:"):
            report(line)
        nodes = step.view(0.0, None).nodes
    assert {name: node.activity for name, node in nodes.items()} == {"compute1": "Creating the container..."}
    assert "Nodes: Bringing machine 'compute1' up" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("output", [GONE, LOCKED])
def test_transient_error_is_tried_again(
    machines: vagrant.Machines, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    tried: list[str] = []

    def attempt(command: str, **_: object) -> None:
        tried.append(command)
        if len(tried) == 1:
            raise subprocess.CalledProcessError(1, "vagrant", output)

    monkeypatch.setattr(machines, "_attempt", attempt)
    machines.up(["compute3"])
    assert tried == ["up", "up"]


def test_vagrant_is_called_with_the_names_of_nodes(machines: vagrant.Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a node which is about to leave is neither started nor asked for."""
    asked: list[object] = []

    class Vagrant:
        def __init__(self, **_: object) -> None:
            pass

        def up(self, **arguments: object) -> Iterator[str]:
            asked.append(arguments["vm_name"])
            yield "==> compute3: Creating\n"

        def ssh_config(self, **arguments: object) -> str:
            asked.append(arguments["vm_name"])
            return ""

    monkeypatch.setattr("vagrant.Vagrant", Vagrant)
    machines.up(["compute3", "compute4"])
    assert machines.ssh_hosts() == {}
    assert asked == ["/^(compute3|compute4)$/", "/^(controller|compute1|compute2)$/"]


def test_lasting_error_is_reported(machines: vagrant.Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    class Vagrant:
        def __init__(self, **_: object) -> None:
            pass

        def up(self, **_: object) -> Iterator[str]:
            yield "==> controller: Creating\n"
            raise subprocess.CalledProcessError(1, "vagrant", "no space left on device\n")

    monkeypatch.setattr("vagrant.Vagrant", Vagrant)
    with pytest.raises(LabError, match="vagrant up failed:\nno space left on device"):
        machines.up(["compute3"])
