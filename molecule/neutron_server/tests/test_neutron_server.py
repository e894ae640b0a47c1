"""What is asked of the API arrives in OVN's databases, and the databases are for the nodes only."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://controller"]
UNITS = ["neutron-api", "ovn-northd", "ovn-ovsdb-server-nb", "ovn-ovsdb-server-sb"]
LOGS = ["/var/log/neutron/neutron-api.log", "/var/log/ovn/ovn-northd.log"]


@pytest.fixture
def network(cloud: Any) -> Iterator[Any]:  # noqa: ANN401 (the SDK's types are not checked)
    made = cloud.network.create_network(name="molecule")
    cloud.network.create_subnet(network_id=made.id, ip_version=4, cidr="10.9.8.0/24")
    yield made
    cloud.network.delete_network(made)


def test_a_network_is_a_switch_of_ovn(host: Host, network: Any) -> None:  # noqa: ANN401
    """In the northbound database by Neutron, in the southbound one by northd."""
    assert network.provider_network_type == "vlan"
    assert 100 <= network.provider_segmentation_id <= 199
    switches = host.run_expect([0], "ovn-nbctl --bare --columns=name list Logical_Switch").stdout.split()
    assert f"neutron-{network.id}" in switches
    datapaths = host.run_expect(
        [0], "ovn-nbctl --wait=sb sync && ovn-sbctl --bare --columns=external_ids list Datapath"
    )
    assert f"neutron-{network.id}" in datapaths.stdout


def test_northbound_database_listens_on_the_loopback_address_only(host: Host, address: str) -> None:
    """The computes need the southbound one, and the API is for everybody on the nodes' network."""
    sockets = host.run_expect([0], "ss -ltnH").stdout
    found = {match[1]: match[0] for match in re.findall(r"(\S+):(6641|6642|9696)\s", sockets)}
    assert found == {"6641": "127.0.0.1", "6642": address, "9696": address}
