#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Check Nova's cells and which hosts are in them."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_cells
short_description: Check Nova's cells and which hosts are in them
version_added: "0.1.0"
description:
  - Compares the cell mappings and the host mappings in Nova's API database with what is expected, and looks that no
    password lies in the cell mappings.
  - A check that fails is reported in RV(checks) and does not fail the module.
author:
  - novalab contributors (@novalab)
requirements:
  - PyMySQL on the node
extends_documentation_fragment:
  - novalab.openstack.nova
options:
  node:
    description: The node's name in the lab.
    type: str
    required: true
  hosts:
    description: The compute hosts that must be mapped, no more and no less.
    type: list
    elements: str
    required: true
  cells:
    description: The names of the cells, each of which must be there once.
    type: list
    elements: str
    default: [cell0, cell1]
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Look at the cells
  novalab.openstack.check_cells:
    node: controller
    hosts: [compute1, compute2]
"""

RETURN = r"""
checks:
  description: What was compared.
  type: list
  elements: dict
  returned: always
  sample:
    - {name: cells, node: controller, expected: "cell0, cell1", found: "cell0, cell1", ok: true, detail: [], remedy: ""}
"""

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.novalab.openstack.plugins.module_utils import nova_manage, service_database
from ansible_collections.novalab.openstack.plugins.module_utils.checks import Check, listed, result

# A password in a URL that is not the template's word for it (nova-manage(1), cell_v2 create_cell).
PLAIN_PASSWORD = re.compile(r"://[^/@]*:(?!\{password\}@)[^@]*@")


def check_names(node: str, expected: list[str], cells: list[dict[str, Any]]) -> Check:
    """Whether each cell is there once and enabled."""
    found = sorted(f"{cell['name']}{' (disabled)' if cell['disabled'] else ''}" for cell in cells)
    return Check(
        "cells",
        node,
        f"{listed(sorted(expected))}, once each",
        listed(found),
        ok=found == sorted(expected),
        remedy="create what is missing with 'labctl up'; enable or remove with 'nova-manage cell_v2 ...'",
    )


def check_templates(node: str, cells: list[dict[str, Any]]) -> Check:
    """Whether the mappings are templates, which hold no password and follow nova.conf."""
    plain = [
        f"{cell['name']}.{field}"
        for cell in cells
        for field in ("database_connection", "transport_url")
        if PLAIN_PASSWORD.search(cell[field] or "")
    ]
    fixed = [
        f"{cell['name']}.{field}"
        for cell in cells
        for field in ("database_connection", "transport_url")
        if f"{cell['name']}.{field}" not in plain
        and "{" not in (cell[field] or "")
        and not (cell["name"] == "cell0" and field == "transport_url")
    ]
    found = [f"a password in {listed(plain)}"] if plain else []
    found += [f"fixed URLs in {listed(fixed)}"] if fixed else []
    return Check(
        "cell URLs",
        node,
        "templates without a password",
        " and ".join(found) or "the same",
        ok=not found,
        remedy="write the templates back with 'labctl up'",
    )


def check_hosts(node: str, expected: list[str], mapped: dict[str, str]) -> Check:
    """Whether exactly the expected hosts are mapped, and not to cell0."""
    missing = sorted(set(expected) - set(mapped))
    extra = sorted(set(mapped) - set(expected))
    misplaced = sorted(host for host, cell in mapped.items() if cell == "cell0")
    wrong = [f"Host {host} is not mapped to any cell" for host in missing]
    wrong += [f"host {host} is mapped and not in the lab" for host in extra]
    wrong += [f"host {host} is mapped to cell0, which has no computes" for host in misplaced]
    remedies = []
    if missing:
        remedies.append("'labctl up' maps it, or on the controller: nova-manage cell_v2 discover_hosts --by-service")
    if extra or misplaced:
        remedies.append("on the controller: nova-manage cell_v2 delete_host --cell_uuid UUID --host HOST")
    return Check(
        "host mappings",
        node,
        listed(sorted(expected)),
        "; ".join(wrong) or listed(f"{host} in {cell}" for host, cell in sorted(mapped.items())),
        ok=not wrong,
        remedy="; ".join(remedies),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "hosts": {"type": "list", "elements": "str", "required": True},
            "cells": {"type": "list", "elements": "str", "default": ["cell0", "cell1"]},
            "config": {"type": "path", "default": "/etc/nova/nova.conf"},
        },
        supports_check_mode=True,
    )
    if service_database.PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=service_database.PYMYSQL_ERROR)
    parameters = module.params
    node, config = parameters["node"], parameters["config"]
    try:
        api = service_database.connect(service_database.option(config, "api_database", "connection"))
        cells = nova_manage.cells(api)
        mapped = nova_manage.mapped_hosts(api)
    except (KeyError, OSError) as error:
        module.fail_json(msg=f"cannot read the API database's URL: {error}")
    except service_database.pymysql.MySQLError as error:
        module.exit_json(
            **result(
                [
                    Check(
                        "API database",
                        node,
                        "an answer",
                        f"'{error}'",
                        ok=False,
                        remedy="see the unit mariadb and [api_database] in nova.conf",
                    )
                ]
            )
        )
    module.exit_json(
        **result(
            [
                check_names(node, parameters["cells"], cells),
                check_templates(node, cells),
                check_hosts(node, parameters["hosts"], mapped),
            ]
        )
    )


if __name__ == "__main__":
    main()
