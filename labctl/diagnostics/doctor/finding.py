"""What checks return: findings, and the names of what they are about."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypedDict, Unpack

HOST = "host"  # the place of findings about this machine


class Severity(StrEnum):
    """How bad a finding is. An error keeps the lab from working; a warning will, or may."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    where is a node's name or HOST; a check may leave it out if that is the place it looks at. subject names the thing
    for other findings: one that has it among its because is a consequence, and is listed with it instead of by itself.
    since is in ISO 8601, if it is known.
    """

    what: str
    evidence: tuple[str, ...]
    remedy: str
    severity: Severity = Severity.ERROR
    where: str = ""
    subject: str = ""
    because: tuple[str, ...] = ()
    since: str | None = None


Findings = Iterator[Finding]


class _More(TypedDict, total=False):
    severity: Severity
    where: str
    subject: str
    because: tuple[str, ...]
    since: str | None


def error(what: str, evidence: str | Iterable[str], remedy: str, **more: Unpack[_More]) -> Finding:
    """A finding with one line of evidence, or several."""
    return Finding(what, (evidence,) if isinstance(evidence, str) else tuple(evidence), remedy, **more)


def warning(what: str, evidence: str | Iterable[str], remedy: str, **more: Unpack[_More]) -> Finding:
    """The same for something that does not keep the lab from working yet."""
    return replace(error(what, evidence, remedy, **more), severity=Severity.WARNING)


def node_subject(name: str) -> str:
    """The subject of findings about a node as such."""
    return f"node {name}"


def unit_subject(node: str, unit: str) -> str:
    """The subject of findings about a unit."""
    return f"unit {unit} on {node}"


def node_and_units(node: str, *units: str) -> tuple[str, ...]:
    """The subjects of a node and of units on it."""
    return (node_subject(node), *(unit_subject(node, unit) for unit in units))


def settings_subject(node: str, user: str) -> str:
    """The subject of findings about the settings of a service, which is named by its user."""
    return f"settings of {user} on {node}"
