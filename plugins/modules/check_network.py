#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Check what Neutron says of its agents and of the instances' network."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_network
short_description: Check Neutron's agents and the instances' network
version_added: "0.1.0"
description:
  - Compares Neutron's list of agents with the expected set, OVN's controller and the metadata agent on each compute,
    each alive.
  - Compares the subnet of the instances' network with the expected one.
  - Waits for agents that time may still bring.
  - A check that fails is reported in RV(checks) and does not fail the module.
author:
  - novalab contributors (@novalab)
extends_documentation_fragment:
  - novalab.openstack.cloud
options:
  node:
    description: The name of the API's node in the lab.
    type: str
    required: true
  computes:
    description: The hosts of the agents.
    type: list
    elements: str
    required: true
  network:
    description: The name of the instances' network.
    type: str
    required: true
  subnet:
    description: The addresses of its subnet, such as C(172.24.4.0/24).
    type: str
    required: true
  timeout:
    description: Seconds to wait for agents.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Ask Neutron
  novalab.openstack.check_network:
    node: controller
    clouds_file: clouds.yaml
    cloud: lab
    computes: [compute1, compute2]
    network: lab
    subnet: 172.24.4.0/24
  delegate_to: localhost
"""

RETURN = r"""
checks:
  description: What was compared.
  type: list
  elements: dict
  returned: always
  sample:
    - {name: network agents, node: controller, expected: "all on compute1, alive", found: "the same", ok: true}
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils import cloud
from ansible_collections.novalab.openstack.plugins.module_utils.checks import Check, listed, result

# As Neutron's driver for OVN names them.
AGENT_TYPES = ("OVN Controller agent", "OVN Metadata agent")
POLL_SECONDS = 0.5


def compare_agents(computes: list[str], agents: dict[str, bool]) -> list[str]:
    """What differs between the expected agents and those that there are, which are by C(TYPE@HOST), alive or not."""
    wanted = [f"{kind}@{host}" for host in computes for kind in AGENT_TYPES]
    problems = [f"{key} is not in the list" for key in wanted if key not in agents]
    problems += [f"{key} is not alive" for key in wanted if not agents.get(key, True)]
    return problems + [f"{key} is not of this lab" for key in agents if key not in wanted]


def wait_for_agents(connection: Any, computes: list[str], timeout: int) -> tuple[dict[str, bool], list[str]]:
    """Ask until the agents are as expected or the time is up."""
    end = time.monotonic() + timeout
    while True:
        agents = {f"{agent.agent_type}@{agent.host}": bool(agent.is_alive) for agent in connection.network.agents()}
        problems = compare_agents(computes, agents)
        if not problems or time.monotonic() > end:
            return agents, problems
        time.sleep(POLL_SECONDS)


def compare_subnets(wanted: str, found: list[str] | None) -> str:
    """What differs between the subnet and those of the network, None when there is no network. Empty for nothing."""
    if found is None:
        return "there is no such network"
    return "" if found == [wanted] else f"its subnets are: {listed(found) or 'none'}"


def check(module: AnsibleModule) -> list[Check]:
    """Ask Neutron. Raises the exceptions of cloud.ERRORS."""
    parameters = module.params
    node, computes, network = parameters["node"], parameters["computes"], parameters["network"]
    connection = cloud.connect(module)
    agents, problems = wait_for_agents(connection, computes, parameters["timeout"])
    found = connection.network.find_network(network)
    subnets = None if found is None else sorted(s.cidr for s in connection.network.subnets(network_id=found.id))
    difference = compare_subnets(parameters["subnet"], subnets)
    return [
        Check(
            "network agents",
            node,
            f"{listed(AGENT_TYPES)} on {listed(computes)}, alive",
            "; ".join(problems) or "the same",
            ok=not problems,
            detail=tuple(f"{key}: {'alive' if alive else 'not alive'}" for key, alive in sorted(agents.items())),
            remedy="look at the units ovn-controller and neutron-ovn-metadata-agent on that compute",
        ),
        Check(
            "instances' network",
            node,
            f"network {network} with subnet {parameters['subnet']}",
            difference or "the same",
            ok=not difference,
            remedy="'labctl up' makes it when it is missing",
        ),
    ]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "clouds_file": {"type": "path", "required": True},
            "cloud": {"type": "str", "required": True},
            "computes": {"type": "list", "elements": "str", "required": True},
            "network": {"type": "str", "required": True},
            "subnet": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        checks = check(module)
    except cloud.ERRORS as error:
        checks = [
            Check(
                "network agents",
                module.params["node"],
                "Neutron answers",
                f"{type(error).__name__}: {error}",
                ok=False,
                remedy=f"look at the unit neutron-api and at {module.params['clouds_file']}",
            )
        ]
    module.exit_json(**result(checks))


if __name__ == "__main__":
    main()
