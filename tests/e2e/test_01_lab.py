"""The lab as `labctl up` leaves it."""

import json
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.drift import only_compared
from tests.e2e.lab import CHECKOUT, FOUR_ROWS, NETWORK, SCRIPTS, LiveLab
from tests.ports import SCAN, open_to

if TYPE_CHECKING:
    from labctl.lab.service_files import Group

NODES = ("controller", "compute1", "compute2")
FEATURES = ("nova", "neutron")
MEBIBYTE = 1024  # KiB


def test_services_after_up_are_four_and_up(lab: LiveLab) -> None:
    assert lab.rows() == FOUR_ROWS


def test_nova_units_on_the_controller_are_exactly_those_expected(lab: LiveLab) -> None:
    output = lab.on("controller", "systemctl list-units --plain --no-legend --type=service --state=running 'nova-*'")
    assert sorted(line.split()[0] for line in output.splitlines()) == [
        "nova-api-metadata.service",
        "nova-api.service",
        "nova-conductor.service",
        "nova-novncproxy.service",
        "nova-scheduler.service",
    ]


@pytest.mark.parametrize("node", ["compute1", "compute2"])
def test_compute_has_no_database_credentials(lab: LiveLab, node: str) -> None:
    """No connection in its files, and none of the databases' passwords anywhere on it."""
    assert lab.on(node, "grep -rlE 'mysql|^ *connection *=' /etc/nova /etc/default || true") == ""
    secrets = "\n".join(value for name, value in lab.secrets.items() if name.startswith("mariadb_"))
    places = "/etc /home /opt /root /run /srv /tmp /usr/local /var"
    assert lab.on(node, f"grep -rlsF -f - --devices=skip {places} || true", stdin=secrets) == ""


@pytest.mark.parametrize("node", NODES)
def test_secrets_on_a_node_stay_in_their_files(lab: LiveLab, node: str) -> None:
    """Not in a process list, a log, or a file that everybody can read."""
    secrets = "\n".join(lab.secrets.values())
    lines = lab.on(node, "ps axww -o args= | grep -F -f /dev/fd/3 3<&0 | grep -v 'grep -F' || true", stdin=secrets)
    assert lines == ""
    assert lab.on(node, "grep -rlsF -f - /var/log || true", stdin=secrets) == ""
    journal = "cat >/root/patterns; journalctl -q --no-pager | grep -cF -f /root/patterns; rm /root/patterns"
    assert lab.on(node, journal, stdin=secrets).strip() == "0"
    readable = "find / -xdev -type f -perm -o=r -size -4M -not -path '/usr/*' -print0"
    assert (
        lab.on(
            node, f"cat >/run/p; {readable} | xargs -0 grep -lsF -f /run/p | grep -v ^/run/p; rm /run/p", stdin=secrets
        )
        == ""
    )


def test_secrets_on_the_host_are_in_two_private_files(lab: LiveLab) -> None:
    """In two files of their owner's only, and in no log or record of a run."""
    allowed = {lab.directory / ".labctl" / "secrets.json", lab.directory / "clouds.yaml"}
    found = set()
    for path in lab.directory.rglob("*"):
        if path.is_file() and any(value.encode() in path.read_bytes() for value in lab.secrets.values()):
            found.add(path)
    assert found == allowed
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    assert stat.S_IMODE((lab.directory / ".labctl").stat().st_mode) == 0o700


@pytest.mark.parametrize(("node", "limit"), [("controller", 2560 * MEBIBYTE), ("compute1", 600 * MEBIBYTE)])
def test_memory_of_an_idle_node_is_below_the_limit(lab: LiveLab, node: str, limit: int) -> None:
    """The proportional memory of all processes, in KiB."""
    used = lab.on(node, "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ {sum += $2} END {print sum}'")
    assert int(used) < limit


def test_configuration_files_belong_to_root_and_the_service(lab: LiveLab) -> None:
    files = [f"/etc/{name}.conf" for name in ("nova/nova", "keystone/keystone", "glance/glance-api")]
    files += ["/etc/placement/placement.conf", "/etc/neutron/neutron.conf"]
    assert lab.on("controller", f"stat -c '%a %U:%G' {' '.join(files)}").split("\n")[:-1] == [
        "640 root:nova",
        "640 root:keystone",
        "640 root:glance",
        "640 root:placement",
        "640 root:neutron",
    ]


def test_ports_open_to_others_are_those_described(lab: LiveLab) -> None:
    """All ports, tried from this machine, from a compute as an ordinary user, and from a container of somebody else.

    docs/security.md has the table.
    """
    groups: dict[str, Group] = {"controller": "controller_nodes", "compute2": "compute_nodes"}
    image = lab.engine("container", "inspect", "--format", "{{.Config.Image}}", lab.container("compute1")).strip()
    for node, group in groups.items():
        address = lab.address(node)
        of_host, of_nodes = open_to(("host",), group, FEATURES), open_to(("nodes", "host"), group, FEATURES)
        assert ports(lab.run(sys.executable, "-c", SCAN, address).stdout) == of_host
        assert ports(lab.on("compute1", f"runuser -u nobody -- python3 - {address}", stdin=SCAN)) == of_nodes
        # An engine may let it in under this machine's address.
        stranger = ports(lab.engine("run", "--rm", "--entrypoint", "python3", image, "-c", SCAN, address))
        assert stranger <= of_host


def ports(text: str) -> set[int]:
    return {int(word) for word in text.split()}


def test_cell_mappings_hold_no_secret(lab: LiveLab) -> None:
    table = lab.on(
        "controller", "mariadb -N nova_api -e 'SELECT name, database_connection, transport_url FROM cell_mappings'"
    )
    assert sorted(line.split("\t")[0] for line in table.splitlines()) == ["cell0", "cell1"]
    assert "{password}" in table
    assert not any(value in table for value in lab.secrets.values())


def untouched(counts: dict[str, dict[str, int]]) -> bool:
    """Whether Ansible was on every node and changed nothing there."""
    seen = {(count["changed"], count["failed"], count["unreachable"]) for count in counts.values()}
    return set(counts) >= set(NODES) and seen == {(0, 0, 0)}


def test_second_up_only_compares(lab: LiveLab) -> None:
    """Also in its words, and without the playbook's step."""
    assert untouched(only_compared(lab)["ansible"]["nodes"])
    output = lab.labctl("up").stdout
    assert "Software and verification" not in output
    assert "labctl up --full" in output
    assert lab.rows() == FOUR_ROWS


def test_playbook_by_hand_changes_nothing(lab: LiveLab) -> None:
    """And what it leaves is no difference to labctl."""
    assert untouched(lab.playbook())
    only_compared(lab)


def test_check_mode_on_an_unchanged_lab_changes_nothing(lab: LiveLab) -> None:
    hosts = str(lab.directory / "hosts.ini")
    output = lab.run(str(SCRIPTS / "ansible-playbook"), "-i", hosts, "site.yaml", "--check", "--diff").stdout
    assert "failed=0" in output
    assert "changed=0" in output


def test_verify_reports_what_it_compared(lab: LiveLab) -> None:
    result = json.loads(lab.labctl("verify", "--json").stdout)
    assert result["verified"]
    report = json.loads((lab.directory / ".labctl" / "verify.json").read_text(encoding="utf-8"))
    names = {check["name"] for check in report}
    assert {"units", "cells", "host mappings", "placement", "nova-status", "network agents"} <= names
    assert "noVNC refuses a wrong token" in names
    assert all(check["ok"] and check["expected"] and check["found"] for check in report)
    expected = {check["name"]: check["expected"] for check in report}
    assert expected["RabbitMQ users"] == "neutron, nova"
    assert "neutron on neutron" in expected["MariaDB grants"]


def test_up_with_a_taken_network_or_name_is_refused(lab: LiveLab, tmp_path: Path) -> None:
    """Another lab on the same addresses, or of the same name, is refused before anything is made."""
    for text, word in (
        (f"{{name: other, network: {NETWORK}}}", "is taken by"),
        (f"{{name: {lab.description['name']}}}", "name"),
    ):
        (tmp_path / "lab.yaml").write_text(text, encoding="utf-8")
        done = lab.run(str(SCRIPTS / "labctl"), "-C", str(tmp_path), "up", check=False)
        assert done.returncode == 2, done.stderr
        assert word in done.stderr
        assert "nothing was changed" in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["lab.yaml"]
        assert done.stdout == ""
    assert (CHECKOUT / "site.yaml").exists()
