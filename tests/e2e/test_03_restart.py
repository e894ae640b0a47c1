"""Off and on again."""

import json

from tests.e2e.lab import FOUR_ROWS, LiveLab

STAMP = "stat -c %Y /var/lib/dpkg/status /etc/nova/nova.conf"


def test_halt_and_up(lab: LiveLab) -> None:
    """The four rows again, from the same machines, with nothing installed or configured anew."""
    nodes = ("controller", "compute1", "compute2")
    before = {node: lab.on(node, STAMP) for node in nodes}
    lab.labctl("halt")
    status = json.loads(lab.labctl("status", "--json").stdout)
    assert {node["state"] for node in status["nodes"]} == {"stopped"}
    result = lab.up()
    assert {node: lab.on(node, STAMP) for node in nodes} == before
    assert {counts["changed"] for counts in result["ansible"]["nodes"].values()} == {0}
    assert lab.rows() == FOUR_ROWS
