"""From another node and from this machine, what is open is what the services' descriptions say."""

import socket

import pytest
import yaml
from testinfra.host import Host

from labctl.lab.paths import assets

testinfra_hosts = ["ansible://compute1"]
UNITS = ["nftables"]
# Runs on a node: every TCP port of an address that accepts a connection.
SCAN = """
import asyncio, sys
async def scan(address):
    room, found = asyncio.Semaphore(400), []
    async def ask(port):
        async with room:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 3)
            except (OSError, asyncio.TimeoutError):
                return
            found.append(port)
            writer.close()
    await asyncio.gather(*map(ask, range(1, 65536)))
    return sorted(found)
print(*asyncio.run(scan(sys.argv[1])))
"""
FILES = (assets() / "roles").glob("*/vars/services.yml")
SERVICES = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES]
PORTS = [entry for role in SERVICES for entry in (*role.get("units", ()), *role.get("ports", ())) if "port" in entry]


def open_to(*clients: str) -> set[int]:
    """The TCP ports that these may reach, on some node; 22 for everybody but instances."""
    return {
        entry["port"] for entry in PORTS if entry["clients"] in (*clients, "anybody") and isinstance(entry["port"], int)
    }


def scan(host: Host, address: str) -> set[int]:
    """As an ordinary user of a node."""
    said = host.run_expect([0], "runuser -u nobody -- python3 -c %s %s", SCAN, address)
    return {int(port) for port in said.stdout.split()}


def test_ports_open_to_another_node_are_those_described(host: Host, address: str) -> None:
    found = scan(host, address)
    assert 22 in found
    assert found <= open_to("nodes", "host")


def test_ports_of_a_compute_are_closed_to_this_machine(host: Host) -> None:
    """Screens are for the controller's proxy, and what steers the switch is for the node itself."""
    own = host.run_expect([0], "hostname -I").stdout.split()[0]
    for port in (5900, 6640, 16509):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((own, port), timeout=5).close()
    socket.create_connection((own, 22), timeout=5).close()


def test_broker_is_closed_to_this_machine(address: str) -> None:
    """Whether it runs or not: the answer is the same."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, 5672), timeout=5).close()


def test_instances_reach_nothing(host: Host) -> None:
    rules = host.run_expect([0], "nft list chain inet novalab input").stdout.splitlines()
    refused = next(number for number, rule in enumerate(rules) if 'iifname "lab0" jump refuse' in rule)
    assert not any("dport" in rule and "sport 67" not in rule for rule in rules[:refused])


def test_node_forwards_nothing(host: Host) -> None:
    assert "policy drop" in host.run_expect([0], "nft list chain inet novalab forward").stdout
    assert host.service("nftables").is_enabled
