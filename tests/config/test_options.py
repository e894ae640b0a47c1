"""Every option that the roles write is one that the installed service knows and keeps, in both releases.

The roles' configure stage writes the files into containers of the node images, where no service runs, and
oslo-config-validator reads them there.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.errors import LabError
from labctl.lab import service_files
from labctl.lab.paths import LabPaths
from labctl.providers import engine

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent
INSIDE = Path(__file__).with_name("inside.py")
NODES: dict[str, service_files.Group] = {"controller": "controller_nodes", "compute": "compute_nodes"}
# Every character that means something to a URL, to oslo.config or to an INI file.
HARD = "p@:/#%?$'\" x"
# Longer than a test takes: a container that a killed run has left ends by itself.
SECONDS = 900


@dataclass(frozen=True)
class File:
    """A configuration file, and the node that has it."""

    node: str
    file: service_files.ConfigFile


def files() -> Iterator[File]:
    """Every file that the roles describe with its service's options."""
    for kind, group in NODES.items():
        for role in itertools.chain.from_iterable(service_files.lab_roles(group).values()):
            yield from (File(kind, file) for file in service_files.of_role(role).files if file.namespaces)


@dataclass(frozen=True)
class Nodes:
    """Containers of one release in which the roles have written their files."""

    engine: engine.Engine
    containers: dict[str, str]

    def complaints(self, file: File) -> list[str]:
        """What the service's own options have against the file."""
        job = {"path": file.file.path, "namespaces": file.file.namespaces, "aliases": file.file.aliases}
        said = self.run(file.node, "python3", "-c", INSIDE.read_text(encoding="utf-8"), stdin=json.dumps(job))
        found: list[str] = json.loads(said)["complaints"]
        return found

    def run(self, node: str, *command: str, stdin: str = "") -> str:
        """Run a command on a node."""
        done = subprocess.run(
            [*self.engine.command, "exec", "--interactive", self.containers[node], *command],
            env={**os.environ, **self.engine.environment},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module", params=["epoxy", "zed"])
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """A controller and a compute of a release, configured."""
    folder = tmp_path_factory.mktemp(request.param)
    paths = LabPaths(folder)
    images = {
        kind: command(SCRIPTS / "labctl", "-C", folder, "image", "ensure", "--kind", kind, "--release", request.param)
        for kind in NODES
    }
    found = engine.find("auto", paths)
    containers: dict[str, str] = {}
    try:
        for kind, image in images.items():
            containers[kind] = found.run(
                *("run", "--detach", "--rm", "--hostname", kind, image.split()[-1], "sleep", str(SECONDS))
            ).strip()
        (folder / "secrets.json").write_text(json.dumps(dict.fromkeys(service_files.secrets(), HARD)), encoding="utf-8")
        (folder / "hosts.ini").write_text(inventory(found, paths, containers), encoding="utf-8")
        command(
            *(SCRIPTS / "ansible-playbook", "-i", folder / "hosts.ini", "--tags", "configure", CHECKOUT / "site.yaml"),
            env={**found.environment, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_HOME": str(folder)},
        )
        yield Nodes(found, containers)
    finally:
        for name in containers.values():
            with contextlib.suppress(LabError):  # it may have ended
                found.run("kill", name)


def inventory(found: engine.Engine, paths: LabPaths, containers: dict[str, str]) -> str:
    """What labctl writes for a lab, with the containers as they are reached without ssh."""
    variables = {
        "ansible_connection": {"podman": "containers.podman.podman", "docker": "community.docker.docker"}[found.kind],
        f"ansible_{found.kind}_executable": paths.bin / "docker",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_become": "false",
        "node_address": "10.0.0.5",
        "lab_name": "config",
        "lab_provider": "docker",
        "lab_virt_type": "qemu",
        "lab_features": '["nova", "neutron"]',
        "lab_images": "'[]'",
        "lab_network": "10.0.0.0/24",
        "lab_host": "10.0.0.1",
        "lab_guest_network": "10.0.1.0/24",
        "lab_guest_gateway": "10.0.1.1",
        "lab_secrets_file": paths.directory / "secrets.json",
    }
    lines = [
        line for kind, group in NODES.items() for line in (f"[{group}]", f"{kind} ansible_host={containers[kind]}", "")
    ]
    return "\n".join([*lines, "[all:vars]", *(f"{name}={value}" for name, value in variables.items()), ""])


def command(*words: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a command on this machine; what it prints, or a failure with it."""
    done = subprocess.run(
        [str(word) for word in words],
        env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


@pytest.mark.parametrize("file", files(), ids=lambda file: f"{file.node}-{Path(file.file.path).name}")
def test_option_written_by_a_role_is_known_to_its_service(nodes: Nodes, file: File) -> None:
    assert nodes.complaints(file) == []
