"""Two computes become three, one and two again, with servers on a node that stays and on those that go."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.lab import FOUR_ROWS, LiveLab

# Where the services have their configuration; /etc/hosts is the one file that may change.
CONFIGURATION = "/etc/default /etc/glance /etc/keystone /etc/libvirt /etc/neutron /etc/nova /etc/placement /etc/systemd"
COMPUTE_ROWS = {("nova-compute", f"compute{number}") for number in (1, 2, 3)}


def fingerprint(lab: LiveLab, node: str) -> str:
    """When the node's first process and each of its units began, and when each file of configuration changed."""
    units = (
        "systemctl show -p Id -p ActiveEnterTimestampMonotonic 'nova-*' 'ovn-*' 'ovs*' 'neutron-*' libvirtd guest-wire"
    )
    files = f"find {CONFIGURATION} -type f -not -path '*/libvirt/qemu/*' -printf '%p %T@\\n' | sort"  # not of servers
    text = lab.on(node, f"stat -c '%n %y' /proc/1; {units}; {files}")
    assert "ActiveEnterTimestampMonotonic=" in text
    return text


def up(lab: LiveLab, *arguments: str) -> dict[str, Any]:
    """`labctl up --json`, its time printed."""
    start = time.monotonic()
    document: dict[str, Any] = json.loads(lab.labctl("up", "--json", *arguments).stdout)
    print(f"up with {lab.description['computes']} computes: {time.monotonic() - start:.1f} s")  # noqa: T201
    return document


def changed(document: dict[str, Any]) -> dict[str, int]:
    return {node: counts["changed"] for node, counts in document["ansible"]["nodes"].items()}


@pytest.fixture(scope="module")
def before(lab: LiveLab) -> Iterator[dict[str, str]]:
    """The fingerprints of the nodes that stay throughout; the lab is as it was in the end."""
    description = dict(lab.description)
    yield {node: fingerprint(lab, node) for node in ("controller", "compute1")}
    lab.describe(**description)


def test_plan_of_a_third_compute_changes_nothing(lab: LiveLab, before: dict[str, str]) -> None:
    lab.describe(**{**lab.description, "computes": 3})
    for verb in (["plan"], ["up", "--dry-run"]):
        output = lab.labctl(*verb).stdout
        assert "+ node compute3: " in output
        assert "~ controller, compute1, compute2: a line for compute3 in /etc/hosts; no service restarts" in output
    assert {row for row in lab.rows() if row[0] == "nova-compute"} == COMPUTE_ROWS - {("nova-compute", "compute3")}
    assert {node: fingerprint(lab, node) for node in before} == before


def test_up_with_a_third_compute_leaves_the_others_alone(lab: LiveLab, before: dict[str, str]) -> None:
    """It is installed, registered and, in its turn, mapped; of the others only /etc/hosts changes."""
    second = fingerprint(lab, "compute2")
    document = up(lab)
    counts = changed(document)
    assert counts.pop("compute3") > 5
    assert counts == {"controller": 1, "compute1": 1, "compute2": 1, "localhost": 0}
    assert [change["what"] for change in document["plan"]] == ["node compute3", "controller, compute1, compute2"]
    assert lab.rows() == FOUR_ROWS | COMPUTE_ROWS
    assert {node: fingerprint(lab, node) for node in before} == before
    assert fingerprint(lab, "compute2") == second
    assert "Nothing to do" in lab.labctl("plan").stdout


def test_up_without_computes_that_have_servers_is_refused(lab: LiveLab, before: dict[str, str]) -> None:
    """Refused with their names, before anything is changed."""
    lab.labctl("demo")
    lab.describe(**{**lab.description, "computes": 1})
    for verb in (["plan"], ["up"]):
        done = lab.labctl(*verb, check=False)
        assert done.returncode == 2, done.stderr
        assert "on compute3: demo-compute3 (ACTIVE); on compute2: demo-compute2 (ACTIVE)" in done.stderr
        assert "labctl up --evict" in done.stderr
    assert lab.rows() == FOUR_ROWS | COMPUTE_ROWS
    assert {node: fingerprint(lab, node) for node in before} == before


def test_up_evict_killed_and_repeated_removes_two_computes(lab: LiveLab, before: dict[str, str]) -> None:
    """One of them dead, and the run killed in the middle. The server on the node that stays goes on."""
    server = "virsh --quiet list --uuid; ps -o lstart= -C qemu-system-x86_64"
    runs = lab.on("compute1", server)
    assert len(runs.splitlines()) > 1
    engine = str(lab.directory / ".labctl" / "bin" / "docker")
    lab.run(engine, "rm", "--force", "--volumes", f"novalab-{lab.description['name']}-compute3")
    assert "- servers demo-compute3 (ACTIVE): deleted" in lab.labctl("plan", "--evict").stdout
    output = lab.up_until("Stop Nova, and Neutron's agents", "--evict")
    assert "- node compute2: " in output
    assert changed(up(lab, "--evict")) == {"controller": 1, "compute1": 1, "localhost": 0}
    assert lab.rows() == FOUR_ROWS - {("nova-compute", "compute2")}
    assert {node: fingerprint(lab, node) for node in before} == before
    assert lab.on("compute1", server) == runs
    left = "grep -c compute /etc/hosts; rabbitmqctl -q list_queues name | grep -c compute[.][a-z]*[23] || true"
    assert lab.on("controller", left).split() == ["1", "0"]
    known = {path.name for path in (lab.directory / ".vagrant" / "machines").iterdir()}
    assert known == {"controller", "compute1"}


def test_up_with_two_computes_again_restores_the_lab(lab: LiveLab, before: dict[str, str]) -> None:
    lab.describe(**{**lab.description, "computes": 2})
    up(lab)
    assert lab.rows() == FOUR_ROWS
    lab.labctl("demo", "--delete")
    lab.labctl("verify")
    assert {node: fingerprint(lab, node) for node in before} == before
