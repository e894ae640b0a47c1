# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What is said of Nova's cells, their URLs, and the hosts in them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.novalab.openstack.plugins.modules import check_cells

DATABASE = "{scheme}://{username}:{password}@{hostname}:{port}/nova_cell0?{query}"
TRANSPORT = "{scheme}://{username}:{password}@{hostname}:{port}/{path}"
PLAIN = "rabbit://nova:hunter2@10.0.0.11:5672/"


def cell(name: str, **fields: object) -> dict[str, Any]:
    transport = "none:///" if name == "cell0" else TRANSPORT
    return {"name": name, "disabled": 0, "database_connection": DATABASE, "transport_url": transport, **fields}


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ([cell("cell1"), cell("cell0")], "cell0, cell1"),
        ([cell("cell0")], "cell0"),
        ([cell("cell0"), cell("cell1"), cell("cell1")], "cell0, cell1, cell1"),
        ([cell("cell0"), cell("cell1", disabled=1)], "cell0, cell1 (disabled)"),
        ([cell("cell0"), cell("cell1"), cell("cell2")], "cell0, cell1, cell2"),
    ],
)
def test_cells_that_differ_fail_the_check(cells: list[dict[str, Any]], found: str) -> None:
    check = check_cells.check_names("controller", ["cell0", "cell1"], cells)
    assert (check.found, check.ok) == (found, found == "cell0, cell1")


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, "the same"),
        ({"transport_url": PLAIN}, "a password in cell1.transport_url"),
        ({"transport_url": "rabbit://{username}:hunter2@{hostname}/"}, "a password in cell1.transport_url"),
        ({"transport_url": "rabbit://nova:p/w@10.0.0.11/"}, "a password in cell1.transport_url"),
        ({"transport_url": "none:///"}, "fixed URLs in cell1.transport_url"),
        ({"database_connection": "mysql+pymysql://nova@10.0.0.11/nova"}, "fixed URLs in cell1.database_connection"),
        ({"transport_url": None}, "fixed URLs in cell1.transport_url"),
        (
            {"transport_url": PLAIN, "database_connection": "sqlite://"},
            "a password in cell1.transport_url and fixed URLs in cell1.database_connection",
        ),
    ],
)
def test_cell_with_urls_of_its_own_fails_the_check(fields: dict[str, object], found: str) -> None:
    check = check_cells.check_templates("controller", [cell("cell0"), cell("cell1", **fields)])
    assert (check.found, check.ok) == (found, found == "the same")
    assert "hunter2" not in check.text


@pytest.mark.parametrize(
    ("mapped", "ok", "found", "remedy"),
    [
        ({"compute2": "cell1", "compute1": "cell1"}, True, "compute1 in cell1, compute2 in cell1", None),
        ({"compute1": "cell1"}, False, "Host compute2 is not mapped to any cell", "discover_hosts"),
        (
            *({"compute1": "cell1", "compute2": "cell1", "old": "cell1"}, False),
            *("host old is mapped and not in the lab", "delete_host"),
        ),
        (
            *({"compute1": "cell1", "compute2": "cell0"}, False),
            *("host compute2 is mapped to cell0, which has no computes", "delete_host"),
        ),
    ],
)
def test_hosts_not_mapped_fail_the_check_with_a_remedy(
    mapped: dict[str, str], ok: bool, found: str, remedy: str | None
) -> None:
    check = check_cells.check_hosts("controller", ["compute1", "compute2"], mapped)
    assert (check.ok, check.found) == (ok, found)
    assert (remedy or "") in check.remedy
    assert (check.remedy == "") is (remedy is None)
