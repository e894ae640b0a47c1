"""The lab held still, kept under a name, broken, and brought back."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import openstack
import pytest
from openstack.connection import Connection

from tests.e2e.lab import FOUR_ROWS, LiveLab

NODES = ("controller", "compute1", "compute2")
IDENTITY = "cat /etc/machine-id /var/lib/nova/compute_id /etc/openvswitch/system-id.conf 2>/dev/null; hostname"
NAME = "loaded"
SERVERS = 4

HELD = 15  # seconds, more than the ten between two reports of a service
REPORTS = (
    "mariadb -N nova -e \"SELECT CONCAT(\\`binary\\`, ' ', host, ' ', UNIX_TIMESTAMP(updated_at)) FROM services"
    ' WHERE deleted = 0 AND updated_at IS NOT NULL"'
)


def reports(lab: LiveLab) -> dict[tuple[str, str], float]:
    """When each service of Nova reported last, in seconds since the epoch, as the cell's database has it (in UTC)."""
    rows = (line.split() for line in lab.on("controller", REPORTS).splitlines())
    return {(binary, host): float(stamp) for binary, host, stamp in rows}


def wait_for_reports(lab: LiveLab, since: datetime, seconds: int = 20) -> None:
    """Wait until all four services have reported since then."""
    end = time.monotonic() + seconds
    while True:
        fresh = {row for row, stamp in reports(lab).items() if stamp >= int(since.timestamp())}
        if fresh == FOUR_ROWS:
            return
        assert time.monotonic() < end, f"have reported: {fresh}"
        time.sleep(1)


def test_resume_after_a_pause_reports_again(lab: LiveLab) -> None:
    lab.labctl("pause")
    held = datetime.now(UTC)
    status = json.loads(lab.labctl("status", "--json").stdout)
    assert {node["state"] for node in status["nodes"]} == {"paused"}
    done = lab.labctl("verify", check=False)
    assert (done.returncode, "Run `labctl resume`" in done.stderr) == (1, True), done.stderr
    time.sleep(HELD)
    resumed = datetime.now(UTC)
    lab.labctl("resume")
    wait_for_reports(lab, resumed)
    assert (resumed - held).total_seconds() >= HELD
    assert "No node was paused" in lab.labctl("resume").stdout


def test_up_on_a_paused_lab_resumes_it(lab: LiveLab) -> None:
    lab.labctl("pause")
    assert {counts["changed"] for counts in lab.up()["ansible"]["nodes"].values()} == {0}
    assert lab.rows() == FOUR_ROWS


@pytest.fixture
def cloud(lab: LiveLab) -> Iterator[Connection]:
    """The lab's cloud as its administrator."""
    with pytest.MonkeyPatch.context() as context:
        context.setenv("OS_CLIENT_CONFIG_FILE", str(lab.directory / "clouds.yaml"))
        yield openstack.connect(cloud=lab.description["name"])


def build(cloud: Connection) -> list[str]:
    """Ask for servers, and return their ids without waiting for them."""
    flavor = cloud.compute.create_flavor(name=NAME, ram=128, vcpus=1, disk=1)
    image = cloud.image.find_image("novalab-guest", ignore_missing=False).id
    network = cloud.network.find_network("lab", ignore_missing=False).id
    made = (
        cloud.compute.create_server(
            name=f"{NAME}{number}", flavor_id=flavor.id, image_id=image, networks=[{"uuid": network}]
        )
        for number in range(SERVERS)
    )
    return [server.id for server in made]


def test_snapshot_name_that_is_bad_is_refused(lab: LiveLab) -> None:
    """Refused, and nothing is changed."""
    for arguments, word in (
        (("save", "Upper"), "not a valid name for a snapshot"),
        (("restore", "none"), "There is no snapshot 'none'"),
        (("delete", "none"), "There is no snapshot 'none'"),
    ):
        done = lab.labctl("snapshot", *arguments, check=False)
        assert (done.returncode, word in done.stderr) == (2, True), done.stderr
    assert json.loads(lab.labctl("snapshot", "list", "--json").stdout) == []


def test_snapshot_restore_of_a_broken_lab_brings_it_back(lab: LiveLab, cloud: Connection) -> None:
    """What was kept while servers were being made verifies when it is back, and every row in it is new."""
    before = {node: lab.on(node, IDENTITY) for node in NODES}
    servers = build(cloud)
    lab.labctl("snapshot", "save", NAME)
    assert lab.labctl("snapshot", "save", NAME, check=False).returncode == 2
    assert {item["name"] for item in json.loads(lab.labctl("snapshot", "list", "--json").stdout)} == {NAME}

    lab.on("controller", "mariadb -e 'DROP DATABASE nova'")
    lab.on("compute1", "rm -rf /etc/nova")
    settings = lab.directory / ".labctl" / "containers.conf"
    engine = [f"CONTAINERS_CONF={settings}"] if settings.exists() else []
    lab.run(
        "env", *engine, str(lab.directory / ".labctl/bin/docker"), "kill", f"novalab-{lab.description['name']}-compute2"
    )

    start = datetime.now(UTC)
    result = json.loads(lab.labctl("snapshot", "restore", NAME, "--json").stdout)
    assert (result["snapshot"], result["verified"]) == (NAME, True)
    found = reports(lab)
    assert {row for row, stamp in found.items() if stamp >= start.timestamp()} == FOUR_ROWS == set(found)
    assert {node: lab.on(node, IDENTITY) for node in NODES} == before
    for server in servers:
        cloud.compute.delete_server(server, ignore_missing=False)
    for server in servers:
        if (left := cloud.compute.find_server(server)) is not None:
            cloud.compute.wait_for_delete(left)
    cloud.compute.delete_flavor(cloud.compute.find_flavor(NAME, ignore_missing=False))


def test_snapshot_delete_leaves_the_nodes(lab: LiveLab) -> None:
    lab.labctl("snapshot", "delete", NAME)
    assert json.loads(lab.labctl("snapshot", "list", "--json").stdout) == []
    assert {counts["changed"] for counts in lab.up()["ansible"]["nodes"].values()} == {0}
