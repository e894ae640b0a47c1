"""What a check finds, and what checks there are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labctl.diagnostics.doctor.case import Case

HOST = "host"  # where a finding is that concerns this machine


class Severity(StrEnum):
    """How bad a finding is. An error keeps the lab from working; a warning will, or may."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    where is a node's name or HOST. subject names the thing for other findings: one that has it among its because is a
    consequence, and is told of with it and not by itself. since is in ISO 8601, where it is known.
    """

    where: str
    what: str
    evidence: tuple[str, ...]
    remedy: str
    severity: Severity = Severity.ERROR
    subject: str = ""
    because: tuple[str, ...] = ()
    since: str | None = None


@dataclass(frozen=True)
class Check:
    """A check: its id, what it looks at, and the function that does."""

    id: str
    looks_at: str
    group: str
    find: Callable[[Case], Iterator[Finding]]


CHECKS: list[Check] = []


def check(
    name: str, looks_at: str
) -> Callable[[Callable[[Case], Iterator[Finding]]], Callable[[Case], Iterator[Finding]]]:
    """Make a function a check under an id; the group is the name of its module."""

    def register(find: Callable[[Case], Iterator[Finding]]) -> Callable[[Case], Iterator[Finding]]:
        CHECKS.append(Check(name, looks_at, find.__module__.rpartition(".")[2], find))
        return find

    return register
