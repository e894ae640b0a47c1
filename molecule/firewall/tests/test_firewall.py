"""What is open to others is what the services' descriptions say. docs/security.md has the table."""

import socket

import pytest
from testinfra.host import Host

from tests.ports import SCAN, open_to

testinfra_hosts = ["ansible://compute1"]
UNITS = ["nftables"]
FEATURES = ("nova", "neutron", "dashboard")


def test_ports_open_to_another_node_are_those_described(host: Host, address: str) -> None:
    """To an ordinary user there; which of the services run depends on the scenarios before this one."""
    said = host.run_expect([0], "runuser -u nobody -- python3 -c %s %s", SCAN, address)
    found = {int(port) for port in said.stdout.split()}
    assert 22 in found
    assert found <= open_to(("nodes", "host"), "controller_nodes", FEATURES)


def test_ports_of_a_compute_are_closed_to_this_machine(host: Host) -> None:
    """Screens are for the controller's proxy, and what steers the switch is for the node itself."""
    own = host.run_expect([0], "hostname -I").stdout.split()[0]
    for port in (5900, 6640, 16509):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((own, port), timeout=5).close()
    socket.create_connection((own, 22), timeout=5).close()


def test_broker_is_closed_to_this_machine(address: str) -> None:
    """Whether it runs or not, the answer is the same."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, 5672), timeout=5).close()


def test_node_forwards_nothing_and_keeps_its_rules(host: Host) -> None:
    assert "policy drop" in host.run_expect([0], "nft list chain inet novalab forward").stdout
    assert host.service("nftables").is_enabled
