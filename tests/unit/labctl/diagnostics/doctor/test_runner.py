"""What the doctor makes of findings: causes, consequences, the report."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from labctl.cli import doctor
from labctl.diagnostics.doctor import runner
from labctl.diagnostics.doctor.finding import Finding, Severity
from labctl.files import write_private
from tests.unit.labctl.diagnostics.doctor.facts import HEALTHY, LOGINS, NOVA_CONF, STOPPED, case_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(network="10.213.75.0/24")


def test_a_key_that_ssh_does_not_take_explains_why_no_node_answers(lab: Lab) -> None:
    case = case_of(lab, private=(("/lab/.labctl/ssh/id_ed25519", 0o644),))
    case = replace(case, nodes={}, silent=dict.fromkeys(case.states, "Permission denied (publickey)"))
    (diagnosis,) = runner.diagnose(case, set())
    assert diagnosis.check.id == "keys"
    assert len(diagnosis.consequences) == 3


def test_consequences_are_shown_with_their_cause(lab: Lab) -> None:
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
    first = Finding("a", ("e",), "r", subject="a", because=("b",))
    second = Finding("b", ("e",), "r", subject="b", because=("a",))
    assert runner.causes([first, second]) == [0, 0]


def test_secrets_in_evidence_are_hidden(lab: Lab, paths: LabPaths) -> None:
    write_private(paths.secrets, json.dumps({"mariadb_nova": "p@ss/w"}))
    case = case_of(lab, ("controller", ["units", "mariadb"], {**STOPPED, "evidence": ["said p@ss/w", "p%40ss%2Fw"]}))
    (diagnosis,) = runner.diagnose(case, runner.secrets(paths))
    assert diagnosis.finding.evidence[1:] == ("said ***", "***")


def test_report_as_text_and_json(lab: Lab, paths: LabPaths) -> None:
    case = case_of(lab, ("compute1", ["files", NOVA_CONF, "mode"], 0o644))
    report = runner.Report("running", runner.checks(), tuple(runner.diagnose(case, set())), 1.0)
    assert report.worst() is Severity.WARNING
    text = doctor.text(report, lab)
    assert text.startswith(
        "warning: every user on compute1 can get at the secrets in /etc/nova/nova.conf  [file-open]\n"
    )
    assert text.endswith(f"Lab lab: 0 errors, 1 warnings, by {len(runner.checks())} checks in 1.0 s.")
    document = doctor.document(report, lab, paths)
    assert (document["worst"], document["findings"][0]["check"]) == ("warning", "file-open")
    assert sum(check["findings"] for check in document["checks"]) == 1


def test_checks_have_ids_of_their_own() -> None:
    ids = [check.id for check in runner.checks()]
    assert len(ids) == len(set(ids))
