"""How nodes are reached by ssh."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from labctl.remote import access
from labctl.remote.access import SshHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths

SSH_CONFIG = """\
Host controller
  HostName 192.168.56.11
  User vagrant
  Port 22
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  IdentityFile "/labs/my lab/key"
  IdentityFile /home/me/.vagrant.d/insecure_private_key
  LogLevel FATAL

Host compute1
  HostName 127.0.0.1
  User root
  Port 2222

"""
HOSTS = {
    "controller": SshHost("192.168.56.11", 22, "vagrant", "/labs/my lab/key"),
    "compute1": SshHost("127.0.0.1", 2222, "root", ""),
}


def test_ssh_config_printed_by_vagrant_is_read() -> None:
    assert access.from_ssh_config(SSH_CONFIG) == HOSTS


def test_containers_are_reached_at_their_own_addresses(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    hosts = access.of_containers(make_lab(computes=1), paths)
    assert hosts == {
        "controller": SshHost("192.168.56.11", 22, "vagrant", str(paths.ssh_key)),
        "compute1": SshHost("192.168.56.21", 22, "vagrant", str(paths.ssh_key)),
    }


def test_hand_over_by_the_vagrantfile() -> None:
    text = '{"compute1": {"host": "127.0.0.1", "port": "2222", "user": "root", "key": ""}}'
    assert access.from_json(text) == {"compute1": HOSTS["compute1"]}


def test_ssh_command_has_key_port_and_user() -> None:
    command = HOSTS["controller"].command("true")
    # No file of the user's reaches in.
    assert command[:7] == ["ssh", "-F", "none", "-i", "/labs/my lab/key", "-p", "22"]
    assert command[-2:] == ["vagrant@192.168.56.11", "true"]


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine and no routes: what is around this machine is no matter."""
    monkeypatch.setattr("labctl.providers.engine.working", lambda _: [])
    monkeypatch.setattr("labctl.providers.host_networks.of_host", list)


@pytest.mark.parametrize(
    "change",
    [
        {"user": "-oProxyCommand=touch x"},
        {"user": ""},
        {"user": "root@elsewhere"},
        {"host": "-oProxyCommand=touch x"},
        {"host": "a b"},
        {"key": "-x"},
    ],
)
def test_file_with_an_option_for_ssh_is_not_believed(paths: LabPaths, change: dict[str, str]) -> None:
    paths.make_state()
    node = {"host": "192.168.56.11", "port": 22, "user": "vagrant", "key": "/labs/key"}
    paths.ssh_hosts.write_text(json.dumps({"controller": node}), encoding="utf-8")
    assert access.known(paths) == {"controller": SshHost("192.168.56.11", 22, "vagrant", "/labs/key")}
    paths.ssh_hosts.write_text(json.dumps({"controller": node | change}), encoding="utf-8")
    assert access.known(paths) == {}
