#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Wait for Nova's computes to register, and map them to their cell."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nova_host_discovery
short_description: Wait for Nova's computes to register, and map them to their cell
version_added: "0.1.0"
description:
  - Waits until all expected hosts have registered in the cell's database, runs C(nova-manage cell_v2 discover_hosts)
    once, and compares the mapped hosts with the expected ones. A discovery that runs earlier misses hosts without a
    word.
  - Costs one query when all hosts are mapped already.
author:
  - novalab contributors (@novalab)
requirements:
  - PyMySQL on the node
extends_documentation_fragment:
  - novalab.openstack.nova
options:
  hosts:
    description: The expected compute hosts, as they name themselves to Nova.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds to wait for hosts to register.
    type: int
    default: 120
  fail:
    description: Whether missing hosts fail the module, or are only returned, for a caller that has more to say of them.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Says which hosts would be mapped.
  diff_mode:
    support: full
    description: Shows the mapped hosts before and after.
"""

EXAMPLES = r"""
- name: Map the computes
  novalab.openstack.nova_host_discovery:
    hosts: [compute1, compute2]
"""

RETURN = r"""
mapped:
  description: The cell of each mapped host.
  type: dict
  returned: always
  sample: {"compute1": "cell1", "compute2": "cell1"}
newly_mapped:
  description: The hosts that were mapped by this call.
  type: list
  elements: str
  returned: always
  sample: [compute2]
missing:
  description: Expected hosts that are not mapped, for whatever reason.
  type: list
  elements: str
  returned: always
  sample: []
unregistered:
  description: Expected hosts whose nova-compute has not registered.
  type: list
  elements: str
  returned: always
  sample: []
"""

import time
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.novalab.openstack.plugins.module_utils import nova_manage, service_database

# By service, because a host whose mapping was lost counts as mapped in its compute node's row.
COMMAND = ["cell_v2", "discover_hosts", "--by-service"]
POLL_SECONDS = 0.25
COLLISION = 2
ATTEMPTS = 3


def wait(found: Callable[[Any], set[str]], connection: Any, hosts: set[str], end: float) -> set[str]:
    """Wait until all hosts are found; those that are not in time."""
    while True:
        lacking: set[str] = hosts - found(connection)
        if not lacking or time.monotonic() > end:
            return lacking
        time.sleep(POLL_SECONDS)


def discover(module: AnsibleModule, prepared: nova_manage.Prepared) -> None:
    """Map what has registered; another discovery at the same time makes it end with status 2, then once more."""
    if prepared.run((0, COLLISION)) == 0:
        return
    for attempt in range(2, ATTEMPTS + 1):
        accept = (0, COLLISION) if attempt < ATTEMPTS else (0,)
        if nova_manage.manage(module, COMMAND, accept)[0] == 0:
            return


def register(module: AnsibleModule, hosts: set[str], url: str) -> set[str]:
    """Map the hosts as soon as they have registered; those that have not, service and compute node, in time.

    nova-manage begins while the computes do, and maps while they look at what they have.
    """
    end = time.monotonic() + module.params["timeout"]
    prepared = nova_manage.Prepared(module, COMMAND)
    connection = service_database.connect(url)
    wait(nova_manage.compute_services, connection, hosts, end)
    discover(module, prepared)
    return wait(nova_manage.registered_computes, connection, hosts, end)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "hosts": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "int", "default": 120},
            "fail": {"type": "bool", "default": True},
            "config": {"type": "path", "default": "/etc/nova/nova.conf"},
        },
        supports_check_mode=True,
    )
    if service_database.PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=service_database.PYMYSQL_ERROR)
    expected = set(module.params["hosts"])
    config = module.params["config"]
    unregistered: set[str] = set()
    try:
        api = service_database.connect(service_database.option(config, "api_database", "connection"))
        before = nova_manage.mapped_hosts(api)
        after = before
        if not expected <= set(before) and not module.check_mode:
            url = service_database.option(config, "database", "connection")
            unregistered = register(module, expected - set(before), url)
            after = nova_manage.mapped_hosts(api)
    except (KeyError, OSError) as error:
        module.fail_json(msg=f"cannot read the databases' URLs: {error}")
    except service_database.pymysql.MySQLError as error:
        module.fail_json(msg=f"Nova's database refused: {error}")
    new = sorted(expected - set(before)) if module.check_mode else sorted(set(after) - set(before))
    missing = [] if module.check_mode else sorted(expected - set(after))
    result = {
        "changed": bool(new),
        "mapped": after,
        "newly_mapped": new,
        "missing": missing,
        "unregistered": sorted(unregistered),
        "diff": {"before": "\n".join(sorted(before)) + "\n", "after": "\n".join(sorted({*before, *new})) + "\n"}
        if new
        else {},
    }
    if missing and module.params["fail"]:
        module.fail_json(
            msg=f"not mapped to a cell: {', '.join(missing)}. Of these, nova-compute has not registered within"
            f" {module.params['timeout']} s on: {', '.join(sorted(unregistered)) or 'none'}.",
            **result,
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
