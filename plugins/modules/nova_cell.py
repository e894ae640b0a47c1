#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep Nova's cell mappings."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nova_cell
short_description: Keep Nova's cell mappings
version_added: "0.1.0"
description:
  - Makes the mappings of cells what they should be, by their exact fields as they stand in the API database, because
    C(nova-manage cell_v2 list_cells) prints URLs with their templates filled in.
  - With template URLs no password lies in the table or on a command line, and a changed password needs no change of
    the mapping.
  - Services keep cell mappings in memory. Restart nova-api, nova-conductor and nova-scheduler when this reports a
    change.
author:
  - novalab contributors (@novalab)
requirements:
  - PyMySQL on the node
extends_documentation_fragment:
  - novalab.openstack.nova
options:
  cells:
    description: The cells.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The cell's name. V(cell0) is the special cell of instances that were never scheduled.
        type: str
        required: true
      state:
        description: Whether the cell is there. A cell with mapped hosts or instances cannot be removed.
        type: str
        choices: [present, absent]
        default: present
      database_connection:
        description: The URL of the cell's database, or a template of it. Needed unless O(cells[].state=absent).
        type: str
      transport_url:
        description: The URL of the cell's message queue, or a template of it. V(cell0) has none.
        type: str
attributes:
  check_mode:
    support: full
    description: Says what would be changed and changes nothing.
  diff_mode:
    support: full
    description: Shows the mappings before and after, with passwords in URLs blanked out.
"""

EXAMPLES = r"""
- name: Map cell0 and cell1
  novalab.openstack.nova_cell:
    cells:
      - name: cell0
        database_connection: "{scheme}://{username}:{password}@{hostname}:{port}/nova_cell0?{query}"
      - name: cell1
        database_connection: "{scheme}://{username}:{password}@{hostname}:{port}/{path}?{query}"
        transport_url: "{scheme}://{username}:{password}@{hostname}:{port}/{path}"
"""

RETURN = r"""
cells:
  description: The cells as they are now, with passwords in URLs blanked out.
  type: list
  elements: dict
  returned: always
  sample:
    - name: cell1
      uuid: 7857f0ac-da2d-46c6-881e-9a9cf03918d4
      database_connection: "{scheme}://{username}:{password}@{hostname}:{port}/{path}?{query}"
      transport_url: "{scheme}://{username}:{password}@{hostname}:{port}/{path}"
changes:
  description: What was changed, one sentence each.
  type: list
  elements: str
  returned: always
  sample: ["cell cell1 created"]
"""

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.novalab.openstack.plugins.module_utils import nova_manage, service_commands, service_database


def action(wanted: dict[str, Any], existing: list[dict[str, Any]]) -> tuple[str, list[str]] | None:
    """What is to be done for one cell: a sentence and the arguments of nova-manage; None when it is as wanted.

    A ValueError says why it cannot be done.
    """
    name = wanted["name"]
    same = [cell for cell in existing if cell["name"] == name]
    if len(same) > 1:
        uuids = ", ".join(cell["uuid"] for cell in same)
        raise ValueError(
            f"there are {len(same)} cells named {name}: {uuids}. Expected: one."
            " Remove the others with 'nova-manage cell_v2 delete_cell'."
        )
    if wanted["state"] == "absent":
        if not same:
            return None
        return f"cell {name} deleted", ["cell_v2", "delete_cell", "--cell_uuid", same[0]["uuid"]]
    database = wanted["database_connection"]
    transport = nova_manage.NO_TRANSPORT if name == "cell0" else wanted["transport_url"]
    if not same:
        if name == "cell0":
            return "cell cell0 mapped", ["cell_v2", "map_cell0", "--database_connection", database]
        return f"cell {name} created", [
            *("cell_v2", "create_cell", "--name", name),
            *("--database_connection", database, "--transport-url", transport),
        ]
    found = same[0]
    differing = [
        field
        for field, value in (("database_connection", database), ("transport_url", transport))
        if found[field] != value
    ]
    if not differing:
        return None
    return f"{' and '.join(differing)} of cell {name} changed", [
        *("cell_v2", "update_cell", "--cell_uuid", found["uuid"]),
        *("--database_connection", database, "--transport-url", transport),
    ]


def blank(url: str) -> str:
    """A URL without its password; a template's stays, since it holds none."""
    return re.sub(r"(?<=://)([^:@/]*):(?!\{)[^@]*@", r"\1:****@", url)


def public(cells: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The mappings without passwords."""
    return [
        {
            "name": cell["name"],
            "uuid": cell["uuid"],
            "database_connection": blank(cell["database_connection"]),
            "transport_url": blank(cell["transport_url"]),
        }
        for cell in cells
    ]


def as_text(cells: list[dict[str, str]]) -> str:
    return "".join(f"{cell['name']} {cell['database_connection']} {cell['transport_url']}\n" for cell in cells)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cells": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                    "database_connection": {"type": "str"},
                    "transport_url": {"type": "str"},
                },
            },
            "config": {"type": "path", "default": "/etc/nova/nova.conf"},
        },
        supports_check_mode=True,
    )
    if service_database.PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=service_database.PYMYSQL_ERROR)
    for cell in module.params["cells"]:
        needed = [] if cell["state"] == "absent" else ["database_connection"]
        needed += ["transport_url"] if needed and cell["name"] != "cell0" else []
        missing = [field for field in needed if not cell[field]]
        if missing:
            module.fail_json(
                msg=f"cell {cell['name']} has no {' and no '.join(missing)}. Expected: a URL or a template of one."
            )
    changes: list[str] = []
    commands = []
    try:
        connection = service_database.connect(
            service_database.option(module.params["config"], "api_database", "connection")
        )
        before = nova_manage.cells(connection)
        for cell in module.params["cells"]:
            due = action(cell, before)
            if due is not None:
                changes.append(due[0])
                command = service_commands.Command(["nova-manage", *due[1]])
                commands.append(service_commands.logged(command, module.params["config"]))
        if not module.check_mode:
            service_commands.run(module, "nova", commands)
        after = nova_manage.cells(connection)
    except (KeyError, OSError) as error:
        module.fail_json(msg=f"cannot read the URL of the API database: {error}")
    except ValueError as error:
        module.fail_json(msg=str(error))
    except service_database.pymysql.MySQLError as error:
        module.fail_json(msg=f"the API database refused: {error}")
    module.exit_json(
        changed=bool(changes),
        cells=public(after),
        changes=changes,
        diff={"before": as_text(public(before)), "after": as_text(public(after))} if changes else {},
    )


if __name__ == "__main__":
    main()
