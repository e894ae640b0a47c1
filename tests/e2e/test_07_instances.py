"""Instances: the demonstration, consoles, restarts, and what is said of a server that does not come up."""

import base64
import ipaddress
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
from openstack.connection import Connection

from tests.e2e.lab import FOUR_ROWS, LiveLab
from tests.ports import open_to

NAMES = {"demo-compute1": "compute1", "demo-compute2": "compute2"}
NODES = ("controller", "compute1", "compute2")
STAMP = "stat -c %Y /var/lib/dpkg/status /etc/nova/nova.conf"
# As if it had been stopped some time ago. Else Nova takes it for running for service_down_time, which is a minute.
SILENT = (
    'mariadb nova -e "UPDATE services SET last_seen_up = last_seen_up - INTERVAL 5 MINUTE,'
    " updated_at = updated_at - INTERVAL 5 MINUTE WHERE host = 'compute2'\""
)


@pytest.fixture(scope="module")
def cloud(lab: LiveLab) -> Iterator[Connection]:
    """The lab's cloud as its administrator."""
    with pytest.MonkeyPatch.context() as context:
        context.setenv("OS_CLIENT_CONFIG_FILE", str(lab.directory / "clouds.yaml"))
        yield openstack.connect(cloud=lab.description["name"])


@pytest.fixture(scope="module")
def demo(lab: LiveLab) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(lab.labctl("demo", "--json").stdout)
    return document


@pytest.fixture
def make(cloud: Connection) -> Iterator[Callable[..., str]]:
    """Make a server in the administrator's own project; removed with its flavor and image when the test ends."""
    remove: list[Callable[[], Any]] = []

    def server(name: str, *, vcpus: int = 1, image: Path | None = None, **more: str) -> str:
        flavor = cloud.compute.create_flavor(name=name, ram=128, vcpus=vcpus, disk=1)
        remove.append(lambda: cloud.compute.delete_flavor(flavor))
        if image is None:
            image_id = cloud.image.find_image("novalab-guest", ignore_missing=False).id
        else:
            image_id = cloud.image.create_image(
                name, filename=str(image), wait=True, disk_format="raw", container_format="bare"
            ).id
            remove.append(lambda: cloud.image.delete_image(image_id))
        network = cloud.network.find_network("lab", ignore_missing=False)
        made = cloud.compute.create_server(
            name=name, flavor_id=flavor.id, image_id=image_id, networks=[{"uuid": network.id}], **more
        )
        remove.append(lambda: cloud.compute.wait_for_delete(made))
        remove.append(lambda: cloud.compute.delete_server(made))
        return str(made.id)

    yield server
    for step in reversed(remove):
        step()


def settled(cloud: Connection, server_id: str, seconds: float = 300) -> str:
    """The status of a server that is no longer being built."""
    end = time.monotonic() + seconds
    while (status := str(cloud.compute.get_server(server_id).status)) == "BUILD" and time.monotonic() < end:
        time.sleep(1)
    return status


def test_demo_makes_a_server_on_each_compute(demo: dict[str, Any]) -> None:
    assert {server["name"]: server["host"] for server in demo["servers"]} == NAMES
    assert {server["status"] for server in demo["servers"]} == {"ACTIVE"}
    assert demo["actions"] == ["make demo-compute1", "make demo-compute2"]


def test_servers_on_different_computes_reach_each_other(lab: LiveLab, demo: dict[str, Any]) -> None:
    addresses = {server["name"]: server["addresses"][0] for server in demo["servers"]}
    for name in NAMES:
        log = lab.labctl("console", name, "--log").stdout
        (other,) = (address for server, address in addresses.items() if server != name)
        assert f"novalab: {other} answers" in log
        assert f"novalab guest ready: {name} " in log


def test_server_is_reached_from_the_controller(lab: LiveLab, demo: dict[str, Any]) -> None:
    for server in demo["servers"]:
        address = server["addresses"][0]
        lab.on("controller", f"ping -c 1 -W 5 {address}")
        page = f"import urllib.request; print(urllib.request.urlopen('http://{address}/', timeout=9).read().decode())"
        assert server["id"] in lab.on("controller", f'python3 -c "{page}"')


def test_demo_again_changes_nothing(lab: LiveLab, demo: dict[str, Any]) -> None:
    again = json.loads(lab.labctl("demo", "--json").stdout)
    assert again["actions"] == []
    assert [server["id"] for server in again["servers"]] == [server["id"] for server in demo["servers"]]


def test_console_prints_url_log_and_known_servers(lab: LiveLab, demo: dict[str, Any]) -> None:
    said = json.loads(lab.labctl("console", "demo-compute1", "--json").stdout)
    assert re.fullmatch(r"http://10\.213\.56\.11:6080/vnc_lite\.html\?path=%3Ftoken%3D[0-9a-f-]{36}", said["url"])
    assert said["url"] != lab.labctl("console", "demo-compute1", "--print").stdout.strip()
    assert len(lab.labctl("console", "demo-compute1", "--log", "--lines", "3").stdout.splitlines()) <= 3
    done = lab.labctl("console", "demo-compute7", check=False)
    assert done.returncode == 2
    assert "Servers: demo-compute1, demo-compute2" in done.stderr


def test_openstack_client_of_the_user_demo_works(lab: LiveLab, demo: dict[str, Any]) -> None:
    """The client of people who are logged in to the controller, as the user demo."""

    def client(command: str) -> str:
        line = f"source demo-openrc && openstack {command}"
        return lab.run("vagrant", "ssh", "controller", "-c", line).stdout

    rows = json.loads(client("server list -f json"))
    assert {row["Name"]: row["Status"] for row in rows} == dict.fromkeys(NAMES, "ACTIVE")
    shown = json.loads(client("server show demo-compute1 -f json"))
    assert shown["id"] == demo["servers"][0]["id"]
    assert "novalab guest ready" in client("console log show demo-compute1")
    network = "--flavor demo --image novalab-guest --network lab"
    client(f"server create {network} --wait another")
    client("server delete --wait another")
    assert {row["Name"] for row in json.loads(client("server list -f json"))} == set(NAMES)


def test_halt_and_up_change_nothing(lab: LiveLab, demo: dict[str, Any]) -> None:
    """The four rows again, from the same machines, and nothing installed or configured. The servers are the same."""
    before = {node: lab.on(node, STAMP) for node in NODES}
    lab.labctl("halt")
    status = json.loads(lab.labctl("status", "--json").stdout)
    assert {node["state"] for node in status["nodes"]} == {"stopped"}
    result = lab.up()
    assert {node: lab.on(node, STAMP) for node in NODES} == before
    assert {counts["changed"] for counts in result["ansible"]["nodes"].values()} == {0}
    assert lab.rows() == FOUR_ROWS
    again = json.loads(lab.labctl("demo", "--json").stdout)
    assert [server["id"] for server in again["servers"]] == [server["id"] for server in demo["servers"]]
    assert {server["status"] for server in again["servers"]} == {"ACTIVE"}
    for server in again["servers"]:
        lab.on("controller", f"ping -c 1 -W 5 {server['addresses'][0]}")


def test_explain_a_flavor_that_is_too_large_names_the_shortage(
    lab: LiveLab, cloud: Connection, make: Callable[..., str]
) -> None:
    server = make("large", vcpus=16)
    assert settled(cloud, server) == "ERROR"
    said = json.loads(lab.labctl("explain", "large", "--json").stdout)
    assert not said["up"]
    for host in NAMES.values():
        assert any(re.match(f"{host} has too little: asked 16 VCPU, ", cause) for cause in said["causes"]), said
    assert any("Got no allocation candidates" in line for line in said["evidence"])


def test_explain_a_compute_that_is_down_names_it(lab: LiveLab, cloud: Connection, make: Callable[..., str]) -> None:
    lab.on("compute2", "systemctl stop nova-compute")
    lab.on("controller", SILENT)
    try:
        end = time.monotonic() + 180
        while next(cloud.compute.services(host="compute2")).state != "down" and time.monotonic() < end:
            time.sleep(2)
        server = make("stranded", host="compute2")
        assert settled(cloud, server) == "ERROR"
        said = lab.labctl("explain", "stranded").stdout
        assert "only compute2 was allowed" in said
        assert "nova-compute on compute2 is down" in said
        assert "the filter ComputeFilter left none of 1" in said
        assert "systemctl start nova-compute" in said
    finally:
        lab.on("compute2", "systemctl start nova-compute")
    lab.labctl("verify")


def test_explain_an_image_that_does_not_boot_names_it(
    lab: LiveLab, cloud: Connection, make: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "zeros").write_bytes(bytes(4 << 20))
    server = make("blank", image=tmp_path / "zeros")
    assert settled(cloud, server) == "ACTIVE"
    said = json.loads(lab.labctl("explain", "blank", "--json").stdout)
    assert not said["up"]
    assert "said nothing on its serial console" in said["causes"][0]
    assert "image blank does not boot" in said["causes"][0]
    assert "labctl console blank" in said["remedy"]


def test_instance_reaches_the_gateway_and_no_port_of_it(
    lab: LiveLab, cloud: Connection, make: Callable[..., str]
) -> None:
    """The controller is the gateway of the instances' network, and its services are not for them."""
    network = json.loads(lab.labctl("describe", "--json").stdout)["guest_network"]
    gateway = str(ipaddress.IPv4Network(network)[1])
    ports = sorted(open_to(("controller", "nodes", "host"), "controller_nodes", ("nova", "neutron")))
    tries = f"for port in {' '.join(map(str, ports))}; do nc -w 3 {gateway} $port </dev/null && echo open $port; done"
    script = f"#!/bin/sh\n{tries}\nping -c 1 -W 5 {gateway} >/dev/null && echo all ports tried\n"
    server = make("scan", user_data=base64.b64encode(script.encode()).decode())
    assert settled(cloud, server) == "ACTIVE"
    end = time.monotonic() + 300
    while "all ports tried" not in (log := console(cloud, server)) and time.monotonic() < end:
        time.sleep(2)
    assert "all ports tried" in log
    assert re.findall(r"open \d+", log) == []


def console(cloud: Connection, server_id: str) -> str:
    """What a server has written to its serial console."""
    return str(cloud.compute.get_server_console_output(server_id)["output"])


def test_demo_replaces_a_server_in_error(lab: LiveLab, cloud: Connection, demo: dict[str, Any]) -> None:
    broken = demo["servers"][1]["id"]
    cloud.compute.post(f"/servers/{broken}/action", json={"os-resetState": {"state": "error"}})
    again = json.loads(lab.labctl("demo", "--json").stdout)
    assert again["actions"] == ["replace demo-compute2: it was in status ERROR"]
    assert {server["name"]: server["host"] for server in again["servers"]} == NAMES
    assert broken not in {server["id"] for server in again["servers"]}
    assert [server["addresses"] for server in again["servers"]] == [server["addresses"] for server in demo["servers"]]


def test_demo_delete_leaves_nothing(lab: LiveLab, cloud: Connection, demo: dict[str, Any]) -> None:
    lab.labctl("console", "demo-compute1", "--print")  # so that there is a token to be left
    tokens = "mariadb -N nova -e 'SELECT COUNT(*) FROM console_auth_tokens'"
    assert int(lab.on("controller", tokens)) > 0
    assert "The demonstration is removed." in lab.labctl("demo", "--delete").stdout
    assert list(cloud.compute.servers(all_projects=True)) == []
    assert [port.name for port in cloud.network.ports() if port.device_owner.startswith("compute:")] == []
    assert lab.on("controller", tokens).strip() == "0"
    for host in NAMES.values():
        assert lab.on(host, "virsh --quiet list --all").strip() == ""
    for provider in cloud.placement.resource_providers():
        answer = cloud.placement.get(f"/resource_providers/{provider.id}/allocations")
        assert answer.json()["allocations"] == {}
    assert "nothing changed" in lab.labctl("demo", "--delete").stdout
