"""What the doctor finds in facts, and how it tells of it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl.diagnostics.doctor import host_facts, program, runner
from labctl.diagnostics.doctor.case import Case
from labctl.diagnostics.doctor.finding import Finding, Severity
from labctl.diagnostics.doctor.host_facts import HostFacts, Room
from labctl.files import write_private

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths

# The facts of a healthy lab, as its nodes have printed them.
HEALTHY = json.loads((Path(__file__).parent / "captured" / "doctor.json").read_text(encoding="utf-8"))
NOW = HEALTHY["controller"]["time"]
Change = tuple[str, list[Any], Any]  # node, the way to a value, the new value


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(network="10.213.75.0/24")


def case_of(lab: Lab, *changes: Change, **host: Any) -> Case:  # noqa: ANN401
    """The healthy lab with changes."""
    nodes = copy.deepcopy(HEALTHY)
    for node, way, value in changes:
        place = nodes[node]
        for step in way[:-1]:
            place = place[step]
        place[way[-1]] = value
    url = HEALTHY["compute1"]["own"]["console"]["novncproxy_base_url"]
    return Case(
        lab=lab,
        host=HostFacts(**{"engine": "podman", "pages": {url: ""}, **host}),
        states={node.name: "running" for node in lab.nodes},
        nodes=nodes,
        asked=(NOW - 2, NOW + 2),
    )


def found(case: Case) -> list[tuple[str, str, str]]:
    """What is told of: check, place and severity."""
    return [(d.check.id, d.finding.where, d.finding.severity.value) for d in runner.diagnose(case, set())]


def test_a_healthy_lab_is_silent(lab: Lab) -> None:
    assert [diagnosis.finding for diagnosis in runner.diagnose(case_of(lab), set())] == []


STOPPED = {"active": "inactive", "sub": "dead", "load": "loaded", "result": "success", "enabled": "enabled"}
STOPPED |= {"restarts": 0, "since": 0.0, "processes": 0, "evidence": ["journal: Stopped"]}  # type: ignore[dict-item]
LOGINS = ["logins", "database", 0]
NOVA_CONF = next(i for i, f in enumerate(HEALTHY["compute1"]["files"]) if f["path"] == "/etc/nova/nova.conf")
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
def test_one_fault_one_finding(lab: Lab, changes: list[Change], expected: tuple[str, str, str]) -> None:
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
        ({"cgroups": ""}, ("cgroups", "error")),
        ({"open_files": 256}, ("limits", "warning")),
        ({"inotify": (128, 128)}, ("limits", "warning")),
        ({"processes": (400, 300)}, ("limits", "error")),
        ({"rooms": (Room("the lab's directory", "/x", 1, 100),)}, ("disk", "error")),
        ({"network_problem": "Network A is taken by B; nothing was changed\nfree: C"}, ("network", "error")),
        ({"description_problem": "The lab is another one\nput it back"}, ("description", "error")),
        ({"image_problem": "a.img is not there"}, ("description", "error")),
        ({"ansible_problem": "ansible-playbook is not there"}, ("python", "error")),
        ({"directory_problem": "/lab: Read-only file system"}, ("directory", "error")),
        ({"private": (("/lab/.labctl/ssh/id_ed25519", 0o644, 0),)}, ("keys", "error")),
        ({"private": (("/lab/clouds.yaml", 0o640, 0),)}, ("keys", "warning")),
    ],
)
def test_the_host(lab: Lab, host: dict[str, Any], expected: tuple[str, str]) -> None:
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
def test_before_there_is_a_lab(lab: Lab, host: dict[str, Any], expected: tuple[str, str]) -> None:
    facts = HostFacts(**{"engine": "podman", **host})
    assert found(Case(lab=lab, host=facts)) == [(expected[0], "host", expected[1])]
    assert found(Case(lab=lab, host=HostFacts(engine="podman"))) == []


def test_kvm_where_the_lab_needs_it(make_lab: Callable[..., Lab]) -> None:
    facts = HostFacts(kvm="/dev/kvm is not there")
    assert found(Case(lab=make_lab(virt_type="kvm"), host=facts)) == [("virtualisation", "host", "error")]
    assert found(Case(lab=make_lab(provider="libvirt"), host=facts)) == [("virtualisation", "host", "warning")]
    assert found(Case(lab=make_lab(), host=facts)) == []


def test_nodes_that_do_not_run_or_answer(lab: Lab) -> None:
    case = case_of(lab)
    nodes = {name: facts for name, facts in case.nodes.items() if name == "controller"}
    states = {**case.states, "compute1": "paused"}
    case = replace(case, nodes=nodes, states=states, silent={"compute2": "not reached by ssh: no route"})
    assert found(case) == [("node-state", "compute1", "error"), ("node-silent", "compute2", "error")]


def test_a_key_that_ssh_does_not_take_explains_why_no_node_answers(lab: Lab) -> None:
    case = case_of(lab, private=(("/lab/.labctl/ssh/id_ed25519", 0o644, 0),))
    case = replace(case, nodes={}, silent=dict.fromkeys(case.states, "Permission denied (publickey)"))
    (diagnosis,) = runner.diagnose(case, set())
    assert diagnosis.check.id == "keys"
    assert len(diagnosis.consequences) == 3


def test_consequences_are_told_of_with_their_cause(lab: Lab) -> None:
    silent = {"kind": "unreachable", "error": "[Errno 111] Connection refused"}
    login = HEALTHY["controller"]["logins"]["database"][0]
    case = case_of(
        lab,
        ("controller", ["units", "mariadb"], STOPPED),
        ("controller", ["units", "nova-conductor"], {**STOPPED, "active": "failed"}),
        ("controller", LOGINS, {**login, **silent}),
        ("controller", ["cloud"], {}),
    )
    (diagnosis,) = runner.diagnose(case, set())
    assert diagnosis.finding.what == "mariadb does not run on controller: it is stopped"
    assert "journal: Stopped" in diagnosis.finding.evidence
    assert [text.partition(" on ")[0] for text in diagnosis.consequences] == ["nova-conductor does not run", "nova"]


def test_a_circle_of_causes_ends() -> None:
    first = Finding("host", "a", ("e",), "r", subject="a", because=("b",))
    second = Finding("host", "b", ("e",), "r", subject="b", because=("a",))
    assert runner.causes([first, second]) == [0, 0]


def test_secrets_are_hidden(lab: Lab, paths: LabPaths) -> None:
    write_private(paths.secrets, json.dumps({"mariadb_nova": "p@ss/w"}))
    case = case_of(lab, ("controller", ["units", "mariadb"], {**STOPPED, "evidence": ["said p@ss/w", "p%40ss%2Fw"]}))
    (diagnosis,) = runner.diagnose(case, runner.secrets(paths))
    assert diagnosis.finding.evidence[1:] == ("said ***", "***")


def test_the_report(lab: Lab, paths: LabPaths) -> None:
    case = case_of(lab, ("compute1", ["files", NOVA_CONF, "mode"], 0o644))
    report = runner.Report("running", runner.checks(), tuple(runner.diagnose(case, set())), 1.0)
    assert report.worst() is Severity.WARNING
    text = runner.as_text(report, lab)
    assert text.startswith(
        "warning: every user on compute1 can get at the secrets in /etc/nova/nova.conf  [file-open]\n"
    )
    assert text.endswith(f"Lab lab: 0 errors, 1 warnings, by {len(runner.checks())} checks in 1.0 s.")
    document = runner.as_json(report, lab, paths)
    assert (document["worst"], document["findings"][0]["check"]) == ("warning", "file-open")
    assert sum(check["findings"] for check in document["checks"]) == 1


def test_checks_have_ids_of_their_own() -> None:
    ids = [check.id for check in runner.checks()]
    assert len(ids) == len(set(ids))


def test_the_program_runs_elsewhere(tmp_path: Path) -> None:
    """It imports nothing of labctl's where it runs; on a machine that is no node it finds little, and says so."""
    question = {"node": "a", "nodes": {"localhost": "127.0.0.1"}, "services": [], "apis": [], "compute": True}
    text = program.program(question)
    done = subprocess.run(
        [sys.executable, "-I", "-"], input=text, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    facts = json.loads(done.stdout)
    assert facts["names"]["localhost"] == ["127.0.0.1"]
    assert facts["memory"]["MemTotal"] > 0
    assert facts["logins"] == {"database": [], "queue": [], "identity": []}


@pytest.mark.parametrize(
    ("made", "expected"), [(["cgroup.controllers"], "v2"), (["systemd/"], "hybrid"), (["memory/"], "")]
)
def test_cgroups(tmp_path: Path, made: list[str], expected: str) -> None:
    for name in made:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    assert host_facts.cgroups(tmp_path) == expected
