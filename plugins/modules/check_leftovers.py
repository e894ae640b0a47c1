#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Check that a node keeps nothing of instances that are gone."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_leftovers
short_description: Check that a node keeps nothing of instances that are gone
version_added: "0.1.0"
description:
  - Compares libvirt's domains, or the console tokens in a cell's database, with the instances that Nova knows.
  - A check that fails is reported in RV(checks) and does not fail the module.
author:
  - novalab contributors (@novalab)
options:
  node:
    description: The node's name in the lab.
    type: str
    required: true
  kind:
    description: What is looked at, C(domains) on a compute and C(tokens) where nova.conf names the cell's database.
    type: str
    choices: [domains, tokens]
    required: true
  instances:
    description: The ids of all instances that there are.
    type: list
    elements: str
    required: true
  config:
    description: Nova's configuration, for C(tokens).
    type: path
    default: /etc/nova/nova.conf
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Look for domains without an instance
  novalab.openstack.check_leftovers:
    node: compute1
    kind: domains
    instances: [940d6574-d2f7-471c-a122-3406e132935d]
"""

RETURN = r"""
checks:
  description: What was compared.
  type: list
  elements: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.novalab.openstack.plugins.module_utils import service_database
from ansible_collections.novalab.openstack.plugins.module_utils.checks import Check, listed, result


def domains(module: AnsibleModule) -> list[str]:
    """The ids of libvirt's domains, running or not; Nova gives a domain the id of its instance."""
    return str(module.run_command(["virsh", "--quiet", "list", "--all", "--uuid"], check_rc=True)[1]).split()


def tokens(module: AnsibleModule) -> list[str]:
    """The instances that console tokens are for."""
    if service_database.PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=service_database.PYMYSQL_ERROR)
    try:
        connection = service_database.connect(
            service_database.option(module.params["config"], "database", "connection")
        )
        rows = service_database.rows(connection, "SELECT DISTINCT instance_uuid FROM console_auth_tokens")
    except (KeyError, OSError, service_database.pymysql.MySQLError) as error:
        module.fail_json(msg=f"cannot read the cell's database: {error}")
    return [row["instance_uuid"] for row in rows]


def compare(node: str, kind: str, found: list[str], instances: list[str]) -> Check:
    """Whether everything found belongs to an instance."""
    orphans = sorted(set(found) - set(instances))
    name, remedy = {
        "domains": ("libvirt's domains", "virsh destroy ID and virsh undefine ID, on the compute"),
        "tokens": ("console tokens", "delete the rows of console_auth_tokens with that instance_uuid"),
    }[kind]
    return Check(
        name,
        node,
        "none without an instance",
        listed(orphans) if orphans else "none",
        ok=not orphans,
        remedy=remedy,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["domains", "tokens"], "required": True},
            "instances": {"type": "list", "elements": "str", "required": True},
            "config": {"type": "path", "default": "/etc/nova/nova.conf"},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    found = domains(module) if parameters["kind"] == "domains" else tokens(module)
    module.exit_json(**result([compare(parameters["node"], parameters["kind"], found, parameters["instances"])]))


if __name__ == "__main__":
    main()
