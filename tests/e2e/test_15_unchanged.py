"""`labctl up` where nothing has changed only looks, and finds whatever somebody has changed by hand."""

from pathlib import Path

import pytest

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


def runs(lab: LiveLab) -> set[Path]:
    """The runs of Ansible that are kept."""
    return set((lab.directory / ".labctl" / "runner" / "artifacts").iterdir())


def looked_only(lab: LiveLab) -> bool:
    """Run `labctl up`; whether all it did was a comparison that found nothing, and nothing changed by it."""
    before = runs(lab)
    document = lab.up()
    (only,) = runs(lab) - before
    assert ("unchanged.yaml" in (only / "command").read_text(encoding="utf-8")) == document["unchanged"]
    changed = [counts["changed"] for counts in document["ansible"]["nodes"].values()]
    return document["unchanged"] is True and document["differences"] == [] and changed == [0, 0, 0, 0]


def test_a_second_up_only_looks(lab: LiveLab) -> None:
    lab.labctl("up", "--whole")
    assert looked_only(lab)
    output = lab.labctl("up").stdout
    assert "Software and verification" not in output
    assert "labctl up --whole" in output
    assert lab.rows() == FOUR_ROWS


def test_a_playbook_by_hand_that_changes_nothing_is_no_difference(lab: LiveLab) -> None:
    counts = lab.playbook()
    assert {count["changed"] for count in counts.values()} == {0}
    assert looked_only(lab)


@pytest.mark.parametrize(
    ("damage", "said", "mended"),
    [
        (
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
        (
            [("controller", DISABLE), ("compute2", STOP)],
            [
                "controller: /etc/systemd/system/multi-user.target.wants/nova-scheduler.service: is gone",
                "controller: unit nova-scheduler.service: was enabled, is disabled",
                "compute2: unit nova-compute.service: was active, is inactive",
            ],
            [("controller", "systemctl is-enabled nova-scheduler"), ("compute2", "systemctl is-active nova-compute")],
        ),
        (
            [("controller", NO_IMAGE), ("controller", NO_ENDPOINT), ("controller", PASSWORD)],
            [
                "controller: Glance image novalab-guest: is gone",
                "controller: Keystone endpoint image admin RegionOne: is gone",
                "controller: Keystone user demo: is another one",
            ],
            [
                ("controller", f"{AS_ADMIN} test $(openstack image show novalab-guest -c status -f value) = active"),
                ("controller", f"{AS_ADMIN} test $({FIND_ENDPOINT} | wc -l) = 1"),
                ("controller", ". ~vagrant/demo-openrc; openstack token issue"),
            ],
        ),
        (
            [("controller", DROP), ("controller", REVOKE)],
            [
                "controller: database account placement@%: is gone",
                "controller: database grant nova@% on nova_cell0: is gone",
            ],
            [],  # the verification looks at both
        ),
    ],
    ids=["files", "units", "objects", "accounts"],
)
def test_what_was_changed_by_hand_is_named_and_mended(
    lab: LiveLab, damage: list[tuple[str, str]], said: list[str], mended: list[tuple[str, str]]
) -> None:
    for node, command in damage:
        lab.on(node, command)
    document = lab.up()
    assert not document["unchanged"]
    found = document["differences"]
    assert [line for line in said if not any(text.startswith(line) for text in found)] == [], found
    for node, command in mended:
        lab.on(node, command)
    assert looked_only(lab)
    assert lab.rows() == FOUR_ROWS
