"""Installed from its wheel, in an environment of its own, beside the lab of the other tests."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lab import CHECKOUT, SCRIPTS, LiveLab

# Always the same place and name, so that what a killed run has left behind is found and removed.
PLACE = Path("/var/tmp/novalab-e2e-wheel")
DIRECTORY = PLACE / "lab"
PROGRAMS = PLACE / "environment" / "bin"
NAME = "wheel"
# The images are those of the other lab: the same features, fewer nodes.
DESCRIPTION = {"name": NAME, "network": "10.213.66.0/24", "computes": 1}


@dataclass(frozen=True)
class Installed:
    """The labctl of the wheel. Nothing of the checkout is in its environment; what goes wrong is an AssertionError."""

    @property
    def environment(self) -> dict[str, str]:
        """That of a user who calls labctl by its path; only labctl itself can find the programs beside it."""
        left_out = ("LABCTL_", "VAGRANT_", "VIRTUAL_ENV", "PYTHON", "ANSIBLE_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        path = [folder for folder in os.get_exec_path() if Path(folder) != SCRIPTS]
        return {**kept, "PATH": os.pathsep.join(path)}

    def run(self, *command: str, directory: Path = DIRECTORY, path: str = "") -> str:
        """Run a command in a directory, with a folder before all others in PATH, and return its output."""
        environment = self.environment
        if path:
            environment["PATH"] = f"{path}:{environment['PATH']}"
        done = subprocess.run(
            command,
            cwd=directory,
            env={**environment, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = f"{done.stdout[-6000:]}{done.stderr[-6000:]}"
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
        return done.stdout

    def labctl(self, *arguments: str, directory: Path = DIRECTORY) -> str:
        """Run a verb of the installed labctl."""
        return self.run(str(PROGRAMS / "labctl"), *arguments, directory=directory)

    def labs(self) -> dict[str, dict[str, Any]]:
        """`labctl list --json` from a directory without a lab, by name."""
        return {item["name"]: item for item in json.loads(self.labctl("list", "--json", directory=Path("/")))["labs"]}


@pytest.fixture(scope="module")
def installed(lab: LiveLab) -> Iterator[Installed]:
    """The wheel, built and installed, with an empty directory for a lab; all of it goes at the end."""
    _remove(lab)
    DIRECTORY.mkdir(parents=True)
    uv = str(SCRIPTS / "uv")
    lab.run(uv, "build", "--quiet", "--wheel", "--out-dir", str(PLACE / "dist"), str(CHECKOUT))
    (wheel,) = (PLACE / "dist").glob("*.whl")
    lab.run(uv, "venv", "--quiet", "--python", str(SCRIPTS / "python"), str(PROGRAMS.parent))
    lab.run(uv, "pip", "install", "--quiet", "--python", str(PROGRAMS / "python"), str(wheel))
    yield Installed()
    _remove(lab)


def _remove(lab: LiveLab) -> None:
    """By the checkout's labctl, which is there whatever became of the installed one."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    lab.run("env", "-u", "LABCTL_DIR", str(SCRIPTS / "labctl"), "-C", str(DIRECTORY), "destroy")
    shutil.rmtree(PLACE)


def _containers(lab: LiveLab) -> dict[str, str]:
    """The lab's containers by name: which they are, and since when they run."""
    engine = str(lab.directory / ".labctl" / "bin" / "docker")
    names = [f"novalab-{lab.description['name']}-{node}" for node in ("controller", "compute1", "compute2")]
    lines = lab.run(engine, "container", "inspect", "--format", "{{.Name}} {{.Id}} {{.State.StartedAt}}", *names).stdout
    return {line.split(maxsplit=1)[0]: line for line in lines.splitlines()}


def test_up_from_the_wheel_in_an_empty_directory(installed: Installed) -> None:
    """In an empty directory; the second lab on this machine."""
    assert "Wrote" in installed.labctl("init", "--name", NAME)
    (DIRECTORY / "lab.yaml").write_text(json.dumps(DESCRIPTION), encoding="utf-8")
    result = json.loads(installed.labctl("up", "--json"))
    assert {(row["Binary"], row["Host"], row["State"]) for row in result["services"]} == {
        ("nova-scheduler", "controller", "up"),
        ("nova-conductor", "controller", "up"),
        ("nova-compute", "compute1", "up"),
    }


def test_two_labs_are_listed_and_verified_at_once(lab: LiveLab, installed: Installed) -> None:
    """Both are listed, found by name from anywhere, and verified at the same time."""
    known = installed.labs()
    for name, directory in ((lab.description["name"], lab.directory), (NAME, DIRECTORY)):
        assert (known[name]["directory"], known[name]["state"]) == (str(directory), "running")
    with ThreadPoolExecutor() as pool:
        one = pool.submit(installed.labctl, "--lab", NAME, "verify", directory=Path("/"))
        other = pool.submit(installed.labctl, "--lab", lab.description["name"], "verify", directory=Path("/"))
        assert "The lab is complete and healthy." in one.result()
        assert "The lab is complete and healthy." in other.result()


def test_ejected_files_by_hand_find_the_lab_as_it_is(installed: Installed) -> None:
    """Vagrant and Ansible by hand with the files that eject wrote find the lab as it is."""
    installed.labctl("eject")
    programs = str(PROGRAMS)
    assert installed.run("vagrant", "status", path=programs).count("running") >= 2
    installed.run("vagrant", "up", path=programs)
    recap = installed.run("ansible-playbook", "-i", "hosts.ini", "playbooks/verify.yaml", path=programs)
    assert "failed=0" in recap.partition("PLAY RECAP")[2]


def test_destroy_of_one_lab_leaves_the_other(lab: LiveLab, installed: Installed) -> None:
    before = _containers(lab)
    assert len(before) == 3
    installed.labctl("destroy")
    assert _containers(lab) == before
    known = installed.labs()
    assert NAME not in known
    assert known[lab.description["name"]]["state"] == "running"
    lab.labctl("verify")
