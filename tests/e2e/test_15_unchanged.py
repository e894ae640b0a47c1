"""`labctl up` finds whatever somebody has changed by hand, names it and repairs it. All is changed at once."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.drift import only_compared
from tests.e2e.lab import FOUR_ROWS, LiveLab

EDIT = "echo '# by hand' >> /etc/nova/nova.conf"
OPEN = "chmod 0644 /etc/placement/placement.conf; chown nobody /etc/default/placement-api"
DELETE = "rm /etc/default/nova-api"
DISABLE = "systemctl disable nova-scheduler"
STOP = "systemctl stop nova-compute"
DROP = "mariadb -e \"DROP USER 'placement'@'%'\""
# A database's name in a grant is a pattern.
REVOKE = r"""mariadb -e "REVOKE ALL ON \`nova\\_cell0\`.* FROM 'nova'@'%'" """
AS_ADMIN = ". ~vagrant/admin-openrc;"
FIND_ENDPOINT = "openstack endpoint list --service image --interface admin -c ID -f value"
NO_ENDPOINT = f"{AS_ADMIN} openstack endpoint delete $({FIND_ENDPOINT})"
NO_IMAGE = f"{AS_ADMIN} openstack image delete novalab-guest"
PASSWORD = f"{AS_ADMIN} openstack user set --password other demo"


@dataclass(frozen=True)
class Change:
    """What somebody does on the nodes, what `labctl up` says of it, and what works when that is repaired."""

    damage: list[tuple[str, str]]
    said: list[str]
    repaired: list[tuple[str, str]]


# Made in this order: the first need services that the others damage. None hides what another does.
CHANGES = {
    "objects": Change(
        [("controller", NO_IMAGE), ("controller", NO_ENDPOINT), ("controller", PASSWORD)],
        [
            "controller: Glance image novalab-guest: is gone",
            "controller: Keystone endpoint image admin RegionOne: is gone",
            "controller: Keystone user demo: differs",
        ],
        [
            ("controller", f"{AS_ADMIN} test $(openstack image show novalab-guest -c status -f value) = active"),
            ("controller", f"{AS_ADMIN} test $({FIND_ENDPOINT} | wc -l) = 1"),
            ("controller", ". ~vagrant/demo-openrc; openstack token issue"),
        ],
    ),
    "files": Change(
        [("compute1", EDIT), ("controller", OPEN), ("controller", DELETE)],
        [
            "compute1: /etc/nova/nova.conf: another text",
            "controller: /etc/placement/placement.conf: mode was 0640, is 0644",
            "controller: /etc/default/placement-api: owner was 0:0, is ",
            "controller: /etc/default/nova-api: is gone",
        ],
        [
            ("compute1", "! grep 'by hand' /etc/nova/nova.conf"),
            ("controller", "test $(stat -c %a /etc/placement/placement.conf) = 640"),
            ("controller", "test $(stat -c %U /etc/default/placement-api) = root"),
            ("controller", "test -s /etc/default/nova-api"),
        ],
    ),
    "units": Change(
        [("controller", DISABLE), ("compute2", STOP)],
        [
            "controller: /etc/systemd/system/multi-user.target.wants/nova-scheduler.service: is gone",
            "controller: unit nova-scheduler.service: was enabled, is disabled",
            "compute2: unit nova-compute.service: was active, is inactive",
        ],
        [("controller", "systemctl is-enabled nova-scheduler"), ("compute2", "systemctl is-active nova-compute")],
    ),
    "accounts": Change(
        [("controller", DROP), ("controller", REVOKE)],
        [
            "controller: database account placement@%: is gone",
            "controller: database grant nova@% on nova_cell0: is gone",
        ],
        [],  # the verification looks at both
    ),
}


@pytest.fixture(scope="module")
def repaired(lab: LiveLab) -> dict[str, Any]:
    """What `labctl up` printed when everything had been changed."""
    for change in CHANGES.values():
        for node, command in change.damage:
            lab.on(node, command)
    return lab.up()


def test_up_full_runs_on_an_unchanged_lab(lab: LiveLab) -> None:
    """It leaves what the next run only compares."""
    lab.labctl("up", "--full")
    only_compared(lab)


@pytest.mark.parametrize("kind", CHANGES)
def test_change_by_hand_is_named_and_repaired(lab: LiveLab, repaired: dict[str, Any], kind: str) -> None:
    change = CHANGES[kind]
    assert not repaired["unchanged"]
    found = repaired["differences"]
    assert [line for line in change.said if not any(text.startswith(line) for text in found)] == [], found
    for node, command in change.repaired:
        lab.on(node, command)


@pytest.mark.usefixtures("repaired")
def test_repaired_lab_is_only_compared(lab: LiveLab) -> None:
    only_compared(lab)
    assert lab.rows() == FOUR_ROWS
