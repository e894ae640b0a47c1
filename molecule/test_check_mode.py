"""Check mode on the finished node has nothing to say. The tests of the role come after it."""

import os
import re
import subprocess

testinfra_hosts = ["local://"]


def test_check_mode_on_the_finished_node_changes_nothing() -> None:
    inventories = [f"{os.environ['MOLECULE_EPHEMERAL_DIRECTORY']}/inventory", os.environ["INVENTORY"]]
    done = subprocess.run(
        ["ansible-playbook", "--check", "--diff", *(f"--inventory={path}" for path in inventories), "converge.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    recap = done.stdout.partition("PLAY RECAP")[2]
    counts = re.findall(r"changed=(\d+) +unreachable=(\d+) +failed=(\d+)", recap)
    assert counts, done.stdout + done.stderr
    assert set(counts) == {("0", "0", "0")}, done.stdout + done.stderr
