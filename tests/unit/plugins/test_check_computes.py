# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether Nova's services are there, and have been heard of since they were started."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.novalab.openstack.plugins.modules import check_computes
from ansible_collections.novalab.openstack.plugins.modules.check_computes import Problem, Row

KEY = "nova-compute@compute1"
STARTED = 1764000000.5


def expected(since: float = STARTED) -> list[dict[str, Any]]:
    return [{"binary": "nova-compute", "host": "compute1", "since": since}]


def row(status: str = "enabled", state: str = "up", seen: float = STARTED + 8) -> Row:
    return Row("nova-compute", "compute1", status, state, seen)


@pytest.mark.parametrize(
    ("rows", "registered", "problems"),
    [
        ([row()], {}, []),
        ([], {}, [Problem(f"{KEY} is not in the list")]),
        ([row(status="disabled")], {}, [Problem(f"{KEY} is disabled", lasting=True)]),
        ([row(state="down")], {}, [Problem(f"{KEY} is down")]),
        ([row(seen=0.0)], {}, [Problem(f"{KEY} says up, but has not reported since it was started")]),
        ([row(seen=STARTED - 9)], {}, [Problem(f"{KEY} says up, but has not reported since it was started")]),
        # Registered since its start, and not yet due to report.
        ([row(seen=0.0)], {KEY: STARTED + 3}, []),
        # Registered, then started anew.
        ([row(seen=0.0)], {KEY: STARTED - 3}, [Problem(f"{KEY} says up, but has not reported since it was started")]),
        (
            [row(), Row("nova-compute", "other", "enabled", "up", 0.0)],
            {},
            [Problem("nova-compute@other is not of this lab", lasting=True)],
        ),
    ],
)
def test_services_that_are_missing_or_down_are_named(
    rows: list[Row], registered: dict[str, float], problems: list[Problem]
) -> None:
    assert check_computes.compare_services(expected(), rows, registered) == problems


def test_without_a_start_a_row_that_is_up_is_enough() -> None:
    assert check_computes.compare_services(expected(0.0), [row(seen=0.0)]) == []


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [("2025-11-24T16:00:00.000000", 1764000000.0), ("2025-11-24T16:00:00Z", 1764000000.0), (None, 0.0)],
)
def test_seconds_of_a_stamp_are_utc(stamp: str | None, seconds: float) -> None:
    assert check_computes.seconds(stamp) == seconds
