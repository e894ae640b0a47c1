"""hosts.ini, as Ansible itself reads it."""

from __future__ import annotations

import json
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from labctl.ansible import inventory
from labctl.lab.paths import LabPaths
from labctl.remote import access
from labctl.remote.access import SshHost
from tests.unit.local_play import run_play

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Lab

HOSTS = {
    "controller": SshHost("192.168.56.11", 22, "vagrant", "/labs/my lab/key"),
    "compute1": SshHost("127.0.0.1", 2222, "root", ""),
}


def as_ansible_reads(path: Path) -> tuple[dict[str, list[str]], dict[str, Any], dict[str, Any]]:
    """The groups, the variables of the controller, and those of all hosts."""
    manager = InventoryManager(loader=DataLoader(), sources=[str(path)])
    groups = {name: [host.name for host in group.hosts] for name, group in manager.groups.items()}
    return groups, manager.get_host("controller").vars, manager.groups["all"].vars


@pytest.mark.parametrize("directory", ["lab", "a 'lab' of \"mine\"", "back\\new # 1;2"])
def test_hosts_ini_with_odd_characters_is_read_by_ansible(
    tmp_path: Path, make_lab: Callable[..., Lab], directory: str
) -> None:
    paths = LabPaths(tmp_path / directory)
    paths.directory.mkdir()
    hosts = {**HOSTS, "controller": SshHost("192.168.56.11", 22, "vagrant", str(paths.ssh_key))}
    images = [
        {"name": "a", "path": "a 'b'.raw", "disk_format": "raw", "properties": {"x": '"#'}},
        {"name": "b", "url": "http://x/b", "checksum": f"sha256:{'0' * 64}", "min_ram": 64},
    ]
    inventory.write(make_lab(release="zed", images=images), paths, hosts)
    groups, controller, everywhere = as_ansible_reads(paths.hosts_ini)
    # compute2 is described, but nothing is known of it.
    assert (groups["controller_nodes"], groups["compute_nodes"]) == (["controller"], ["compute1"])
    assert controller["ansible_ssh_private_key_file"] == str(paths.ssh_key)
    assert (controller["ansible_host"], controller["ansible_port"]) == ("192.168.56.11", 22)
    assert controller["node_address"] == "192.168.56.11"
    assert everywhere["lab_directory"] == str(paths.directory)
    assert everywhere["lab_secrets_file"] == str(paths.secrets)
    assert (everywhere["lab_name"], everywhere["lab_virt_type"]) == ("lab", "auto")
    first, second = json.loads(everywhere["lab_images"])
    assert (first["path"], first["disk_format"], first["properties"]) == (
        f"{paths.directory}/a 'b'.raw",
        "raw",
        {"x": '"#'},
    )
    assert (second["url"], second["min_ram"], "path" in second) == ("http://x/b", 64, False)
    assert "StrictHostKeyChecking=no" in everywhere["ansible_ssh_common_args"]


def test_nothing_of_a_lab_is_a_template(tmp_path: Path, make_lab: Callable[..., Lab]) -> None:
    """Neither what lab.yaml says nor the directory's name; Ansible would run what it says, on this machine."""
    touched = tmp_path / "touched"
    evil = f"{{{{ lookup('pipe', 'touch {touched}') }}}}"
    odd = "{{ 'a' ~ \"b\" }}{% if x %}\\x7b{# é😀"
    paths = LabPaths(tmp_path / odd)
    paths.directory.mkdir()
    images = [{"name": "a", "path": evil, "properties": {"x": evil, "y": odd}}]
    hosts = {"controller": SshHost("192.168.56.11", 22, "vagrant", str(paths.ssh_key))}
    inventory.write(make_lab(images=images), paths, hosts)
    names = ["lab_directory", "lab_secrets_file", "ansible_ssh_private_key_file", "lab_images"]
    shown = {"content": f"{{{{ [{', '.join(names)}] | to_json }}}}", "dest": str(tmp_path / "shown"), "mode": "0600"}
    play = {
        "hosts": "controller",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.copy": shown, "vars": {"ansible_python_interpreter": sys.executable}}],
    }
    run_play(tmp_path, play, inventory=paths.hosts_ini)
    directory, secrets, key, shown_images = json.loads((tmp_path / "shown").read_text(encoding="utf-8"))
    assert not touched.exists()
    assert (directory, secrets, key) == (str(paths.directory), str(paths.secrets), str(paths.ssh_key))
    (image,) = json.loads(shown_images)
    assert image["path"] == str(paths.directory / evil)
    assert image["properties"] == {"x": evil, "y": odd}


def test_write_says_whether_it_changed(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()
    assert inventory.write(lab, paths, HOSTS)
    assert not inventory.write(lab, paths, HOSTS)
    assert inventory.write(lab, paths, {"controller": HOSTS["controller"]})
    assert "compute1" not in paths.hosts_ini.read_text(encoding="utf-8")
    assert {path.name for path in paths.directory.iterdir()} == {".labctl", "hosts.ini"}


def test_what_was_written_is_known(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    assert access.known(paths) == {}
    inventory.write(make_lab(), paths, HOSTS)
    assert access.known(paths) == HOSTS
    assert stat.S_IMODE(paths.ssh_hosts.stat().st_mode) == 0o600
    paths.ssh_hosts.write_text('{"controller": []}', encoding="utf-8")
    assert access.known(paths) == {}


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine and no routes: what is around this machine is no matter."""
    monkeypatch.setattr("labctl.providers.engine.working", lambda _: [])
    monkeypatch.setattr("labctl.providers.host_networks.of_host", list)


def test_template_beside_lab_yaml_is_used(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    """Is taken, and may not do anything else."""
    hosts = {"controller": SshHost("10.0.0.1", 22, "me", "key")}
    template = paths.directory / "hosts.ini.j2"
    template.write_text("# mine: {{ nodes[0].name }} {{ lab.name | quoted }}\n", encoding="utf-8")
    assert inventory.render(make_lab(), paths, hosts) == '# mine: controller "lab"\n'
    template.write_text("{{ ''.__class__.__mro__ }}", encoding="utf-8")
    with pytest.raises(Exception, match="unsafe"):
        inventory.render(make_lab(), paths, hosts)
