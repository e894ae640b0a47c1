"""A broken lab fails its verification by name, and `labctl up` repairs it."""

import pytest

from tests.e2e.lab import FOUR_ROWS, LiveLab

STOP_DATABASE = "systemctl stop mariadb"
STOP_COMPUTE = "systemctl stop nova-compute"
DELETE_MAPPING = "mariadb nova_api -e \"DELETE FROM host_mappings WHERE host = 'compute2'\""


@pytest.mark.parametrize(
    ("node", "damage", "repair", "words"),
    [
        ("controller", STOP_DATABASE, "systemctl start mariadb", ("controller", "mariadb", "inactive")),
        ("compute1", STOP_COMPUTE, "systemctl start nova-compute", ("compute1", "nova-compute", "inactive")),
        (
            "controller",
            DELETE_MAPPING,
            "runuser -u nova -- nova-manage cell_v2 discover_hosts --by-service",
            ("Host compute2 is not mapped to any cell", "discover_hosts"),
        ),
        (
            "controller",
            "rabbitmqctl -q add_user guest guest",
            "rabbitmqctl -q delete_user guest",
            ("RabbitMQ users", "guest"),
        ),
    ],
    ids=["mariadb", "nova-compute", "mapping", "guest"],
)
def test_verify_of_a_broken_lab_names_the_cause(
    lab: LiveLab, node: str, damage: str, repair: str, words: tuple[str, ...]
) -> None:
    lab.on(node, damage)
    try:
        done = lab.labctl("verify", check=False)
        assert done.returncode == 1
        assert all(word in done.stderr for word in words), done.stderr
        assert "Log: " in done.stderr
    finally:
        lab.on(node, repair)


def test_up_on_a_broken_lab_repairs_only_what_is_broken(lab: LiveLab) -> None:
    """And does nothing else."""
    lab.on("compute1", STOP_COMPUTE)
    lab.on("controller", DELETE_MAPPING)
    lab.on("controller", STOP_DATABASE)
    nodes = lab.up()["ansible"]["nodes"]
    assert {node: counts["changed"] for node, counts in nodes.items()} == {
        "controller": 1,  # MariaDB started
        "compute1": 1,  # nova-compute started
        "compute2": 1,  # the host mapped, in the turn of the last compute
        "localhost": 0,
    }
    assert lab.rows() == FOUR_ROWS
