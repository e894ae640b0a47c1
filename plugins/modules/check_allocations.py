#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Check that Placement and Neutron keep nothing of instances that are gone."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_allocations
short_description: Check that Placement and Neutron keep nothing of instances that are gone
version_added: "0.1.0"
description:
  - Compares the consumers of Placement's allocations and the owners of Neutron's ports with the instances that Nova
    knows, in all projects.
  - A check that fails is reported in RV(checks) and does not fail the module.
author:
  - novalab contributors (@novalab)
extends_documentation_fragment:
  - novalab.openstack.cloud
  - novalab.openstack.cloud.project
options:
  node:
    description: The name of the APIs' node in the lab.
    type: str
    required: true
  port_names:
    description: Names of ports that must be gone, whoever owns them.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Look for what instances have left behind
  novalab.openstack.check_allocations:
    node: controller
    clouds_file: clouds.yaml
    cloud: lab
  delegate_to: localhost
"""

RETURN = r"""
checks:
  description: What was compared.
  type: list
  elements: dict
  returned: always
instances:
  description: The ids of all instances.
  type: list
  elements: str
  returned: success
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils import cloud
from ansible_collections.novalab.openstack.plugins.module_utils.checks import Check, listed, result


def check_consumers(node: str, consumers: dict[str, str], instances: set[str]) -> Check:
    """Whether every allocation is an instance's. C(consumers) has the provider of each consumer."""
    orphans = [f"{consumer} on {provider}" for consumer, provider in consumers.items() if consumer not in instances]
    return Check(
        "allocations",
        node,
        "none without an instance",
        listed(orphans) if orphans else "none",
        ok=not orphans,
        remedy="on the controller: nova-manage placement heal_allocations, or openstack resource provider allocation "
        "delete ID",
    )


def check_ports(node: str, ports: list[dict[str, Any]], instances: set[str], names: list[str]) -> Check:
    """Whether every port that a compute owns is an instance's, and none has a name that must be gone."""
    orphans = [
        port["id"]
        for port in ports
        if port["name"] in names or (port["device_owner"].startswith("compute:") and port["device_id"] not in instances)
    ]
    return Check(
        "ports",
        node,
        "none without an instance",
        listed(orphans) if orphans else "none",
        ok=not orphans,
        remedy="openstack port delete ID",
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **cloud.ARGUMENTS,
            "node": {"type": "str", "required": True},
            "port_names": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    node = module.params["node"]
    try:
        connection = cloud.connect(module)
        instances = {server.id for server in connection.compute.servers(details=False, all_projects=True)}
        consumers = {}
        for provider in connection.placement.resource_providers():
            answer = connection.placement.get(f"/resource_providers/{provider.id}/allocations")
            cloud.raise_for(answer)
            consumers.update(dict.fromkeys(answer.json()["allocations"], provider.name))
        ports = [
            {"id": port.id, "name": port.name, "device_owner": port.device_owner or "", "device_id": port.device_id}
            for port in connection.network.ports()
        ]
    except cloud.ERRORS as error:
        module.fail_json(msg=str(error))
    checks = [
        check_consumers(node, consumers, instances),
        check_ports(node, ports, instances, module.params["port_names"]),
    ]
    module.exit_json(**result(checks, instances=sorted(instances)))


if __name__ == "__main__":
    main()
