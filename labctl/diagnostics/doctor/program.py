"""The programs of probes/ as one text that a node's Python runs from its standard input."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from labctl.remote import programs

_PACKAGE = "labctl.diagnostics.doctor.probes"
# In the order in which they import each other.
_SHARED = ("service_database", "nova_manage", "systemd", "keystone")
_OWN = ("units", "system", "files", "logins", "apis", "compute", "cloud", "main")


def program(question: dict[str, Any]) -> str:
    """The whole program, with its question in it. It holds no secret."""
    return programs.assemble(_own(), _SHARED, question)


@cache
def _own() -> tuple[tuple[str, str], ...]:
    own = resources.files(_PACKAGE)
    return tuple((f"{_PACKAGE}.{name}", (own / f"{name}.py").read_text(encoding="utf-8")) for name in _OWN)
