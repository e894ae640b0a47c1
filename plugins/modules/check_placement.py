#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Check that a compute reaches Placement with its own credentials."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_placement
short_description: Check that a compute reaches Placement with its own credentials
version_added: "0.1.0"
description:
  - Logs in to Keystone with what the section C([placement]) of the node's own C(nova.conf) says, takes Placement's
    internal endpoint from the catalog and asks it for the node's resource provider, as nova-compute does.
  - No secret leaves the node, nor stands on a command line.
  - A check that fails is reported in RV(checks) and does not fail the module.
author:
  - novalab contributors (@novalab)
requirements:
  - keystoneauth1 on the node, which nova-compute brings
extends_documentation_fragment:
  - novalab.openstack.nova
options:
  node:
    description: The node's name in the lab, which is also that of its resource provider.
    type: str
    required: true
  timeout:
    description: Seconds to wait for the provider, which a compute that has just registered makes a moment later.
    type: int
    default: 30
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Ask Placement as this compute
  novalab.openstack.check_placement:
    node: compute1
"""

RETURN = r"""
checks:
  description: What was compared.
  type: list
  elements: dict
  returned: always
  sample:
    - {name: placement, node: compute1, expected: "an answer", found: "an answer", ok: true, detail: [], remedy: ""}
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.novalab.openstack.plugins.module_utils import service_database
from ansible_collections.novalab.openstack.plugins.module_utils.checks import Check, result

try:
    from keystoneauth1 import exceptions
    from keystoneauth1.identity import v3
    from keystoneauth1.session import Session

    KEYSTONEAUTH_ERROR = ""
except ImportError as error:
    KEYSTONEAUTH_ERROR = str(error)

OPTIONS = ("auth_url", "username", "password", "project_name", "user_domain_name", "project_domain_name")
# Nova's own default of [placement] valid_interfaces.
INTERFACES = ["internal", "public"]
TIMEOUT_SECONDS = 15
POLL_SECONDS = 0.5


def remedy(error: Exception) -> str:
    """What to do about a refusal of Keystone or Placement."""
    if isinstance(error, exceptions.Unauthorized):
        return "Keystone refused the user and password of [placement] in nova.conf: set them right with 'labctl up'"
    if isinstance(error, exceptions.Forbidden):
        return "the user of [placement] lacks the roles admin or service on its project: 'labctl up' assigns them"
    if isinstance(error, exceptions.catalog.CatalogException):
        return "the catalog has no endpoint of Placement in the region of [placement]: 'labctl up' creates it"
    return "look at the units keystone and placement-api on the controller, and whether this node reaches its address"


def ask(values: dict[str, Any], region: str | None, node: str, timeout: float) -> tuple[str, int]:
    """Placement's URL and how many resource providers of the node's name it knows; keystoneauth's errors.

    A compute that has just registered makes its provider a moment later, so none is waited for.
    """
    session = Session(auth=v3.Password(**values), timeout=TIMEOUT_SECONDS)
    endpoint: dict[str, Any] = {"service_type": "placement", "interface": INTERFACES, "region_name": region}
    end = time.monotonic() + timeout
    while True:
        answer = session.get("/resource_providers", params={"name": node}, endpoint_filter=endpoint)
        found = len(answer.json()["resource_providers"])
        if found or time.monotonic() > end:
            return str(session.get_endpoint(**endpoint)), found
        time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "config": {"type": "path", "default": "/etc/nova/nova.conf"},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    if KEYSTONEAUTH_ERROR:
        module.fail_json(msg=missing_required_lib("keystoneauth1"), exception=KEYSTONEAUTH_ERROR)
    node, config = module.params["node"], module.params["config"]
    expected = f"an answer to the user of [placement] in {config}, with one resource provider named {node}"
    try:
        values = {name: service_database.option(config, "placement", name) for name in OPTIONS}
        module.no_log_values.add(values["password"])
        region = service_database.option(config, "placement", "region_name")
    except (KeyError, OSError) as error:
        text = str(error.args[0]) if isinstance(error, KeyError) else str(error)
        module.exit_json(
            **result(
                [Check("placement", node, expected, text, ok=False, remedy="write nova.conf anew with 'labctl up'")]
            )
        )
    try:
        url, providers = ask(values, region, node, module.params["timeout"])
        check = Check(
            "placement",
            node,
            expected,
            f"{providers} at {url} as {values['username']}",
            ok=providers == 1,
            remedy="nova-compute creates its resource provider: see /var/log/nova/nova-compute.log",
        )
    except exceptions.ClientException as error:
        check = Check("placement", node, expected, f"{type(error).__name__}: {error}", ok=False, remedy=remedy(error))
    module.exit_json(**result([check]))


if __name__ == "__main__":
    main()
