"""A broken lab fails its verification by name, and `labctl up` mends it."""

import pytest

from tests.e2e.lab import FOUR_ROWS, LiveLab


@pytest.mark.parametrize(
    ("node", "damage", "words"),
    [
        ("controller", "systemctl stop mariadb", ("controller", "mariadb", "inactive")),
        ("compute1", "systemctl stop nova-compute", ("compute1", "nova-compute", "inactive")),
        (
            "controller",
            "mariadb nova_api -e \"DELETE FROM host_mappings WHERE host = 'compute2'\"",
            ("Host compute2 is not mapped to any cell", "discover_hosts"),
        ),
        ("controller", "rabbitmqctl -q add_user guest guest", ("RabbitMQ users", "guest")),
    ],
    ids=["mariadb", "nova-compute", "mapping", "guest"],
)
def test_verify_names_the_cause(lab: LiveLab, node: str, damage: str, words: tuple[str, ...]) -> None:
    lab.on(node, damage)
    try:
        done = lab.labctl("verify", check=False)
        assert done.returncode == 1
        assert all(word in done.stderr for word in words), done.stderr
        assert "Log: " in done.stderr
    finally:
        lab.on("controller", "systemctl start mariadb; rabbitmqctl -q delete_user guest 2>/dev/null; true")


def test_up_mends_it(lab: LiveLab) -> None:
    result = lab.up()
    assert result["ansible"]["nodes"]["compute1"]["changed"] == 1  # nova-compute was started again
    assert lab.rows() == FOUR_ROWS
