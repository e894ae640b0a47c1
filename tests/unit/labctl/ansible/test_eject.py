"""Files to go on by hand."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from labctl.ansible import eject
from labctl.errors import BadInput

if TYPE_CHECKING:
    from labctl.lab.paths import LabPaths


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine and no routes: what is around this machine is no matter."""
    monkeypatch.setattr("labctl.providers.engine.working", lambda _: [])
    monkeypatch.setattr("labctl.providers.host_networks.of_host", list)


@pytest.mark.parametrize("roles", [False, True])
def test_eject_writes_files_that_ansible_takes(paths: LabPaths, roles: bool) -> None:
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


def test_ejected_roles_come_before_installed_ones(paths: LabPaths) -> None:
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
    assert f"already has: {name}; nothing was changed" in caught.value.message
    assert [path.name for path in paths.directory.iterdir()] == [name]
