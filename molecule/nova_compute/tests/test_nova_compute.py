"""nova-compute registers by the conductor alone, and Placement knows what its node has."""

import time
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://compute1"]
UNITS = ["nova-compute", "libvirtd"]
LOGS = ["/var/log/nova/nova-compute.log"]


def test_compute_service_is_registered_and_up(cloud: Any) -> None:  # noqa: ANN401 (the SDK's types are not checked)
    services = [(service.host, service.state) for service in cloud.compute.services(binary="nova-compute")]
    assert services == [("compute1", "up")]


def test_resource_provider_of_the_compute_has_inventory(cloud: Any) -> None:  # noqa: ANN401
    """It comes with the first report, shortly after the registration."""
    end = time.monotonic() + 30
    while (found := cloud.placement.find_resource_provider("compute1")) is None and time.monotonic() < end:
        time.sleep(1)
    inventories = {item.resource_class: item.total for item in cloud.placement.resource_provider_inventories(found)}
    assert inventories["VCPU"] >= 1
    assert inventories["MEMORY_MB"] >= 1


def test_compute_has_no_way_to_a_database(host: Host) -> None:
    assert "mysql" not in host.file("/etc/nova/nova.conf").content_string


def test_libvirt_is_for_its_group_only(host: Host) -> None:
    socket = host.file("/run/libvirt/libvirt-sock")
    assert (socket.group, socket.mode) == ("libvirt", 0o770)
