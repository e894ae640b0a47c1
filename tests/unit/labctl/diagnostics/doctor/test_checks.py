"""What the doctor finds in facts, and how it tells of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from labctl.diagnostics.doctor import runner
from labctl.diagnostics.doctor.case import Case
from labctl.diagnostics.doctor.host_facts import HostFacts, Room
from tests.unit.labctl.diagnostics.doctor.facts import HEALTHY, LOGINS, NOVA_CONF, NOW, STOPPED, Change, case_of, found

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(network="10.213.75.0/24")


def test_checks_of_a_healthy_lab_find_nothing(lab: Lab) -> None:
    assert [diagnosis.finding for diagnosis in runner.diagnose(case_of(lab), set())] == []


DISK = {"places": ["/var/lib/nova"], "size": 8 << 20, "free": 0, "inodes": 100, "free_inodes": 50, "read_only": False}
SERVICE = next(i for i, s in enumerate(HEALTHY["controller"]["cloud"]["services"]) if s["binary"] == "nova-compute")
SERVICE_HOST = HEALTHY["controller"]["cloud"]["services"][SERVICE]["host"]
CELL = HEALTHY["controller"]["cloud"]["cells"][1]
PROVIDER = {"url": "http://c:8778", "kind": "ok", "error": "", "providers": 0, "user": "nova"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("controller", ["units", "mariadb"], STOPPED)], ("unit-down", "controller", "error")),
        ([("controller", ["units", "mariadb", "enabled"], "disabled")], ("unit-boot", "controller", "warning")),
        ([("compute1", ["others"], ["nova-api"])], ("unit-extra", "compute1", "warning")),
        ([("compute1", ["failed"], ["cron.service"])], ("unit-extra", "compute1", "warning")),
        ([("compute1", ["files", NOVA_CONF, "changed"], NOW)], ("unit-outdated", "compute1", "warning")),
        ([("compute1", ["files", NOVA_CONF, "mode"], 0o644)], ("file-open", "compute1", "warning")),
        ([("compute1", ["files", NOVA_CONF, "readable"], False)], ("file-unreadable", "compute1", "error")),
        ([("compute1", ["files", NOVA_CONF, "flaw"], "ParsingError in line 3")], ("file-broken", "compute1", "error")),
        ([("compute1", ["exposed"], ["the command line of process 7"])], ("secret-seen", "compute1", "warning")),
        ([("compute1", ["names", "controller"], ["127.0.1.1"])], ("names", "compute1", "error")),
        ([("compute1", ["hostname"], "localhost")], ("names", "compute1", "error")),
        ([("compute1", ["time"], NOW + 90)], ("clock", "compute1", "error")),
        ([("compute1", ["disks"], [DISK])], ("node-disk", "compute1", "error")),
        ([("compute1", ["memory", "MemAvailable"], 1 << 20)], ("node-memory", "compute1", "error")),
        (
            [("compute2", ["identity", "machine_id"], HEALTHY["compute1"]["identity"]["machine_id"])],
            ("identity-shared", "compute2", "warning"),
        ),
        (
            [("compute2", ["identity", "compute_id"], HEALTHY["compute1"]["identity"]["compute_id"])],
            ("compute-identity", "compute2", "error"),
        ),
        (
            [("compute1", ["packages"], ["half configured: nano"])],
            ("packages", "compute1", "warning"),
        ),
        ([("compute1", ["policy"], True)], ("packages", "compute1", "warning")),
        ([("compute1", ["broken"], {"files": "OSError: gone"})], ("probe", "compute1", "warning")),
        ([("controller", [*LOGINS, "kind"], "refused")], ("database-login", "controller", "error")),
        ([("compute1", ["logins", "queue", 0, "kind"], "refused")], ("queue-login", "compute1", "error")),
        ([("compute1", ["logins", "identity", 0, "kind"], "refused")], ("identity-login", "compute1", "error")),
        ([("compute1", ["logins", "identity", 0, "roles"], ["reader"])], ("identity-login", "compute1", "error")),
        ([("compute1", ["apis", "endpoints", 0, "problem"], "timed out")], ("api", "compute1", "error")),
        ([("controller", ["apis", "missing"], ["placement"])], ("api", "controller", "error")),
        ([("compute1", ["apis", "placement"], PROVIDER)], ("placement", "compute1", "error")),
        ([("controller", ["memcached", 0, "problem"], "refused")], ("memcached", "controller", "error")),
        ([("controller", ["listening"], [])], ("port", "controller", "error")),
        ([("compute1", ["own", "console", "novncproxy_base_url"], "")], ("console", "compute1", "error")),
        (
            [("compute1", ["own", "console", "server_proxyclient_address"], "127.0.0.1")],
            ("console", "compute1", "error"),
        ),
        ([("compute1", ["own", "libvirt", "problem"], "no answer")], ("libvirt", "compute1", "error")),
        (
            [("compute1", ["own", "virt_type"], "kvm"), ("compute1", ["own", "device"], False)],
            ("acceleration", "compute1", "error"),
        ),
        ([("compute1", ["own", "ovn", "status"], "not connected")], ("ovn", "compute1", "error")),
        ([("controller", ["agents", 0, "alive"], False)], ("ovn", HEALTHY["controller"]["agents"][0]["host"], "error")),
        (
            [("controller", ["cloud", "server", "connections", "Threads_connected"], 399)],
            ("database-room", "controller", "warning"),
        ),
        (
            [("controller", ["cloud", "server", "charsets", "nova"], "latin1")],
            ("database-room", "controller", "warning"),
        ),
        ([("controller", ["units", "nova-conductor", "processes"], 13)], ("workers", "controller", "warning")),
        ([("controller", ["cloud", "cells"], [CELL])], ("cells", "controller", "error")),
        (
            [("controller", ["cloud", "cells"], [*HEALTHY["controller"]["cloud"]["cells"], {**CELL, "uuid": "u"}])],
            ("cells", "controller", "error"),
        ),
        ([("controller", ["cloud", "cells", 1, "disabled"], True)], ("cells", "controller", "error")),
        ([("controller", ["cloud", "cells", 1, "fixed"], ["transport_url"])], ("cells", "controller", "warning")),
        ([("controller", ["cloud", "mapped"], {"compute1": "cell1"})], ("host-mapping", "compute2", "error")),
        ([("controller", ["cloud", "mapped", "old"], "cell1")], ("host-mapping", "controller", "warning")),
        ([("controller", ["cloud", "services", SERVICE, "down"], True)], ("service", SERVICE_HOST, "error")),
        ([("controller", ["cloud", "services", SERVICE, "disabled"], 1)], ("service", SERVICE_HOST, "warning")),
        ([("controller", ["cloud", "services", SERVICE, "forced_down"], 1)], ("service", SERVICE_HOST, "error")),
        (
            [("controller", ["cloud", "servers_in_error"], [{"uuid": "u", "display_name": "s", "host": None}])],
            ("servers", "controller", "warning"),
        ),
    ],
)
def test_checks_of_one_fault_find_that_only(lab: Lab, changes: list[Change], expected: tuple[str, str, str]) -> None:
    case = case_of(lab, *changes)
    assert set(found(case)) == {expected}
    for diagnosis in runner.diagnose(case, set()):
        finding = diagnosis.finding
        assert finding.what
        assert all(finding.evidence)
        assert finding.evidence
        assert finding.remedy


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"engine_problem": "No container engine works: podman: not installed\ninstall one"}, ("engine", "error")),
        ({"missing": (("vagrant", "vagrant"),)}, ("programs", "warning")),
        ({"missing": (("vagrant", "vagrant"),), "can_install": False}, ("programs", "error")),
        ({"cgroups": False}, ("cgroups", "error")),
        ({"open_files": 256}, ("limits", "warning")),
        ({"inotify": (128, 128)}, ("limits", "warning")),
        ({"processes": (400, 300)}, ("limits", "error")),
        ({"rooms": (Room("the lab's directory", "/x", 1, 100),)}, ("disk", "error")),
        ({"network_problem": "Network A is taken by B; nothing was changed\nfree: C"}, ("network", "error")),
        ({"description_problem": "The lab is another one\nput it back"}, ("description", "error")),
        ({"image_problem": "a.img is not there"}, ("description", "error")),
        ({"ansible_problem": "ansible-playbook is not there"}, ("python", "error")),
        ({"directory_problem": "/lab: Read-only file system"}, ("directory", "error")),
        ({"private": (("/lab/.labctl/ssh/id_ed25519", 0o644),)}, ("keys", "error")),
        ({"private": (("/lab/clouds.yaml", 0o640),)}, ("keys", "warning")),
    ],
)
def test_check_of_a_host_fault_finds_it(lab: Lab, host: dict[str, Any], expected: tuple[str, str]) -> None:
    check, severity = expected
    assert found(case_of(lab, **host)) == [(check, "host", severity)]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"memory": 2 << 30}, ("memory", "warning")),
        ({"memory": 1 << 30}, ("memory", "error")),
        ({"inotify": (120, 128)}, ("limits", "error")),
        ({"dns_taken": ("udp 0.0.0.0:53",)}, ("ports", "error")),
        (
            {"images": False, "rooms": (Room("a", "/a", 1 << 40, 1 << 41), Room("b", "/b", 5 << 30, 1 << 41))},
            ("disk", "warning"),
        ),
    ],
)
def test_check_of_a_host_before_there_is_a_lab(lab: Lab, host: dict[str, Any], expected: tuple[str, str]) -> None:
    facts = HostFacts(**{"engine": "podman", **host})
    assert found(Case(lab=lab, host=facts)) == [(expected[0], "host", expected[1])]
    assert found(Case(lab=lab, host=HostFacts(engine="podman"))) == []


def test_check_of_missing_kvm_depends_on_the_lab(make_lab: Callable[..., Lab]) -> None:
    facts = HostFacts(kvm="/dev/kvm is not there")
    assert found(Case(lab=make_lab(virt_type="kvm"), host=facts)) == [("virtualisation", "host", "error")]
    assert found(Case(lab=make_lab(provider="libvirt"), host=facts)) == [("virtualisation", "host", "warning")]
    assert found(Case(lab=make_lab(), host=facts)) == []


def test_check_of_nodes_that_do_not_run_or_answer(lab: Lab) -> None:
    case = case_of(lab)
    nodes = {name: facts for name, facts in case.nodes.items() if name == "controller"}
    states = {**case.states, "compute1": "paused"}
    case = replace(case, nodes=nodes, states=states, silent={"compute2": "not reached by ssh: no route"})
    assert found(case) == [("node-state", "compute1", "error"), ("node-silent", "compute2", "error")]
