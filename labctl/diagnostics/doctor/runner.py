"""Gathers the facts, runs the checks, and puts causes before consequences."""

from __future__ import annotations

import json
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from labctl.ansible import services as lab_services
from labctl.diagnostics.doctor import host_facts, program
from labctl.diagnostics.doctor.case import Case
from labctl.diagnostics.doctor.checks import cloud, files, host, nodes, services
from labctl.diagnostics.doctor.finding import CHECKS, Check, Finding, Severity
from labctl.errors import LabError
from labctl.lab import secrets as labsecrets
from labctl.lifecycle import conflicts
from labctl.lifecycle.preflight import make_plan
from labctl.providers.node_state import NodeState
from labctl.remote import access
from labctl.remote import ssh as remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from labctl.lab.model import Lab, Node
    from labctl.lab.paths import LabPaths
    from labctl.lifecycle.context import LabContext

# Causes come before what they lead to.
_GROUPS = (host, nodes, files, services, cloud)
_HIDDEN = "***"
_NODE_SECONDS = 60.0
_RANK = {Severity.ERROR: 0, Severity.WARNING: 1}


@dataclass(frozen=True)
class Diagnosis:
    """A finding with the check that made it and what else follows from the same cause."""

    check: Check
    finding: Finding
    consequences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """Everything that was looked at and found. state says what the lab was like: not made, halted, paused, running."""

    state: str
    checks: tuple[Check, ...]
    found: tuple[Diagnosis, ...]
    seconds: float

    def worst(self) -> Severity | None:
        """The gravest severity, None when nothing was found."""
        severities = {diagnosis.finding.severity for diagnosis in self.found}
        return min(severities, key=_RANK.__getitem__) if severities else None


def checks() -> tuple[Check, ...]:
    """All checks, in the order in which they are told of."""
    order = [module.__name__.rpartition(".")[2] for module in _GROUPS]
    return tuple(sorted(CHECKS, key=lambda check: order.index(check.group)))


def examine(context: LabContext, tell: Callable[[str], None]) -> Report:
    """Look at the host and at the lab, whatever state it is in. Changes nothing, and raises nothing but BadInput."""
    start = time.monotonic()
    case = gather(context, tell)
    tell("comparing")
    return Report(_state(case), checks(), tuple(diagnose(case, secrets(context.paths))), time.monotonic() - start)


def gather(context: LabContext, tell: Callable[[str], None]) -> Case:
    """All facts. The nodes are asked while the host is looked at."""
    lab, paths = context.lab, context.paths
    tell("looking at this machine")
    with ThreadPoolExecutor() as pool:
        states = _states(context)
        looking = pool.submit(host_facts.gather, context, _engine_problem(context), *_refusals(context))
        known = access.known(paths)
        hosts = {
            node.name: known[node.name]
            for node in lab.nodes
            if states.get(node.name) == "running" and node.name in known
        }
        if hosts:
            tell(f"asking {', '.join(hosts)}")
        before = time.time()
        asked = pool.map(lambda name: _ask(lab, name, hosts[name]), hosts)
        answers = dict(zip(hosts, asked, strict=True))
        after = time.time()
        facts = {name: json.loads(answer.output) for name, answer in answers.items() if answer.ok}
        pages = services.pages(facts)
        seen = dict(zip(pages, pool.map(host_facts.page_problem, pages), strict=True))
        return Case(
            lab=lab,
            host=replace(looking.result(), pages=seen),
            states=states,
            nodes=facts,
            silent={name: answer.problem for name, answer in answers.items() if not answer.ok},
            asked=(before, after),
        )


def _ask(lab: Lab, name: str, ssh: access.SshHost) -> remote.Answer:
    """The facts of one node, as it prints them."""
    answer = remote.run({name: ssh}, program.program(question(lab, lab.node(name))), timeout=_NODE_SECONDS)[name]
    if answer.ok:
        try:
            json.loads(answer.output)
        except ValueError:
            return remote.Answer(answer.output, f"the answer is not understood: {answer.output[-200:]!r}")
    return answer


def question(lab: Lab, node: Node) -> dict[str, Any]:
    """What a node is asked: about its services, the other nodes, and the APIs of the lab."""
    return {
        "node": node.name,
        "nodes": {other.name: str(other.address) for other in lab.nodes},
        "compute": node.group == "compute_nodes",
        "services": [role.model_dump() for role in lab_services.of(lab, node)],
        "apis": [entry.model_dump(include={"type", "probe"}) for entry in lab_services.catalog(lab)],
    }


def _engine_problem(context: LabContext) -> str:
    """Why what makes the nodes cannot be used, empty when it can."""
    if not context.lab.traits.containers or context.provider.engines():
        return ""
    try:
        context.provider.require_engine("The doctor")
    except LabError as error:
        return str(error)
    return ""


def _states(context: LabContext) -> dict[str, str]:
    """The state of each node: running, stopped, paused, missing, or another word of the engine's or Vagrant's."""
    found = context.provider.states()
    return {name: "missing" if node.state == "not_created" else node.state for name, node in found.items()}


def _refusals(context: LabContext) -> tuple[str, str]:
    """What labctl up would say of the lab's network and name, and of lab.yaml; empty where it would not refuse."""
    network_problem = plan_problem = ""
    try:
        others = conflicts.find_others(context.lab, context.paths, context.provider.engines())
        conflicts.check(context.lab, context.paths, others)
    except LabError as error:
        network_problem = str(error)
    try:
        make_plan(context).check(context.paths)
    except LabError as error:
        plan_problem = str(error)
    return network_problem, plan_problem


def _state(case: Case) -> str:
    if not case.exists:
        return "not made"
    words = set(case.states.values())
    if words & {"running", NodeState.LOST}:
        return "running" if "running" in words else NodeState.LOST
    return "paused" if words == {"paused"} else "halted"


def secrets(paths: LabPaths) -> set[str]:
    """What must not be printed: every password of the lab, also as URLs have it."""
    try:
        values = set(labsecrets.read(paths.secrets).values())
    except LabError:
        return set()
    return {form for value in values for form in (value, urllib.parse.quote(value, safe=""), json.dumps(value)[1:-1])}


def diagnose(case: Case, secrets: set[str]) -> list[Diagnosis]:
    """All findings, gravest first, with their consequences, without secrets."""
    found = [(check, finding) for check in checks() for finding in check.find(case)]
    roots = causes([finding for _, finding in found])
    result = []
    for index, (check, finding) in enumerate(found):
        if roots[index] != index:
            continue
        following = [found[i][1] for i, cause in enumerate(roots) if cause == index and i != index]
        severity = min((f.severity for f in (finding, *following)), key=_RANK.__getitem__)
        result.append(Diagnosis(check, replace(finding, severity=severity), tuple(f.what for f in following)))
    return sorted((_hidden(diagnosis, secrets) for diagnosis in result), key=lambda d: _RANK[d.finding.severity])


def causes(found: list[Finding]) -> list[int]:
    """For each finding the index of the one that it follows from in the end, its own where there is none."""
    of_subject: dict[str, int] = {}
    for index, finding in enumerate(found):
        if finding.subject:
            of_subject.setdefault(finding.subject, index)

    def cause(index: int) -> int | None:
        known = (of_subject.get(subject) for subject in found[index].because)
        return next((other for other in known if other is not None and other != index), None)

    def root(index: int) -> int:
        way = [index]
        while (following := cause(way[-1])) is not None:
            if following in way:  # things that wait for each other: the first of the circle stands for it
                return min(way[way.index(following) :])
            way.append(following)
        return way[-1]

    return [root(index) for index in range(len(found))]


def _hidden(diagnosis: Diagnosis, secrets: Iterable[str]) -> Diagnosis:
    """The same without any secret."""

    def clean(text: str) -> str:
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text

    finding = diagnosis.finding
    return replace(
        diagnosis,
        finding=replace(
            finding,
            what=clean(finding.what),
            evidence=tuple(map(clean, finding.evidence)),
            remedy=clean(finding.remedy),
        ),
        consequences=tuple(map(clean, diagnosis.consequences)),
    )


def as_json(report: Report, lab: Lab, paths: LabPaths) -> dict[str, Any]:
    """The report for scripts."""
    counts: Mapping[str, int] = {
        check.id: sum(diagnosis.check is check for diagnosis in report.found) for check in report.checks
    }
    worst = report.worst()
    return {
        "lab": lab.name,
        "directory": str(paths.directory),
        "state": report.state,
        "seconds": round(report.seconds, 1),
        "worst": worst.value if worst else None,
        "findings": [
            {
                "check": diagnosis.check.id,
                "severity": diagnosis.finding.severity.value,
                "where": diagnosis.finding.where,
                "finding": diagnosis.finding.what,
                "evidence": list(diagnosis.finding.evidence),
                "remedy": diagnosis.finding.remedy,
                "consequences": list(diagnosis.consequences),
            }
            for diagnosis in report.found
        ],
        "checks": [
            {"id": check.id, "group": check.group, "looks_at": check.looks_at, "findings": counts[check.id]}
            for check in report.checks
        ],
    }


def as_text(report: Report, lab: Lab) -> str:
    """The report for people."""
    lines = []
    for diagnosis in report.found:
        finding = diagnosis.finding
        lines.append(f"{finding.severity}: {finding.what}  [{diagnosis.check.id}]")
        lines += [f"    {line}" for line in finding.evidence]
        if diagnosis.consequences:
            lines.append(f"    leads to: {'; '.join(diagnosis.consequences)}")
        lines += ["  do: " + finding.remedy.replace("\n", "\n  "), ""]
    errors = sum(diagnosis.finding.severity is Severity.ERROR for diagnosis in report.found)
    warnings = len(report.found) - errors
    told = {"not made": "there is no lab here yet", "halted": "its nodes are off", "paused": "its nodes are paused"}
    state = f"; {told[report.state]}, so only this machine was looked at" if report.state in told else ""
    summary = "Nothing is wrong" if not report.found else f"{errors} errors, {warnings} warnings"
    return "\n".join(
        [*lines, f"Lab {lab.name}: {summary}, by {len(report.checks)} checks in {report.seconds:.1f} s{state}."]
    )
