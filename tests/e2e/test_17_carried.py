"""A finished lab in a file, and made from it in an empty directory, without an image and without a network.

The last of the files: the lab of the others ends here, since two labs cannot have one name and one network.
"""

import json
import os
import stat
from collections.abc import Iterator

import pytest

from tests.e2e import elsewhere
from tests.e2e.elsewhere import Elsewhere
from tests.e2e.lab import FOUR_ROWS, LiveLab

# Of the addresses for documentation (RFC 5737): nobody is there, and only a default route leads there.
OUTSIDE = "192.0.2.1"
IDENTITY = "cat /etc/machine-id /var/lib/nova/compute_id 2>/dev/null; hostname; sha256sum /etc/nova/nova.conf"
NODES = ("controller", "compute1", "compute2")


@pytest.fixture
def other_machine() -> Iterator[Elsewhere]:
    if os.geteuid() != 0:
        pytest.skip("a network namespace needs root")
    there = elsewhere.machine()
    there.enter()
    yield there
    there.remove()


def test_lab_carried_to_a_machine_without_network_or_images_runs(lab: LiveLab, other_machine: Elsewhere) -> None:
    before = {node: lab.on(node, IDENTITY) for node in NODES}
    secrets = lab.secrets
    archive = elsewhere.PLACE / "lab.tar"
    lab.labctl("export-lab", "--with-secrets", str(archive))
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert lab.rows() == FOUR_ROWS  # it goes on
    lab.labctl("destroy")

    assert "unreachable" in other_machine.run("ip", "route", "get", OUTSIDE, check=False).stderr
    assert other_machine.run("podman", "images", "--quiet").stdout == ""
    other_machine.description = lab.description
    other_machine.labctl("up", "--from", str(archive))
    assert other_machine.rows() == FOUR_ROWS
    assert {node: other_machine.on(node, IDENTITY) for node in NODES} == before
    assert other_machine.secrets == secrets
    assert json.loads(other_machine.labctl("verify", "--json").stdout)["verified"] is True
