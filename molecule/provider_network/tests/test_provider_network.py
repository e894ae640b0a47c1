"""What one node puts on the wire comes out on the other."""

from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://compute1"]
UNITS = ["guest-wire"]
ADDRESS = "172.24.4.250/24"


@pytest.fixture
def _address(host: Host) -> Any:  # noqa: ANN401 (a generator)
    """Of the computes none has one."""
    host.run_expect([0], f"ip address add {ADDRESS} dev lab0")
    yield
    host.run_expect([0], f"ip address delete {ADDRESS} dev lab0")


@pytest.mark.usefixtures("_address")
def test_controller_answers_over_the_provider_network(host: Host, controller: dict[str, Any]) -> None:
    gateway = controller["lab_guest_gateway"]
    script = f"import socket; print(socket.create_connection(('{gateway}', 22), 10).recv(3).decode())"
    assert host.run_expect([0], f'python3 -c "{script}"').stdout.strip() == "SSH"
    assert "lladdr" in host.run_expect([0], f"ip neighbour show to {gateway} dev lab0").stdout


def test_frames_fit_into_the_nodes_network(host: Host) -> None:
    """VXLAN takes 50 bytes of each (RFC 7348, 4.3: no fragments)."""
    mtus = {name: int(host.file(f"/sys/class/net/{name}/mtu").content_string) for name in ("eth0", "lab0")}
    assert mtus["lab0"] == mtus["eth0"] - 50
