"""The compute is one of OVN's, and a port that is bound to it gets its flows and its metadata."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://compute1"]
UNITS = ["ovs-vswitchd", "ovn-controller", "neutron-ovn-metadata-agent"]
LOGS = ["/var/log/ovn/ovn-controller.log", "/var/log/neutron/neutron-ovn-metadata-agent.log"]


@pytest.fixture
def port(cloud: Any, host: Host) -> Iterator[Any]:  # noqa: ANN401 (the SDK's types are not checked)
    """A port with an interface in the place of an instance's, named after it as Nova does."""
    network = cloud.network.create_network(name="molecule")
    cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.9.8.0/24")
    made = cloud.network.create_port(
        network_id=network.id, binding_host_id="compute1", device_owner="compute:nova", device_id="molecule"
    )
    interface = f"-- set Interface molecule type=internal external_ids:iface-id={made.id}"
    host.run_expect([0], f"ovs-vsctl add-port br-int molecule {interface}")
    yield made
    host.run_expect([0], "ovs-vsctl del-port br-int molecule")
    cloud.network.delete_port(made)
    cloud.network.delete_network(network)


def test_agents_are_alive(cloud: Any) -> None:  # noqa: ANN401
    """Zed's Neutron takes the first answer of a new compute for none, and asks again after half a minute."""
    expected = {"OVN Controller agent": ("compute1", True), "OVN Metadata agent": ("compute1", True)}
    end = time.monotonic() + 90
    while True:
        agents = {agent.agent_type: (agent.host, agent.is_alive) for agent in cloud.network.agents()}
        if agents == expected or time.monotonic() > end:
            break
        time.sleep(1)
    assert agents == expected


def test_port_bound_to_a_compute_comes_up(cloud: Any, port: Any, host: Host) -> None:  # noqa: ANN401
    """And its network gets a namespace in which the metadata are served."""
    end = time.monotonic() + 60
    while (status := cloud.network.get_port(port).status) != "ACTIVE" and time.monotonic() < end:
        time.sleep(1)
    assert status == "ACTIVE"
    while f"ovnmeta-{port.network_id}" not in (names := host.run("ip netns").stdout) and time.monotonic() < end:
        time.sleep(1)
    assert f"ovnmeta-{port.network_id}" in names


def test_bridge_has_the_provider_networks_wire(host: Host) -> None:
    assert "lab0" in host.run_expect([0], "ovs-vsctl list-ports br-lab").stdout.split()
    assert host.run_expect([0], "ovs-vsctl get Interface lab0 ofport").stdout.strip().isdigit()
