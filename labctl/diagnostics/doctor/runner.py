"""Gathers the facts, runs the checks, and puts causes before consequences."""

import json
import time
import urllib.parse
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from labctl.ansible import services as lab_services
from labctl.diagnostics.doctor import host_facts
from labctl.diagnostics.doctor.case import CHECKS, Case, Check
from labctl.diagnostics.doctor.checks import cloud, files, host, nodes, services
from labctl.diagnostics.doctor.finding import Finding, Severity
from labctl.errors import LabError
from labctl.lab import secrets as labsecrets
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.lifecycle.context import LabContext
from labctl.providers.node_state import NodeState
from labctl.remote.nodes import ask, documents

# Causes come before what they lead to.
_GROUPS = [module.__name__.rpartition(".")[2] for module in (host, nodes, files, services, cloud)]
_PROBES = "labctl.diagnostics.doctor.probes.main"
_NODE_SECONDS = 60.0


@dataclass(frozen=True)
class Diagnosis:
    """A finding with the check that made it and what else follows from the same cause."""

    check: Check
    finding: Finding
    consequences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """All checks and what they found. state is that of the lab: not made, halted, paused, running or lost."""

    state: str
    checks: tuple[Check, ...]
    found: tuple[Diagnosis, ...]
    seconds: float

    def worst(self) -> Severity | None:
        """The highest severity, None if nothing was found."""
        return _worst(diagnosis.finding for diagnosis in self.found)


def _worst(findings: Iterable[Finding]) -> Severity | None:
    severities = {finding.severity for finding in findings}
    return next((severity for severity in Severity if severity in severities), None)


def checks() -> tuple[Check, ...]:
    """All checks, in the order in which they are reported."""
    return tuple(sorted(CHECKS, key=lambda check: _GROUPS.index(check.group)))


def examine(context: LabContext, tell: Callable[[str], None]) -> Report:
    """Look at the host and at the lab, whatever state it is in. Changes nothing, and raises nothing but BadInput."""
    start = time.monotonic()
    case = gather(context, tell)
    tell("comparing")
    found = tuple(diagnose(case, secrets(context.paths)))
    return Report(_state(case), checks(), found, time.monotonic() - start)


def gather(context: LabContext, tell: Callable[[str], None]) -> Case:
    """All facts. The nodes are asked while this machine is examined."""
    lab = context.lab
    tell("looking at this machine")
    states = {name: node.state for name, node in context.provider.states().items()}
    running = [node for node in lab.nodes if states.get(node.name) == NodeState.RUNNING]
    with ThreadPoolExecutor() as pool:
        looking = pool.submit(host_facts.gather, context)
        if running:
            tell(f"asking {', '.join(node.name for node in running)}")
        before = time.time()
        answers = ask(lab, context.paths, running, _PROBES, lambda node: question(lab, node), timeout=_NODE_SECONDS)
        after = time.time()
        facts, silent = documents(answers)
        pages = services.pages(facts)
        seen = dict(zip(pages, pool.map(host_facts.page_problem, pages), strict=True))
        return Case(
            lab=lab,
            host=replace(looking.result(), pages=seen),
            states=states,
            nodes=facts,
            silent=silent,
            asked=(before, after),
        )


def question(lab: Lab, node: Node) -> dict[str, Any]:
    """What a node is asked: about its services, the other nodes, and the APIs of the lab."""
    return {
        "node": node.name,
        "nodes": {other.name: str(other.address) for other in lab.nodes},
        "compute": node.group == "compute_nodes",
        "services": [role.model_dump() for role in lab_services.of(lab, node)],
        "apis": [entry.model_dump(include={"type", "probe"}) for entry in lab_services.catalog(lab)],
    }


def _state(case: Case) -> str:
    states = set(case.states.values())
    if states <= {NodeState.NOT_CREATED}:
        return "not made"
    up = next((state for state in (NodeState.RUNNING, NodeState.LOST) if state in states), None)
    return up or ("paused" if states == {NodeState.PAUSED} else "halted")


def secrets(paths: LabPaths) -> set[str]:
    """What must not be printed: every password of the lab, also as URLs and JSON have it."""
    try:
        values = set(labsecrets.read(paths.secrets).values())
    except LabError:
        return set()
    return {form for value in values for form in (value, urllib.parse.quote(value, safe=""), json.dumps(value)[1:-1])}


def diagnose(case: Case, secrets: set[str]) -> list[Diagnosis]:
    """All findings, errors first, with their consequences, without secrets."""
    found = [(check, _without(secrets, finding)) for check in checks() for finding in check.find(case)]
    roots = causes([finding for _, finding in found])
    result = []
    for index, (check, finding) in enumerate(found):
        if roots[index] != index:
            continue
        following = [found[i][1] for i, cause in enumerate(roots) if cause == index and i != index]
        severity = _worst([finding, *following]) or finding.severity
        result.append(Diagnosis(check, replace(finding, severity=severity), tuple(f.what for f in following)))
    return sorted(result, key=lambda diagnosis: diagnosis.finding.severity is Severity.WARNING)


def _without(secrets: set[str], finding: Finding) -> Finding:
    def clean(text: str) -> str:
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    evidence = tuple(map(clean, finding.evidence))
    return replace(finding, what=clean(finding.what), evidence=evidence, remedy=clean(finding.remedy))


def causes(found: list[Finding]) -> list[int]:
    """For each finding the index of its first cause, its own if there is none."""
    of_subject: dict[str, int] = {}
    for index, finding in enumerate(found):
        of_subject.setdefault(finding.subject, index)

    def cause(index: int) -> int | None:
        causes = (of_subject.get(subject, index) for subject in found[index].because)
        return next((other for other in causes if other != index), None)

    def root(index: int) -> int:
        way = [index]
        while (following := cause(way[-1])) is not None:
            if following in way:  # findings that are each other's causes: the first of them stands for all
                return min(way[way.index(following) :])
            way.append(following)
        return way[-1]

    return [root(index) for index in range(len(found))]
