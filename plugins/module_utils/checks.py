# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What a check of the verification says: expected, found, whether they agree, and what to do when they do not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Check:
    """One comparison.

    C(expected) and C(found) are phrases that stand after "expected" and "found"; neither holds a secret.
    C(detail) are lines of evidence, such as a journal's, and C(remedy) is what to do; both are for a failure only.
    """

    name: str
    node: str
    expected: str
    found: str
    ok: bool
    detail: tuple[str, ...] = ()
    remedy: str = ""

    @property
    def text(self) -> str:
        """The check in one line, with its evidence and remedy below when it failed."""
        verdict = "ok" if self.ok else "FAILED"
        lines = [f"{verdict}: {self.node}: {self.name}: expected {self.expected}; found {self.found}"]
        if not self.ok:
            lines += [f"    {entry}" for entry in self.detail]
            lines += [f"    do: {self.remedy}"] if self.remedy else []
        return "\n".join(lines)


def result(checks: Iterable[Check], **more: object) -> dict[str, Any]:
    """A module's result. A failed check does not fail the module: all of them are told of together, at the end."""
    return {"changed": False, "checks": [{**asdict(check), "text": check.text} for check in checks], **more}


def listed(names: Iterable[str]) -> str:
    """Names in the order given, for a sentence."""
    return ", ".join(names) or "none"
