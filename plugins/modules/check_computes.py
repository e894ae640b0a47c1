#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Check what the cloud itself says of its services and computes."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_computes
short_description: Check what the cloud says of its services and computes
version_added: "0.1.0"
description:
  - Compares Nova's list of services with the expected set, each enabled, up, and seen since its process started. After
    a restart a service counts as up for a minute on the strength of what it said before.
  - Compares Placement's resource providers and their inventories with the expected computes.
  - Waits for what time may still bring. What a report or a first inventory cannot repair is told of at once.
  - A check that fails is reported in RV(checks) and does not fail the module.
author:
  - novalab contributors (@novalab)
extends_documentation_fragment:
  - novalab.openstack.cloud
options:
  node:
    description: The name of the APIs' node in the lab.
    type: str
    required: true
  services:
    description: The services, no more and no less.
    type: list
    elements: dict
    required: true
    suboptions:
      binary:
        description: The service's name.
        type: str
        required: true
      host:
        description: The host that it runs on.
        type: str
        required: true
      since:
        description: When its process started, in seconds since the epoch. It must have reported since.
        type: float
        default: 0
  computes:
    description: The hosts with a resource provider of the same name.
    type: list
    elements: str
    required: true
  registered:
    description:
      - When services registered for the first time, in seconds since the epoch, by binary and host, as the module
        check_node returns it. Who registers after its start has reported since, ten seconds before its first report.
    type: dict
    default: {}
  timeout:
    description: Seconds to wait for reports and inventories. A service reports every 10 seconds (C(report_interval)).
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
- name: Ask the cloud
  novalab.openstack.check_computes:
    node: controller
    clouds_file: clouds.yaml
    cloud: lab
    services:
      - {binary: nova-scheduler, host: controller}
      - {binary: nova-conductor, host: controller}
      - {binary: nova-compute, host: compute1}
    computes: [compute1]
  delegate_to: localhost
"""

RETURN = r"""
checks:
  description: What was compared.
  type: list
  elements: dict
  returned: always
  sample:
    - {name: services, node: controller, expected: "nova-compute@compute1 up", found: "the same", ok: true}
"""

import datetime
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils import cloud
from ansible_collections.novalab.openstack.plugins.module_utils.checks import Check, listed, result

if TYPE_CHECKING:
    from collections.abc import Iterable

RESOURCES = ("VCPU", "MEMORY_MB", "DISK_GB")
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Row:
    """One row of the service list; C(seen) in seconds since the epoch, 0.0 when the service has not reported yet."""

    binary: str
    host: str
    status: str
    state: str
    seen: float

    @property
    def key(self) -> str:
        return f"{self.binary}@{self.host}"


@dataclass(frozen=True)
class Problem:
    """What is wrong; C(lasting) if waiting cannot help."""

    text: str
    lasting: bool = False


def seconds(stamp: str | None) -> float:
    """Nova's timestamps are UTC without a zone, in whole seconds or with zeros behind the point."""
    if not stamp:
        return 0.0
    moment = datetime.datetime.fromisoformat(stamp.removesuffix("Z").partition(".")[0])
    return moment.replace(tzinfo=datetime.UTC).timestamp()


def compare_services(
    expected: list[dict[str, Any]], rows: list[Row], registered: dict[str, float] | None = None
) -> list[Problem]:
    """What differs between the expected services and the rows. To register counts as a report."""
    problems = []
    by_key = {row.key: row for row in rows}
    wanted = {f"{service['binary']}@{service['host']}": float(service["since"] or 0) for service in expected}
    for key, since in wanted.items():
        row = by_key.get(key)
        if row is None:
            problems.append(Problem(f"{key} is not in the list"))
        elif row.status != "enabled":
            problems.append(Problem(f"{key} is {row.status}", lasting=True))
        elif row.state != "up":
            problems.append(Problem(f"{key} is {row.state}"))
        elif since and max(row.seen, (registered or {}).get(key, 0.0)) <= since:
            problems.append(Problem(f"{key} says up, but has not reported since it was started"))
    problems += [Problem(f"{row.key} is not of this lab", lasting=True) for row in rows if row.key not in wanted]
    return problems


def compare_providers(computes: list[str], inventories: dict[str, dict[str, int]]) -> list[Problem]:
    """What differs between the computes and the resource providers with their totals."""
    problems = []
    for host in computes:
        if host not in inventories:
            problems.append(Problem(f"no resource provider {host}"))
            continue
        lacking = [name for name in RESOURCES if not inventories[host].get(name)]
        if lacking:
            problems.append(Problem(f"resource provider {host} has no {listed(lacking)}"))
    others = sorted(set(inventories) - set(computes))
    return problems + [Problem(f"resource provider {name} is not of this lab", lasting=True) for name in others]


class Cloud:
    """The two lists, by the SDK."""

    def __init__(self, module: AnsibleModule) -> None:
        self.connection = cloud.connect(module)

    def rows(self) -> list[Row]:
        return [
            Row(row.binary, row.host, row.status, row.state, seconds(row.updated_at))
            for row in self.connection.compute.services()
        ]

    def inventories(self) -> dict[str, dict[str, int]]:
        """The totals of each resource provider without a parent: those below belong to it."""
        placement = self.connection.placement
        return {
            provider.name: {
                inventory.resource_class: inventory.total
                for inventory in placement.resource_provider_inventories(provider)
            }
            for provider in placement.resource_providers()
            if not provider.parent_provider_id
        }


def settled(problems: Iterable[Problem]) -> bool:
    """Whether there is nothing more to wait for."""
    problems = list(problems)
    return not problems or any(problem.lasting for problem in problems)


def wait(
    lists: Cloud, services: list[dict[str, Any]], computes: list[str], registered: dict[str, float], timeout: int
) -> tuple[list[Row], list[Problem], dict[str, dict[str, int]], list[Problem]]:
    """Ask until both lists are as expected, or cannot become so, or the time is up."""
    end = time.monotonic() + timeout
    while True:
        rows = lists.rows()
        wrong_rows = compare_services(services, rows, registered)
        inventories = lists.inventories()
        wrong_providers = compare_providers(computes, inventories)
        if settled([*wrong_rows, *wrong_providers]) or time.monotonic() > end:
            return rows, wrong_rows, inventories, wrong_providers
        time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "clouds_file": {"type": "path", "required": True},
            "cloud": {"type": "str", "required": True},
            "services": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "binary": {"type": "str", "required": True},
                    "host": {"type": "str", "required": True},
                    "since": {"type": "float", "default": 0},
                },
            },
            "computes": {"type": "list", "elements": "str", "required": True},
            "registered": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    node, services, computes = parameters["node"], parameters["services"], parameters["computes"]
    clouds_file = parameters["clouds_file"]
    names = listed(f"{service['binary']}@{service['host']}" for service in services)
    try:
        rows, wrong_rows, inventories, wrong_providers = wait(
            Cloud(module), services, computes, parameters["registered"], parameters["timeout"]
        )
    except cloud.ERRORS as error:
        module.exit_json(
            **result(
                [
                    Check(
                        "compute services",
                        node,
                        f"{names}, enabled and up",
                        f"{type(error).__name__}: {error}",
                        ok=False,
                        remedy=f"look at the units keystone, nova-api and placement-api and at {clouds_file}",
                    )
                ]
            )
        )
    module.exit_json(
        **result(
            [
                Check(
                    "compute services",
                    node,
                    f"{names}, enabled, up and seen since their start",
                    "; ".join(problem.text for problem in wrong_rows) or "the same",
                    ok=not wrong_rows,
                    detail=tuple(f"row: {row.key} {row.status} {row.state}" for row in rows),
                    remedy="look at the service's log on its host; 'openstack compute service delete ID' removes a row",
                ),
                Check(
                    "resource providers",
                    node,
                    f"{listed(computes)}, each with {listed(RESOURCES)}",
                    "; ".join(problem.text for problem in wrong_providers)
                    or "; ".join(
                        f"{name} {' '.join(f'{key}={totals[key]}' for key in RESOURCES)}"
                        for name, totals in sorted(inventories.items())
                    ),
                    ok=not wrong_providers,
                    remedy="nova-compute creates its provider and inventory: see /var/log/nova/nova-compute.log there",
                ),
            ]
        )
    )


if __name__ == "__main__":
    main()
