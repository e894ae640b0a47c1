"""The nodes know their names and each other's, have the packages of their roles, and let people into the cloud."""

from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://all"]


@pytest.fixture
def name(host: Host) -> str:
    return str(host.ansible.get_variables()["inventory_hostname"])


def test_hostname_is_the_nodes_name(host: Host, name: str) -> None:
    assert host.check_output("hostname") == name
    assert host.file("/etc/hostname").content_string.strip() == name


def test_every_node_resolves_the_names_of_all(host: Host, controller: dict[str, Any]) -> None:
    assert host.addr("controller").ipv4_addresses == [controller["node_address"]]
    others = host.file("/etc/hosts").content_string.splitlines()
    assert [line.split()[1] for line in others if line.startswith("10.")] == ["controller", "compute1"]


def test_package_of_a_named_role_is_installed(host: Host) -> None:
    assert host.package("memcached").is_installed


def test_nothing_started_before_it_is_configured(host: Host) -> None:
    assert not host.service("memcached").is_running


def test_openrc_on_the_controller_only_gives_the_password(
    host: Host, name: str, address: str, secrets: dict[str, str]
) -> None:
    """On the controller only, for the login user only, and a shell reads the password as it is."""
    files = [host.file(f"/home/vagrant/{user}-openrc") for user in ("admin", "demo")]
    assert [file.exists for file in files] == [name == "controller"] * 2
    if name != "controller":
        return
    assert {(file.user, file.mode) for file in files} == {("vagrant", 0o600)}
    for user in ("admin", "demo"):
        read = f'. /home/vagrant/{user}-openrc; printf "%s\\n" "$OS_AUTH_URL" "$OS_USERNAME" "$OS_PASSWORD"'
        expected = [f"http://{address}:5000/v3", user, secrets[f"keystone_{user}"]]
        assert host.check_output("bash -c %s", read).splitlines() == expected
