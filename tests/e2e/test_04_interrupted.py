"""Killed anywhere and run again, with passwords as hard as they come."""

import pytest

from labctl.lab.service_files import secrets
from tests.e2e.lab import FOUR_ROWS, LiveLab

HARD = "p@:/#%?$'\" x"


def test_destroy_keeps_lab_yaml_and_logs(lab: LiveLab) -> None:
    lab.labctl("destroy")
    left = {path.name for path in lab.directory.iterdir()}
    assert left == {"lab.yaml", ".labctl"}
    lab.describe(**lab.description, secrets=dict.fromkeys(secrets(), HARD))


@pytest.mark.parametrize(
    "moment", ["^Nodes", "keystone: Keep the projects", "nova_controller: Bring the schemas of the cells"]
)
def test_up_killed_at_a_moment_reports_no_failure(lab: LiveLab, moment: str) -> None:
    """SIGKILL to the process group; what labctl says the next time is in the next test."""
    output = lab.up_until(moment)
    assert "failed" not in output


def test_up_after_kills_completes_with_hard_passwords(lab: LiveLab) -> None:
    lab.up()
    assert lab.rows() == FOUR_ROWS
    lab.labctl("verify")
    assert set(lab.secrets.values()) == {HARD}


def test_hard_password_in_openrc_logs_in(lab: LiveLab) -> None:
    """In the openrc files on the controller and in clouds.yaml on the host."""
    client = "source demo-openrc && openstack token issue -f value -c project_id"
    assert lab.run("vagrant", "ssh", "controller", "-c", client).stdout.strip()
