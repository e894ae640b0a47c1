#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Wait for servers: for a status, then for what their guests say on their consoles."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: server_wait
short_description: Wait until servers are active and their guests have said what they are to say
version_added: "0.1.0"
description:
  - Asks for all servers at once until each is in status V(ACTIVE), and until the console of each holds every text that
    is expected of it.
  - Ends at once when a server goes into status V(ERROR), or says a text of C(bad). RV(late) then names the servers that
    are not ready.
author:
  - novalab contributors (@novalab)
extends_documentation_fragment:
  - novalab.openstack.cloud
  - novalab.openstack.cloud.project
options:
  servers:
    description: The servers.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The server's name, for messages.
        type: str
        required: true
      id:
        description: The server's id.
        type: str
        required: true
      texts:
        description: What must be in the console's log.
        type: list
        elements: str
        default: []
      bad:
        description: What must not be in it.
        type: list
        elements: str
        default: []
  console:
    description: Also ask for the URL of each console.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for all of them together.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Wait for a guest
  novalab.openstack.server_wait:
    clouds_file: clouds.yaml
    cloud: lab
    servers:
      - {name: demo-compute1, id: 940d6574-d2f7-471c-a122-3406e132935d, texts: ["guest ready"]}
  delegate_to: localhost
"""

RETURN = r"""
servers:
  description: Name, id, status, host, addresses and console URL of each server.
  type: list
  elements: dict
  returned: success
  sample: [{name: demo-compute1, status: ACTIVE, host: compute1, addresses: [172.24.4.17], console: "http://..."}]
late:
  description: The ids of the servers that are not ready.
  type: list
  elements: str
  returned: failure
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils import cloud

POLL_SECONDS = 1.0


def state_of(server: dict[str, Any], wanted: dict[str, Any], console: str) -> tuple[str, bool]:
    """What a server lacks, in words, and whether that is final; no words when it is ready."""
    name, status = wanted["name"], server["status"]
    if status == "ERROR":
        return f"{name} is in status ERROR: {cloud.fault(server) or 'without a message'}", True
    if status != "ACTIVE":
        task = server.get("OS-EXT-STS:task_state")
        return f"{name} is in status {status}{f' ({task})' if task else ''}", False
    if said := [text for text in wanted["bad"] if text in console]:
        return f"{name} says on its console: {'; '.join(said)}", True
    if missing := [text for text in wanted["texts"] if text not in console]:
        return f"{name} is ACTIVE and has not said on its console: {'; '.join(missing)}", False
    return "", False


def summary(server: dict[str, Any], console_url: str) -> dict[str, Any]:
    """What people want to know of a server."""
    return {
        "name": server["name"],
        "id": server["id"],
        "status": server["status"],
        "host": server.get("OS-EXT-SRV-ATTR:host"),
        "addresses": [entry["addr"] for entries in server["addresses"].values() for entry in entries],
        "console": console_url,
    }


class Cloud:
    """The calls of Nova that are needed."""

    def __init__(self, module: AnsibleModule) -> None:
        self.compute = cloud.connect(module).compute

    def server(self, server_id: str) -> dict[str, Any]:
        answer = self.compute.get(f"/servers/{server_id}")
        cloud.raise_for(answer)
        server: dict[str, Any] = answer.json()["server"]
        return server

    def console(self, server_id: str) -> str:
        """The console's log; empty while there is none (404, or 409 while the server is being made)."""
        answer = self.compute.post(f"/servers/{server_id}/action", json={"os-getConsoleOutput": {}})
        if answer.status_code in (404, 409):
            return ""
        cloud.raise_for(answer)
        return str(answer.json()["output"] or "")

    def console_url(self, server_id: str) -> str:
        return str(self.compute.create_server_remote_console(server_id, protocol="vnc", type="novnc").url)


def wait(cloud_: Cloud, servers: list[dict[str, Any]], timeout: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Ask until all are ready, one of them cannot become so, or the time is up: servers, and what is wrong by id.

    A server that was ready once is not asked again.
    """
    end = time.monotonic() + timeout
    ready: dict[str, dict[str, Any]] = {}
    while True:
        problems: dict[str, str] = {}
        over = False
        for wanted in servers:
            if wanted["id"] in ready:
                continue
            server = cloud_.server(wanted["id"])
            asks = server["status"] == "ACTIVE" and (wanted["texts"] or wanted["bad"])
            problem, final = state_of(server, wanted, cloud_.console(wanted["id"]) if asks else "")
            if problem:
                problems[wanted["id"]] = problem
            else:
                ready[wanted["id"]] = server
            over = over or final
        if not problems or over or time.monotonic() > end:
            return [ready[wanted["id"]] for wanted in servers if wanted["id"] in ready], problems
        time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **cloud.ARGUMENTS,
            "servers": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "id": {"type": "str", "required": True},
                    "texts": {"type": "list", "elements": "str", "default": []},
                    "bad": {"type": "list", "elements": "str", "default": []},
                },
            },
            "console": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    try:
        own = Cloud(module)
        servers, problems = wait(own, parameters["servers"], parameters["timeout"])
        if problems:
            module.fail_json(
                msg=f"not ready (waited at most {parameters['timeout']} s): " + "\n".join(problems.values()),
                late=list(problems),
            )
        urls = {server["id"]: own.console_url(server["id"]) if parameters["console"] else "" for server in servers}
    except cloud.ERRORS as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, servers=[summary(server, urls[server["id"]]) for server in servers])


if __name__ == "__main__":
    main()
