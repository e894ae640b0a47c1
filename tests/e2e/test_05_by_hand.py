"""The second door: Vagrant and Ansible by hand."""

from tests.e2e.lab import FOUR_ROWS, NAME, NETWORK, LiveLab


def test_vagrant_up_and_ansible_playbook_build_the_lab(lab: LiveLab) -> None:
    lab.labctl("destroy")
    lab.describe(name=NAME, network=NETWORK)
    lab.run("vagrant", "up")
    counts = lab.playbook()
    assert {(count["failed"], count["unreachable"]) for count in counts.values()} == {(0, 0)}
    assert lab.rows() == FOUR_ROWS
