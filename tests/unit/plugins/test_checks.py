# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""How a check reads."""

from __future__ import annotations

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils.checks import Check, listed, result


@pytest.mark.parametrize(
    ("ok", "detail", "remedy", "lines"),
    [
        (True, ("why",), "mend it", ["ok: compute1: clock: expected now; found then"]),
        (
            *(False, ("why", "where"), "mend it"),
            ["FAILED: compute1: clock: expected now; found then", "    why", "    where", "    do: mend it"],
        ),
        (False, (), "", ["FAILED: compute1: clock: expected now; found then"]),
    ],
)
def test_check_as_text_has_expectation_and_finding(
    ok: bool, detail: tuple[str, ...], remedy: str, lines: list[str]
) -> None:
    check = Check("clock", "compute1", "now", "then", ok, detail, remedy)
    assert check.text.splitlines() == lines
    found = result([check], services=[])
    assert found["checks"][0] == {
        "name": "clock",
        "node": "compute1",
        "expected": "now",
        "found": "then",
        "ok": ok,
        "detail": detail,
        "remedy": remedy,
        "text": check.text,
    }
    assert (found["changed"], found["services"]) == (False, [])


@pytest.mark.parametrize(("names", "text"), [([], "none"), (["b", "a"], "b, a")])
def test_names_are_listed_or_none(names: list[str], text: str) -> None:
    assert listed(names) == text
