"""Killed anywhere and run again, with passwords as hard as they come."""

import pytest

from labctl.lab.service_files import secrets
from tests.e2e.lab import FOUR_ROWS, LiveLab

HARD = "p@:/#%?$'\" x"


def test_destroy(lab: LiveLab) -> None:
    lab.labctl("destroy")
    left = {path.name for path in lab.directory.iterdir()}
    assert left == {"lab.yaml", ".labctl"}
    lab.describe(**lab.description, secrets=dict.fromkeys(secrets(), HARD))


@pytest.mark.parametrize(
    "moment", ["^Nodes", "keystone: Keep the projects", "nova_controller: Bring the schemas of the cells"]
)
def test_killed(lab: LiveLab, moment: str) -> None:
    """SIGKILL to the process group; what labctl says the next time is in the next test."""
    output = lab.up_until(moment)
    assert "failed" not in output


def test_runs_to_the_end(lab: LiveLab) -> None:
    lab.up()
    assert lab.rows() == FOUR_ROWS
    lab.labctl("verify")
    assert set(lab.secrets.values()) == {HARD}


def test_hard_password_works_for_people(lab: LiveLab) -> None:
    """In the openrc files on the controller and in clouds.yaml on the host."""
    client = "source demo-openrc && openstack token issue -f value -c project_id"
    assert lab.run("vagrant", "ssh", "controller", "-c", client).stdout.strip()
