"""Two runs of the role leave one cell0 and one cell1, and the services that make a controller."""

import urllib.error
import urllib.request
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://controller"]
UNITS = ["nova-conductor", "nova-scheduler", "nova-api", "nova-api-metadata"]
LOGS = ["/var/log/nova/nova-conductor.log", "/var/log/nova/nova-scheduler.log", "/var/log/nova/nova-api.log"]


def test_cells_are_cell0_and_cell1_without_passwords(host: Host) -> None:
    table = host.check_output("runuser -u nova -- nova-manage cell_v2 list_cells")
    rows = [[field.strip() for field in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    cells = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert sorted(cell["Name"] for cell in cells) == ["cell0", "cell1"]
    databases = {cell["Name"]: cell["Database Connection"].rpartition("/")[2].partition("?")[0] for cell in cells}
    assert databases == {"cell0": "nova_cell0", "cell1": "nova"}


def test_conductor_and_scheduler_are_up(cloud: Any) -> None:  # noqa: ANN401 (the SDK's types are not checked)
    services = sorted((service.binary, service.host, service.state) for service in cloud.compute.services())
    assert services == [("nova-conductor", "controller", "up"), ("nova-scheduler", "controller", "up")]


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_running_and_enabled(host: Host, unit: str) -> None:
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled


def test_metadata_are_for_signed_requests_only(address: str) -> None:
    """Neutron's agent signs an instance's request with the shared secret (Nova's handler of metadata)."""
    request = urllib.request.Request(
        f"http://{address}:8775/openstack/latest/meta_data.json",
        headers={
            "X-Instance-ID": "x",
            "X-Tenant-ID": "y",
            "X-Forwarded-For": "10.0.0.1",
            "X-Instance-ID-Signature": "z",
        },
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=30)  # noqa: S310 (the scheme stands above)
