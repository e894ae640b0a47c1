# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What is made of the answers of nova-status."""

from __future__ import annotations

import pytest
from ansible_collections.novalab.openstack.plugins.modules import check_upgrade
from ansible_collections.novalab.openstack.plugins.modules.check_upgrade import Answer

UPGRADE = """\
+---------------------------------------------------------------------+
| Upgrade Check Results                                               |
+---------------------------------------------------------------------+
| Check: Cells v2                                                     |
| Result: {cells}                                                     |
| Details: {details}                                                  |
+---------------------------------------------------------------------+
| Check: Cinder API                                                   |
| Result: {cinder}                                                    |
| Details: Unable to determine: the service catalog                   |
|   has no volumev3 endpoint.                                         |
+---------------------------------------------------------------------+
"""


def upgrade(cells: str = "Success", cinder: str = "Success", details: str = "None") -> str:
    return UPGRADE.format(cells=cells, cinder=cinder, details=details)


def test_boxes_of_nova_status() -> None:
    output = "Modules with known eventlet monkey patching issues\n" + upgrade(cinder="Warning")
    assert check_upgrade.parse(output) == [
        Answer("Cells v2", "Success", "None"),
        Answer("Cinder API", "Warning", "Unable to determine: the service catalog has no volumev3 endpoint."),
    ]
    assert check_upgrade.parse("Traceback (most recent call last):\n") == []


@pytest.mark.parametrize(
    ("code", "output", "error", "ok", "found"),
    [
        (0, upgrade(), "", True, "status 0: 2 of 2 succeed"),
        (
            *(1, upgrade(cinder="Warning"), "", True),
            "status 1: 1 of 2 succeed; Cinder API: Warning (the lab has no Cinder)",
        ),
        (
            *(2, upgrade(cells="Failure", details="No cell mappings"), "", False),
            "status 2: 1 of 2 succeed; Cells v2: Failure (No cell mappings)",
        ),
        # Without an answer, a status of success is none.
        (0, "", "", False, "status 0 and no answers: none"),
        (255, "", "a\nb\nc\nd\n", False, "status 255 and no answers: b, c, d"),
    ],
)
def test_upgrade_check_of_nova_status_is_judged(code: int, output: str, error: str, ok: bool, found: str) -> None:
    check = check_upgrade.judge("controller", code, output, error)
    assert (check.ok, check.found) == (ok, found)
