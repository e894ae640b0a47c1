"""The doctor names the cause of faults that are made for it, and is silent before and after.

Several faults that do not touch each other are made at once, and looked at by one run. What is found is written to the
file that NOVALAB_DOCTOR_RECORD names, from which tools/doctor_table.py makes the table in docs/doctor.md.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lab import CHECKOUT, DIRECTORY, SCRIPTS, LiveLab

NOVA = "/etc/nova/nova.conf"


@dataclass(frozen=True)
class Fault:
    """Something to break: how on which node, how to mend it, and the finding that it must give, with its words."""

    name: str
    node: str
    damage: str
    repair: str
    check: str
    words: tuple[str, ...]
    where: str = ""


def edited(path: str, script: str, *, after: str = "") -> tuple[str, str]:
    """Commands that change a file by sed and put it back with its time and owner."""
    damage = f"test -e {path}.sound || cp -p {path} {path}.sound; sed -i {script} {path}"
    return damage + after, f"! test -e {path}.sound || mv {path}.sound {path}" + after


def sql(statement: str) -> str:
    """A command that has MariaDB do something."""
    return f'mariadb -e "{statement}"'


def stopped(unit: str) -> tuple[str, str]:
    return f"systemctl stop {unit}", f"systemctl start {unit}"


def in_section(section: str, option: str, value: str) -> str:
    """A script for sed."""
    return f"'/^\\[{section}\\]/,/^\\[/ s|^{option} = .*|{option} = {value}|'"


PACKAGE = (
    "mkdir -p /tmp/novalab-broken/DEBIAN; cd /tmp/novalab-broken; "
    'printf "Package: novalab-broken\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody <nobody@localhost>\\n'
    'Description: cannot be configured\\n" > DEBIAN/control; printf "#!/bin/sh\\nexit 1\\n" > DEBIAN/postinst; '
    "chmod 755 DEBIAN/postinst; dpkg-deb --build . /tmp/novalab-broken.deb >/dev/null; "
    "dpkg -i /tmp/novalab-broken.deb >/dev/null 2>&1 || true"
)
NO_RESTART = "/run/systemd/system/nova-scheduler.service.d"
MACHINES = [
    Fault("MariaDB is stopped", "controller", *stopped("mariadb"), "unit-down", ("mariadb", "stopped")),
    Fault(
        "RabbitMQ is stopped", "controller", *stopped("rabbitmq-server"), "unit-down", ("rabbitmq-server", "stopped")
    ),
    Fault("memcached is stopped", "controller", *stopped("memcached"), "unit-down", ("memcached", "stopped")),
    Fault("libvirtd is stopped", "compute1", *stopped("libvirtd"), "unit-down", ("libvirtd", "stopped")),
    Fault(
        "ovn-controller is stopped", "compute2", *stopped("ovn-controller"), "unit-down", ("ovn-controller", "stopped")
    ),
    Fault(
        "the controller's name is 127.0.1.1",
        "compute1",
        "cp /etc/hosts /root/hosts.sound; "
        "sed 's/^[0-9.]* controller/127.0.1.1 controller/' /root/hosts.sound > /etc/hosts",
        "cat /root/hosts.sound > /etc/hosts",
        "names",
        ("controller is 127.0.1.1, expected",),
    ),
    Fault(
        "a node has another name",
        "compute2",
        "hostname elsewhere",
        "hostname compute2",
        "names",
        ("hostname is elsewhere",),
    ),
    Fault(
        "the disk of the instances is full",
        "compute2",
        "mount -t tmpfs -o size=16m tmpfs /var/lib/nova/instances; fallocate -l 16m /var/lib/nova/instances/full",
        "umount /var/lib/nova/instances",
        "node-disk",
        ("/var/lib/nova/instances", "full", "0 of 16 MiB free"),
    ),
    Fault(f"{NOVA} is 0644", "compute2", f"chmod 0644 {NOVA}", f"chmod 0640 {NOVA}", "file-open", (NOVA, "0644")),
    Fault(
        f"{NOVA} is 0600 root:root",
        "compute1",
        f"chown root:root {NOVA}; chmod 0600 {NOVA}",
        f"chown root:nova {NOVA}; chmod 0640 {NOVA}",
        "file-unreadable",
        (NOVA, "0600 root:root", "user nova"),
    ),
    Fault(
        "a password is on a command line",
        "compute1",
        f"P=$(sed -n 's/^password = //p' {NOVA} | head -1 | tr -d '\"'); "
        'nohup python3 -c "import time; time.sleep(600)" "$P" >/dev/null 2>&1 & echo $! > /root/talker',
        "kill $(cat /root/talker)",
        "secret-seen",
        ("command line of process", "python3"),
    ),
    Fault(
        "an installation broke off",
        "compute2",
        PACKAGE,
        "dpkg --purge novalab-broken >/dev/null 2>&1; rm -rf /tmp/novalab-broken*",
        "packages",
        ("interrupted", "novalab-broken"),
    ),
    Fault(
        "packages may not start services",
        "compute1",
        "touch /usr/sbin/policy-rc.d",
        "rm /usr/sbin/policy-rc.d",
        "packages",
        ("policy-rc.d",),
    ),
    Fault(
        "another unit has failed",
        "compute1",
        "systemd-run --quiet --unit=job-of-somebody false; sleep 0.5",
        "systemctl reset-failed job-of-somebody",
        "unit-extra",
        ("job-of-somebody.service", "failed"),
    ),
    Fault(
        "a service of Nova runs that is not expected",
        "compute2",
        "systemd-run --quiet --unit=nova-stranger sleep 600",
        "systemctl stop nova-stranger",
        "unit-extra",
        ("nova-stranger", "not expected"),
    ),
    *(
        Fault(
            "two nodes have the same ssh host key",
            node,
            *edited("/etc/ssh/ssh_host_ed25519_key.pub", "'s/^.*$/ssh-ed25519 AAAAsame/'"),
            "identity-shared",
            ("compute1 and compute2", "AAAAsame"),
            where="compute2",
        )
        for node in ("compute1", "compute2")
    ),
]
CLOUD = [
    Fault(
        "nova-conductor is stopped",
        "controller",
        *stopped("nova-conductor"),
        "unit-down",
        ("nova-conductor", "stopped"),
    ),
    Fault(
        "nova-scheduler was killed",
        "controller",
        f"mkdir -p {NO_RESTART}; printf '[Service]\\nRestart=no\\n' > {NO_RESTART}/test.conf; systemctl daemon-reload; "
        "systemctl kill -s KILL nova-scheduler; sleep 0.5",
        f"rm -r {NO_RESTART}; systemctl daemon-reload; systemctl start nova-scheduler",
        "unit-down",
        ("nova-scheduler", "it has failed (signal)"),
    ),
    Fault(
        "nova-compute is masked",
        "compute2",
        "systemctl mask --quiet --now nova-compute",
        "systemctl unmask --quiet nova-compute; systemctl start nova-compute",
        "unit-down",
        ("nova-compute", "masked", "unmask"),
    ),
    Fault("the noVNC proxy is stopped", "controller", *stopped("nova-novncproxy"), "unit-down", ("nova-novncproxy",)),
    Fault("Neutron's API is stopped", "controller", *stopped("neutron-api"), "unit-down", ("neutron-api", "stopped")),
    Fault(
        "a second cell1 is made",
        "controller",
        sql(
            "INSERT INTO nova_api.cell_mappings (uuid, name, transport_url, database_connection, disabled)"
            " SELECT UUID(), name, transport_url, database_connection, 0"
            " FROM nova_api.cell_mappings WHERE name = 'cell1'"
        ),
        sql(
            "DELETE FROM nova_api.cell_mappings WHERE name = 'cell1'"
            " AND id NOT IN (SELECT cell_id FROM nova_api.host_mappings)"
        ),
        "cells",
        ("a second cell is named cell1", "delete_cell"),
    ),
    Fault(
        "a compute's mapping is deleted",
        "controller",
        sql("DELETE FROM nova_api.host_mappings WHERE host = 'compute1'"),
        sql(
            "INSERT INTO nova_api.host_mappings (created_at, cell_id, host)"
            " SELECT UTC_TIMESTAMP(), id, 'compute1' FROM nova_api.cell_mappings WHERE name = 'cell1'"
        ),
        "host-mapping",
        ("Host 'compute1' is not mapped to any cell",),
        where="compute1",
    ),
    Fault(
        "a compute of former times is mapped",
        "controller",
        sql(
            "INSERT INTO nova_api.host_mappings (cell_id, host)"
            " SELECT cell_id, 'compute9' FROM nova_api.host_mappings WHERE host = 'compute2'"
        ),
        sql("DELETE FROM nova_api.host_mappings WHERE host = 'compute9'"),
        "host-mapping",
        ("compute9", "not in the lab"),
    ),
    Fault(
        "a compute is disabled",
        "controller",
        sql("UPDATE nova.services SET disabled = 1, disabled_reason = 'repair' WHERE host = 'compute1'"),
        sql("UPDATE nova.services SET disabled = 0, disabled_reason = NULL WHERE host = 'compute1'"),
        "service",
        ("nova-compute on compute1 is disabled", "repair"),
        where="compute1",
    ),
    Fault(
        "a service of former times is registered",
        "controller",
        sql(
            "INSERT INTO nova.services (created_at, host, \\`binary\\`, topic, report_count, disabled, deleted)"
            " VALUES ('2026-01-01', 'compute9', 'nova-compute', 'compute', 1, 0, 0)"
        ),
        sql("DELETE FROM nova.services WHERE host = 'compute9'"),
        "service",
        ("nova-compute on compute9 is registered and not of this lab",),
    ),
    Fault(
        "a unit is not enabled",
        "controller",
        "systemctl disable --quiet glance-api 2>/dev/null",
        "systemctl enable --quiet glance-api 2>/dev/null",
        "unit-boot",
        ("glance-api", "disabled"),
    ),
    Fault(
        "a database has the wrong character set",
        "controller",
        sql("ALTER DATABASE placement CHARACTER SET latin1"),
        sql("ALTER DATABASE placement CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci"),
        "database-room",
        ("placement has latin1",),
    ),
    Fault(
        "a server could not be built",
        "controller",
        sql(
            "INSERT INTO nova_cell0.instances (created_at, uuid, display_name, vm_state, project_id, user_id, deleted)"
            " VALUES (UTC_TIMESTAMP(), UUID(), 'lost', 'error', 'p', 'u', 0)"
        ),
        sql("DELETE FROM nova_cell0.instances WHERE display_name = 'lost'"),
        "servers",
        ("lost", "on no host", "labctl explain"),
    ),
    Fault(
        "a service has too many workers",
        "controller",
        *edited(
            "/etc/glance/glance-api.conf",
            "'s/^workers = .*/workers = 10/'",
            after="; systemctl restart glance-api; sleep 2",
        ),
        "workers",
        ("glance-api", "processes on"),
    ),
]
LOGINS = [
    Fault(
        "a wrong password in transport_url",
        "compute1",
        *edited(NOVA, "'s|rabbit://nova:[^@]*@|rabbit://nova:wrong@|'"),
        "queue-login",
        ("RabbitMQ refuses the user nova of nova on compute1", "[DEFAULT]"),
    ),
    Fault(
        "settings changed and not yet read",
        "compute1",
        "true",
        "true",
        "unit-outdated",
        ("nova-compute", "before /etc/nova/nova.conf was changed"),
    ),
    Fault(
        "a wrong URL of the console's page",
        "compute1",
        *edited(NOVA, "'s|:6080/|:6081/|'"),
        "console",
        ("noVNC page does not answer", ":6081/"),
    ),
    Fault(
        "a wrong password for the database",
        "controller",
        *edited("/etc/placement/placement.conf", "'s|://placement:[^@]*@|://placement:wrong@|'"),
        "database-login",
        ("MariaDB refuses the user placement of placement", "[placement_database]", "1045"),
    ),
    Fault(
        "a wrong password for Placement on a compute",
        "compute2",
        *edited(NOVA, in_section("placement", "password", "wrong")),
        "identity-login",
        ("Keystone refuses the user nova of nova on compute2", "[placement] of /etc/nova/nova.conf", "401"),
    ),
    Fault(
        "the noVNC proxy is told the wrong address of a screen",
        "compute2",
        *edited(NOVA, in_section("vnc", "server_proxyclient_address", "127.0.0.1")),
        "console",
        ("looks for the screens of compute2 at 127.0.0.1",),
    ),
    Fault(
        "a settings file is damaged",
        "compute2",
        *edited("/etc/neutron/neutron.conf", "'1s/^/oops\\n/'"),
        "file-broken",
        ("/etc/neutron/neutron.conf", "line 1"),
    ),
    Fault(
        "Placement is not reached from a compute",
        "compute1",
        "ip rule add to {controller} ipproto tcp dport 8778 prohibit pref 100",
        "ip rule del pref 100",
        "api",
        ("compute1 gets no answer from the API placement", ":8778"),
    ),
    Fault(
        "OVN is looked for at the wrong port",
        "compute2",
        "ovs-vsctl set Open_vSwitch . external_ids:ovn-remote=tcp:{controller}:6643; sleep 1",
        "ovs-vsctl set Open_vSwitch . external_ids:ovn-remote=tcp:{controller}:6642",
        "ovn",
        ("ovn-controller on compute2 is not connected", ":6643"),
    ),
    Fault(
        "libvirtd hangs",
        "compute1",
        "systemctl kill -s STOP libvirtd",
        "systemctl kill -s CONT libvirtd",
        "libvirt",
        ("libvirt does not answer on compute1", "within 8 s"),
    ),
    Fault(
        "a cell is disabled",
        "controller",
        sql("UPDATE nova_api.cell_mappings SET disabled = 1 WHERE name = 'cell1'"),
        sql("UPDATE nova_api.cell_mappings SET disabled = 0 WHERE name = 'cell1'"),
        "cells",
        ("cell1 is disabled", "--enable"),
    ),
    Fault(
        "a cell does not follow nova.conf",
        "controller",
        sql("UPDATE nova_api.cell_mappings SET transport_url = 'rabbit://there/' WHERE name = 'cell1'"),
        sql(
            "UPDATE nova_api.cell_mappings SET transport_url ="
            " '{scheme}://{username}:{password}@{hostname}:{port}/{path}' WHERE name = 'cell1'"
        ),
        "cells",
        ("cell1 has URLs of its own", "transport_url"),
    ),
    Fault(
        "a compute has the identity of another",
        "compute2",
        "cp -p /var/lib/nova/compute_id /root/compute_id.sound; echo {compute1_id} > /var/lib/nova/compute_id",
        "cp -p /root/compute_id.sound /var/lib/nova/compute_id",
        "compute-identity",
        ("compute2 has the identity of compute1",),
    ),
    Fault(
        "KVM is asked for where it does not work",
        "compute2",
        *edited("/etc/nova/nova-compute.conf", "'s/^virt_type = .*/virt_type = kvm/'"),
        "acceleration",
        ("instances on compute2 are to use KVM", "virt_type = kvm"),
    ),
]
RECORD: list[dict[str, Any]] = []


@pytest.fixture(scope="module", autouse=True)
def record() -> Iterator[None]:
    """What was found, for the table."""
    yield
    if path := os.environ.get("NOVALAB_DOCTOR_RECORD"):
        text = json.dumps(RECORD, indent=1)
        for pattern, word in (
            (r"/tmp/pytest-[^ :]*/", "DIRECTORY/"),
            (f"{SCRIPTS}/", ""),
            (str(DIRECTORY), "DIRECTORY"),
        ):
            text = re.sub(pattern, word, text)
        Path(path).write_text(text + "\n", encoding="utf-8")


def examine(lab: LiveLab) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = json.loads(lab.labctl("doctor", "--json", check=False).stdout)["findings"]
    return findings


def silent(lab: LiveLab, seconds: float = 90.0) -> None:
    """Wait until nothing is wrong: services come back at their own pace."""
    end = time.monotonic() + seconds
    while (done := lab.labctl("doctor", "--strict", check=False)).returncode and time.monotonic() < end:
        time.sleep(2)
    assert done.returncode == 0, done.stdout
    assert "Nothing is wrong" in done.stdout


def each_node(lab: LiveLab, commands: list[tuple[str, str]]) -> None:
    """Run commands on their nodes, those of one node by one login."""
    values = {"controller": lab.controller}
    if any("{compute1_id}" in command for _, command in commands):
        values["compute1_id"] = lab.on("compute1", "cat /var/lib/nova/compute_id").strip()
    for node in dict.fromkeys(node for node, _ in commands):
        # By standard input: it takes every character.
        text = "\n".join(command for where, command in commands if where == node)
        for key, value in values.items():
            text = text.replace("{" + key + "}", value)
        lab.on(node, "sh", stdin=text)


def expect(
    name: str, damage: str, findings: list[dict[str, Any]], check: str, where: str, words: tuple[str, ...]
) -> str:
    """What is missing of an expected finding; empty when it is there."""
    for finding in findings:
        text = " ".join([finding["finding"], *finding["evidence"], finding["remedy"]])
        if (finding["check"], finding["where"]) == (check, where) and all(word in text for word in words):
            if name not in [entry["fault"] for entry in RECORD]:
                RECORD.append({"fault": name, "node": where, "damage": damage, **finding})
            return ""
    return f"{name}: no finding {check} of {where} with {words}"


def provoke(lab: LiveLab, faults: list[Fault]) -> None:
    """Make all faults, look once, mend them."""
    try:
        each_node(lab, [(fault.node, fault.damage) for fault in faults])
        done = lab.labctl("doctor", "--json", check=False)
        assert done.returncode == 1
        findings = json.loads(done.stdout)["findings"]
        assert not any(secret in done.stdout for secret in lab.secrets.values())
        missing = [expect(f.name, f.damage, findings, f.check, f.where or f.node, f.words) for f in faults]
        assert [text for text in missing if text] == [], json.dumps(findings, indent=1)
    finally:
        each_node(lab, [(fault.node, fault.repair) for fault in faults])


def test_doctor_on_a_healthy_lab_finds_nothing(lab: LiveLab) -> None:
    silent(lab)


def test_doctor_names_faults_of_machines(lab: LiveLab) -> None:
    provoke(lab, MACHINES)
    silent(lab)


def test_doctor_names_faults_of_the_cloud(lab: LiveLab) -> None:
    provoke(lab, CLOUD)
    silent(lab)


def test_doctor_names_faults_of_logins_and_settings(lab: LiveLab) -> None:
    works = '"virt_type": "kvm"' in lab.on("compute2", "cat /var/lib/novalab/accelerator.json")
    provoke(lab, [fault for fault in LOGINS if not (works and fault.check == "acceleration")])
    silent(lab)


def test_doctor_names_nodes_that_cannot_be_asked(lab: LiveLab) -> None:
    """A key that ssh refuses, a node without sshd, and one that is paused; mended from outside."""
    key = lab.directory / ".labctl" / "ssh" / "id_ed25519"
    key.chmod(0o644)
    lab.engine("pause", lab.container("compute2"))
    try:
        findings = examine(lab)
        words: tuple[str, ...] = ("compute2 is paused",)
        assert expect("a node is paused", "podman pause", findings, "node-state", "compute2", words) == ""
        words = ("id_ed25519", "0644", "ssh does not take it")
        assert expect("the ssh key is 0644", "chmod 0644 .labctl/ssh/id_ed25519", findings, "keys", "host", words) == ""
    finally:
        key.chmod(0o600)
    lab.engine("exec", lab.container("compute1"), "systemctl", "stop", "ssh")
    try:
        words = ("compute1 runs and does not answer", "Connection refused")
        assert expect("sshd is stopped", "systemctl stop ssh", examine(lab), "node-silent", "compute1", words) == ""
    finally:
        lab.engine("exec", lab.container("compute1"), "systemctl", "start", "ssh")
        lab.engine("unpause", lab.container("compute2"))
    silent(lab)


def test_lab_after_all_faults_verifies(lab: LiveLab) -> None:
    lab.labctl("verify")


# What a machine lacks, in a namespace of mounts and networks of its own, so that nothing else on it notices.
BAD_HOST = """set -e
cd "$1"
printf 'MemTotal: 4000000 kB\\nMemAvailable: 300000 kB\\n' > meminfo; mount --bind meminfo /proc/meminfo
echo 300 > pid_max; mount --bind pid_max /proc/sys/kernel/pid_max
mkdir dev; mount -t tmpfs none dev
for name in null zero random urandom; do touch dev/$name; mount --bind /dev/$name dev/$name; done
mkdir dev/shm; mount --bind /dev/shm dev/shm
mkdir small; mount -t tmpfs -o size=20m,mode=755 none small
echo '{"virt_type": "kvm", "name": "sick", "images": [{"name": "a", "path": "a.img"}]}' > small/lab.yaml
mount --bind /dev/null "$2/ansible-playbook"
mount -t tmpfs none /sys/fs/cgroup
mount --move dev /dev
ip link set lo up
"$2/python" -c 'import socket as s, time; o = s.socket(s.AF_INET, s.SOCK_DGRAM); o.bind(("", 53)); time.sleep(60)' &
server=$!
sleep 0.3
ulimit -Sn 256
"$2/labctl" -C "$1/small" doctor --json || true
kill $server
"""
SICK = [
    ("little memory", "memory", ("MiB of memory, 292 MiB are available",)),
    ("too few process numbers", "limits", ("too few processes", "of at most 300")),
    ("few open files", "limits", ("256 files only",)),
    ("a small disk", "disk", ("the lab's directory", "of 20 MiB free")),
    ("no control groups", "cgroups", ("no control groups",)),
    ("no /dev/kvm, and virt_type: kvm", "virtualisation", ("/dev/kvm is not there", "virt_type: kvm")),
    ("another name server", "ports", ("udp 0.0.0.0:53",)),
    ("Ansible is not whole", "python", ("ansible-playbook is not there",)),
    ("an image that is not there", "description", ("a.img",)),
]


def on_host(*command: str, environment: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """The findings of a command that prints the doctor's report."""
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environment or dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return findings


def test_doctor_names_faults_of_a_sick_host(tmp_path: Path) -> None:
    findings = on_host("unshare", "-mn", "sh", "-c", BAD_HOST, "sh", str(tmp_path), str(SCRIPTS))
    missing = [expect(name, "in namespaces of its own", findings, check, "host", words) for name, check, words in SICK]
    assert [text for text in missing if text] == [], json.dumps(findings, indent=1)


def test_doctor_names_too_few_inotify_instances(tmp_path: Path) -> None:
    """In a namespace of users, which has a limit of its own below the machine's."""
    command = 'echo 3 > /proc/sys/user/max_inotify_instances; exec "$0" -C "$1" doctor --json'
    findings = on_host("unshare", "-Ur", "sh", "-c", command, str(SCRIPTS / "labctl"), str(tmp_path))
    words = ("too few instances of inotify", "of 3 (fs.inotify.max_user_instances)")
    assert expect("few inotify instances", command, findings, "limits", "host", words) == ""


def test_doctor_names_what_a_host_lacks(lab: LiveLab, tmp_path: Path) -> None:
    """No engine, a directory that cannot be written, a network that another lab has."""
    labctl = str(SCRIPTS / "labctl")
    (tmp_path / "lab.yaml").write_text(json.dumps({"name": "second", "network": lab.description["network"]}))
    findings = on_host(labctl, "-C", str(tmp_path), "doctor", "--json", environment={"PATH": "/nowhere"})
    assert expect("no engine", "PATH=/nowhere", findings, "engine", "host", ("podman: not installed",)) == ""
    words: tuple[str, ...] = ("vagrant is not found",)
    assert expect("programs are missing", "PATH=/nowhere", findings, "programs", "host", words) == ""
    findings = on_host(labctl, "-C", str(tmp_path), "doctor", "--json")
    words = (f"Network {lab.description['network']} is taken by the lab {lab.description['name']}",)
    assert expect("another lab has the network", "lab.yaml", findings, "network", "host", words) == ""
    findings = on_host(labctl, "-C", "/sys/kernel", "doctor", "--json")
    words = ("/sys/kernel: ",)
    assert expect("the directory is read-only", "labctl -C /sys/kernel", findings, "directory", "host", words) == ""
