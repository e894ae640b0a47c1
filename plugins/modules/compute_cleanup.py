#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Remove what is left of computes that are gone, where no API reaches it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: compute_cleanup
short_description: Remove what is left of computes that are gone
version_added: "0.1.0"
description:
  - Removes, on the node of Nova's API, RabbitMQ and OVN's databases, what the cloud keeps of computes that have left
    and what no API reaches.
  - Mappings to a cell of hosts that have no service, with C(nova-manage cell_v2 delete_host). Nova deletes a mapping
    together with the service.
  - RabbitMQ's queues C(compute.HOST). Messages to a compute that died would wait there for its successor of the same
    name.
  - OVN's chassis of the hosts, and records of chassis that are gone (C(Chassis_Private)), which Neutron shows as
    agents.
author:
  - novalab contributors (@novalab)
requirements:
  - PyMySQL on the node
extends_documentation_fragment:
  - novalab.openstack.nova
options:
  hosts:
    description: The computes, as they named themselves to Nova.
    type: list
    elements: str
    required: true
  networking:
    description: Whether there is OVN.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Says what would be removed.
  diff_mode:
    support: none
    description: The actions say what is removed.
"""

EXAMPLES = r"""
- name: Remove what is left of compute3
  novalab.openstack.compute_cleanup:
    hosts: [compute3]
"""

RETURN = r"""
actions:
  description: What was removed, in words.
  type: list
  elements: str
  returned: always
  sample: ["the queue compute.compute3"]
"""

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.novalab.openstack.plugins.module_utils import nova_manage, service_database


def mappings(module: AnsibleModule) -> list[tuple[str, list[str]]]:
    """The mappings of the hosts, in words and as the command that removes each."""
    connection = service_database.connect(
        service_database.option(module.params["config"], "api_database", "connection")
    )
    cells = {cell["name"]: cell["uuid"] for cell in nova_manage.cells(connection)}
    return [
        (f"the mapping of {host} to {cell}", ["cell_v2", "delete_host", "--cell_uuid", cells[cell], "--host", host])
        for host, cell in sorted(nova_manage.mapped_hosts(connection).items())
        if host in module.params["hosts"]
    ]


def queues(listing: str, hosts: list[str]) -> list[str]:
    """The queues of the hosts; C(listing) has a queue a line.

    The consumer of a machine that lost its power is there until its heartbeats are missed, and does not count.
    """
    return sorted(set(listing.split()) & {f"compute.{host}" for host in hosts})


def table(text: str) -> list[dict[str, Any]]:
    """The rows of what OVN's tools print as JSON; an empty reference is an empty list."""
    document = json.loads(text)
    return [
        {
            name: (value[1] if isinstance(value, list) and value[0] in ("set", "uuid") else value)
            for name, value in zip(document["headings"], row, strict=True)
        }
        for row in document["data"]
    ]


def chassis(rows: list[dict[str, Any]], private: list[dict[str, Any]], hosts: list[str]) -> list[tuple[str, list[str]]]:
    """The chassis of the hosts and the records of chassis that are gone, in words and as commands."""
    own = {row["name"]: row["hostname"] for row in rows if row["hostname"] in hosts}
    gone = [row["name"] for row in private if row["name"] in own or not row["chassis"]]
    due = [(f"the chassis of {host}", ["--if-exists", "chassis-del", name]) for name, host in own.items()]
    return due + [
        (f"the record of chassis {name}", ["--if-exists", "destroy", "Chassis_Private", name]) for name in gone
    ]


def sbctl(module: AnsibleModule, *arguments: str) -> str:
    return str(module.run_command(["ovn-sbctl", "--timeout=10", *arguments], check_rc=True)[1])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "hosts": {"type": "list", "elements": "str", "required": True},
            "networking": {"type": "bool", "default": True},
            "config": {"type": "path", "default": "/etc/nova/nova.conf"},
        },
        supports_check_mode=True,
    )
    if service_database.PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=service_database.PYMYSQL_ERROR)
    hosts = module.params["hosts"]
    try:
        due = mappings(module)
    except (KeyError, OSError) as error:
        module.fail_json(msg=f"cannot read the URL of the API database: {error}")
    except service_database.pymysql.MySQLError as error:
        module.fail_json(msg=f"the API database refused: {error}")
    actions = [words for words, _command in due]
    for _words, command in [] if module.check_mode else due:
        nova_manage.manage(module, command)
    listing = module.run_command(["rabbitmqctl", "-q", "--no-table-headers", "list_queues", "name"], check_rc=True)[1]
    for queue in queues(str(listing), hosts):
        actions.append(f"the queue {queue}")
        if not module.check_mode:
            module.run_command(["rabbitmqctl", "-q", "delete_queue", queue], check_rc=True)
    if module.params["networking"]:
        rows = table(sbctl(module, "--format=json", "--columns=name,hostname", "list", "Chassis"))
        private = table(sbctl(module, "--format=json", "--columns=name,chassis", "list", "Chassis_Private"))
        for words, command in chassis(rows, private, hosts):
            actions.append(words)
            if not module.check_mode:
                sbctl(module, *command)
    module.exit_json(changed=bool(actions), actions=actions)


if __name__ == "__main__":
    main()
