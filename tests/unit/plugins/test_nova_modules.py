# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What the modules for schemas and cells decide, as tables of input and expected result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils import service_database
from ansible_collections.novalab.openstack.plugins.modules import nova_cell, schema_sync

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "{scheme}://{username}:{password}@{hostname}:{port}/{path}"
DATABASE0 = "{scheme}://{username}:{password}@{hostname}:{port}/nova_cell0"
TRANSPORT = "{scheme}://{username}:{password}@{hostname}:{port}/{path}"
PASSWORD = "p@:/#%?$'\" x"
ENCODED = "p%40%3A%2F%23%25%3F%24%27%22%20x"
UUID = "5b756b17-7de3-4d97-b948-b97dccad8273"


def wanted(name: str, **fields: str) -> dict[str, Any]:
    return {"name": name, "state": "present", "database_connection": DATABASE, "transport_url": TRANSPORT, **fields}


def existing(name: str, **fields: str) -> dict[str, Any]:
    return {"name": name, "uuid": UUID, "database_connection": DATABASE, "transport_url": TRANSPORT, **fields}


@pytest.mark.parametrize(
    ("cell", "table", "arguments"),
    [
        (
            wanted("cell0", database_connection=DATABASE0),
            [],
            ["cell_v2", "map_cell0", "--database_connection", DATABASE0],
        ),
        (
            wanted("cell0", database_connection=DATABASE0),
            [existing("cell0", database_connection=DATABASE0, transport_url="none:///")],
            None,
        ),
        (
            wanted("cell1"),
            [],
            [
                *("cell_v2", "create_cell", "--name", "cell1"),
                *("--database_connection", DATABASE, "--transport-url", TRANSPORT),
            ],
        ),
        (wanted("cell1"), [existing("cell1")], None),
        (
            wanted("cell1"),
            [existing("cell1", transport_url="rabbit://nova:old@10.0.0.1:5672/")],
            [
                *("cell_v2", "update_cell", "--cell_uuid", UUID),
                *("--database_connection", DATABASE, "--transport-url", TRANSPORT),
            ],
        ),
        # A name that begins alike is another cell.
        (
            wanted("cell1", state="absent"),
            [existing("cell1"), existing("cell10", uuid="other")],
            ["cell_v2", "delete_cell", "--cell_uuid", UUID],
        ),
        (wanted("cell1", state="absent"), [existing("cell10")], None),
    ],
)
def test_cell_that_differs_is_created_or_updated(
    cell: dict[str, Any], table: list[dict[str, Any]], arguments: list[str] | None
) -> None:
    due = nova_cell.action(cell, table)
    assert (due[1] if due else None) == arguments


def test_two_cells_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="there are 2 cells named cell1"):
        nova_cell.action(wanted("cell1"), [existing("cell1"), existing("cell1")])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"rabbit://nova:{ENCODED}@10.0.0.1:5672/", "rabbit://nova:****@10.0.0.1:5672/"),
        (f"mysql+pymysql://nova:{ENCODED}@10.0.0.1/nova", "mysql+pymysql://nova:****@10.0.0.1/nova"),
        (DATABASE, DATABASE),
        ("none:///", "none:///"),
    ],
)
def test_passwords_are_blanked(url: str, shown: str) -> None:
    assert nova_cell.blank(url) == shown


def test_hard_password_reaches_the_driver() -> None:
    arguments = service_database.connection_arguments(f"mysql+pymysql://nova:{ENCODED}@10.0.0.1:3306/nova_api")
    assert arguments == {
        "host": "10.0.0.1",
        "port": 3306,
        "user": "nova",
        "password": PASSWORD,
        "database": "nova_api",
    }


@pytest.mark.parametrize(
    ("files", "heads"),
    [
        ({"a.py": "revision = 'a'\ndown_revision = None\n", "b.py": "revision = 'b'\ndown_revision = 'a'\n"}, ["b"]),
        # Annotated, and in the two branches of Keystone, Glance and Neutron.
        (
            {
                "initial.py": "revision = 'i'\ndown_revision = None\n",
                "expand/e.py": "revision: str = 'e'\ndown_revision: str = 'i'\n",
                "contract/c.py": "revision = 'c'\ndown_revision = 'i'\ndepends_on = None\n",
            },
            ["c", "e"],
        ),
        (
            {
                "a.py": "revision = 'a'\n",
                "b.py": "revision = 'b'\n",
                "m.py": "revision = 'm'\ndown_revision = ('a', 'b')\n",
            },
            ["m"],
        ),
        ({"README.py": "'''Not a revision.'''\n"}, []),
    ],
)
def test_heads_of_revision_files(tmp_path: Path, files: dict[str, str], heads: list[str]) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert schema_sync.heads(tmp_path) == heads
