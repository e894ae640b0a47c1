"""The beginning of a lab: lab.yaml, and files to go on by hand."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from labctl.ansible import eject, inventory
from labctl.errors import BadInput
from labctl.lab import model, records, registry
from labctl.lab.paths import LabPaths, assets
from labctl.lifecycle import init
from labctl.remote.access import SshHost

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Lab


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine and no routes: what is around this machine is no matter."""
    monkeypatch.setattr("labctl.providers.engine.working", lambda _: [])
    monkeypatch.setattr("labctl.providers.host_networks.of_host", list)


@pytest.fixture
def another(tmp_path: Path, make_lab: Callable[..., Lab]) -> None:
    """A lab with the default name and network, in another directory."""
    paths = LabPaths(tmp_path / "another")
    paths.directory.mkdir()
    registry.remember(paths, make_lab())
    records.remember(paths, make_lab(), None)


def test_init_writes_the_defaults_as_comments(paths: LabPaths) -> None:
    assert init.init(paths) == {}
    assert paths.lab_yaml.read_text(encoding="utf-8") == (assets() / "lab.yaml").read_text(encoding="utf-8")
    assert model.load(paths).name == "lab"


def test_init_makes_the_directory(tmp_path: Path) -> None:
    init.init(LabPaths(tmp_path / "a" / "b"), name="zed")
    assert model.load(LabPaths(tmp_path / "a" / "b")).name == "zed"


@pytest.mark.usefixtures("another")
def test_init_beside_another_lab(paths: LabPaths) -> None:
    assert init.init(paths) == {"name": "lab2", "network": "192.168.57.0/24"}
    lab = model.load(paths)
    assert (lab.name, str(lab.network)) == ("lab2", "192.168.57.0/24")


@pytest.mark.usefixtures("another")
@pytest.mark.parametrize(
    ("name", "said"), [("lab", "The name 'lab' is taken"), ("Lab 2", "'Lab 2' is no name for a lab")]
)
def test_names_that_cannot_be(paths: LabPaths, name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        init.init(paths, name=name)
    assert not paths.lab_yaml.exists()


def test_init_overwrites_nothing(paths: LabPaths) -> None:
    paths.lab_yaml.write_text("computes: 1\n", encoding="utf-8")
    with pytest.raises(BadInput, match="already exists"):
        init.init(paths)
    assert paths.lab_yaml.read_text(encoding="utf-8") == "computes: 1\n"


@pytest.mark.parametrize("roles", [False, True])
def test_eject(paths: LabPaths, roles: bool) -> None:
    """Everything that is named is there, as a file of its own, and Ansible takes the playbooks."""
    names = eject.eject(paths, roles=roles)
    assert {path.name for path in paths.directory.iterdir()} == set(names)
    assert not [path for path in paths.directory.rglob("*") if path.is_symlink() or path.name == "__pycache__"]
    readme = (paths.directory / "README.md").read_text(encoding="utf-8")
    assert [name for name in names if name not in readme] == ["README.md"]
    assert f"cd {paths.directory}" in readme
    (paths.directory / "hosts.ini").write_text("[controller_nodes]\nc\n[compute_nodes]\nn\n", encoding="utf-8")
    for playbook in ("site.yaml", "playbooks/verify.yaml"):
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.ini", "--list-tasks", playbook],
            cwd=paths.directory,
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(paths.directory)},
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "Everything is as expected" in done.stdout


def test_roles_of_ones_own_come_first(paths: LabPaths) -> None:
    eject.eject(paths, roles=True)
    task = paths.directory / "ansible_collections/novalab/openstack/roles/node/tasks/main.yml"
    task.write_text("- name: A task of my own\n  ansible.builtin.debug:\n", encoding="utf-8")
    (paths.directory / "hosts.ini").write_text("[controller_nodes]\nc\n[compute_nodes]\nn\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.ini", "--list-tasks", "site.yaml"],
        cwd=paths.directory,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(paths.directory)},
        check=True,
    )
    assert "A task of my own" in done.stdout


@pytest.mark.parametrize("name", ["site.yaml", "README.md", "playbooks"])
def test_eject_overwrites_nothing(paths: LabPaths, name: str) -> None:
    (paths.directory / name).mkdir()
    with pytest.raises(BadInput) as caught:
        eject.eject(paths)
    assert f"has these already: {name}; nothing was changed" in caught.value.message
    assert [path.name for path in paths.directory.iterdir()] == [name]


def test_a_template_of_the_labs_own(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    """Is taken, and may not do anything else."""
    hosts = {"controller": SshHost("10.0.0.1", 22, "me", "key")}
    template = paths.directory / "hosts.ini.j2"
    template.write_text("# mine: {{ nodes[0].name }} {{ lab.name | quoted }}\n", encoding="utf-8")
    assert inventory.render(make_lab(), paths, hosts) == '# mine: controller "lab"\n'
    template.write_text("{{ ''.__class__.__mro__ }}", encoding="utf-8")
    with pytest.raises(Exception, match="unsafe"):
        inventory.render(make_lab(), paths, hosts)
