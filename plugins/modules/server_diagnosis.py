#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What the APIs know that explains why a server is not up."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: server_diagnosis
short_description: Gather what explains why a server is not up
version_added: "0.1.0"
description:
  - Gathers a server's status and fault, what its flavor asks for, what each compute has and has given away in
    Placement, the state of each nova-compute, and what the guest has said on its console.
  - RV(facts) goes to the filter P(novalab.openstack.server_explanation#filter), together with the lines of the logs
    that hold one of RV(words).
author:
  - novalab contributors (@novalab)
extends_documentation_fragment:
  - novalab.openstack.cloud
  - novalab.openstack.cloud.project
options:
  server:
    description: The server's id, or its name in any project.
    type: str
    required: true
  ready:
    description: What a guest says on the console when it is up, by the image's name, as far as that is known.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Find out why
  novalab.openstack.server_diagnosis:
    clouds_file: clouds.yaml
    cloud: lab
    server: demo-compute1
  delegate_to: localhost
"""

RETURN = r"""
facts:
  description: What was found.
  type: dict
  returned: always
words:
  description: The ids by which logs name the server and the requests for it.
  type: list
  elements: str
  returned: always
"""

import datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils import cloud


def asked(flavor: dict[str, Any]) -> dict[str, int]:
    """What a flavor asks of a compute, by Placement's names. Nova rounds what is not a disk of whole GiB up."""
    disk = flavor["disk"] + flavor.get("ephemeral", 0) + -(-int(flavor.get("swap") or 0) // 1024)
    return {"VCPU": flavor["vcpus"], "MEMORY_MB": flavor["ram"], "DISK_GB": disk}


def seconds_since(stamp: str, now: datetime.datetime) -> int:
    """Seconds since one of Nova's timestamps (UTC)."""
    return int((now - datetime.datetime.fromisoformat(stamp)).total_seconds())


def find(servers: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    """The server of an id or a name. A LookupError says which there are, or that a name is not one server's only."""
    found = [server for server in servers if wanted in (server["id"], server["name"])]
    if not found:
        names = ", ".join(sorted(server["name"] for server in servers)) or "none"
        raise LookupError(f"there is no server {wanted!r}; servers: {names}")
    if len(found) > 1:
        raise LookupError(f"{len(found)} servers are named {wanted}: {', '.join(server['id'] for server in found)}")
    return found[0]


class Cloud:
    """What Nova and Placement answer."""

    def __init__(self, module: AnsibleModule) -> None:
        connection = cloud.connect(module)
        self.compute, self.placement, self.image = connection.compute, connection.placement, connection.image

    def get(self, path: str, service: Any = None) -> dict[str, Any]:
        # 2.47 is the first version with what the flavor was when the server was made.
        answer = (service or self.compute).get(path, microversion="1.20" if service else "2.74")
        cloud.raise_for(answer)
        document: dict[str, Any] = answer.json()
        return document

    def server(self, wanted: str) -> dict[str, Any]:
        servers = self.get("/servers/detail?all_tenants=True")["servers"]
        # The list has no faults.
        server: dict[str, Any] = self.get(f"/servers/{find(servers, wanted)['id']}")["server"]
        return server

    def requests(self, server_id: str) -> list[str]:
        actions = self.get(f"/servers/{server_id}/os-instance-actions")["instanceActions"]
        return [action["request_id"] for action in actions]

    def computes(self) -> list[dict[str, Any]]:
        services = self.get("/os-services?binary=nova-compute")["services"]
        keys = ("host", "status", "state", "disabled_reason", "updated_at")
        return [{key: service.get(key) for key in keys} for service in services]

    def providers(self) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
        """Names of the resource providers by id, and inventories with what is used by name."""
        names, inventories = {}, {}
        for provider in self.get("/resource_providers", self.placement)["resource_providers"]:
            path = f"/resource_providers/{provider['uuid']}"
            used = self.get(f"{path}/usages", self.placement)["usages"]
            found = self.get(f"{path}/inventories", self.placement)["inventories"]
            names[provider["uuid"]] = provider["name"]
            inventories[provider["name"]] = {
                resource: {**inventory, "used": used.get(resource, 0)} for resource, inventory in found.items()
            }
        return names, inventories

    def allocated(self, server_id: str) -> list[str]:
        return list(self.get(f"/allocations/{server_id}", self.placement)["allocations"])

    def image_name(self, server: dict[str, Any]) -> str:
        """The name of a server's image, its id when the image is gone, V(none) when it boots from a volume."""
        image_id = (server["image"] or {}).get("id", "none")
        found = self.image.find_image(image_id, ignore_missing=True)
        return str(found.name) if found else image_id

    def console(self, server_id: str) -> str:
        answer = self.compute.post(f"/servers/{server_id}/action", json={"os-getConsoleOutput": {"length": 40}})
        return str(answer.json()["output"] or "") if answer.status_code == 200 else ""


def gather(own: Cloud, wanted: str, ready: dict[str, str], now: datetime.datetime) -> tuple[dict[str, Any], list[str]]:
    """The facts of a server, and the ids by which logs name it."""
    server = own.server(wanted)
    names, inventories = own.providers()
    computes = own.computes()
    image = own.image_name(server)
    alive = any(service["host"] == server["OS-EXT-SRV-ATTR:host"] and service["state"] == "up" for service in computes)
    facts = {
        "name": server["name"],
        "id": server["id"],
        "status": server["status"],
        "task": server["OS-EXT-STS:task_state"],
        "host": server["OS-EXT-SRV-ATTR:host"],
        "image": image,
        "fault": cloud.fault(server),
        "seconds": seconds_since(server["created"], now),
        "asked": asked(server["flavor"]),
        "providers": inventories,
        "allocated": [names[uuid] for uuid in own.allocated(server["id"]) if uuid in names],
        "computes": computes,
        # A compute that is down would keep the question for a minute.
        "console": own.console(server["id"]) if server["status"] == "ACTIVE" and alive else "",
        "ready": ready.get(image, ""),
    }
    return facts, [server["id"], *own.requests(server["id"])]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **cloud.ARGUMENTS,
            "server": {"type": "str", "required": True},
            "ready": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    try:
        now = datetime.datetime.now(datetime.UTC)
        facts, words = gather(Cloud(module), module.params["server"], module.params["ready"], now)
    except (*cloud.ERRORS, LookupError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, facts=facts, words=words)


if __name__ == "__main__":
    main()
