#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""A set of servers, each on the compute that it is meant for."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: servers
short_description: Keep a set of servers, each on a compute of its own
version_added: "0.1.0"
description:
  - Makes the servers that are missing, all at once and without waiting for them, each on a port of the same name. The
    ports come first, so that the addresses of all are known when the first one starts, and stay when a server is
    replaced.
  - With C(user_data) containing the word V(ADDRESSES), that word stands for the addresses of all the others.
  - Starts servers that are shut off, also those that Nova still takes for active after a restart of their compute.
    Replaces servers in status V(ERROR), and those that know other addresses.
  - C(openstack.cloud.server) makes one server at a time, and cannot ask the scheduler for a host, only force one on it,
    in which case no filter says that the host is down.
author:
  - novalab contributors (@novalab)
extends_documentation_fragment:
  - novalab.openstack.cloud
options:
  project:
    description: The project of the servers, in which the user must have a role.
    type: str
  servers:
    description: The servers. Others are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The server's name, and its port's.
        type: str
        required: true
      host:
        description: The compute. Needed unless O(state=absent).
        type: str
  image:
    description: Name or id of the image.
    type: str
  flavor:
    description: Name or id of the flavor.
    type: str
  network:
    description: Name or id of the network.
    type: str
  security_group:
    description: Name or id of the security group of the ports.
    type: str
  key_name:
    description: The key pair's name.
    type: str
  user_data:
    description: A script for the servers.
    type: str
    default: ""
  state:
    description: Whether the servers and their ports are to be there. V(absent) waits until they are gone.
    type: str
    choices: [present, absent]
    default: present
  timeout:
    description: Seconds to wait for servers that are to go.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    description: Says what would be done and does nothing.
  diff_mode:
    support: none
    description: The actions say what is done.
"""

EXAMPLES = r"""
- name: One server on each compute
  novalab.openstack.servers:
    clouds_file: clouds.yaml
    cloud: lab
    servers:
      - {name: demo-compute1, host: compute1}
      - {name: demo-compute2, host: compute2}
    image: novalab-guest
    flavor: demo
    network: lab
  delegate_to: localhost
"""

RETURN = r"""
servers:
  description: Name, id, host asked for and address of each server.
  type: list
  elements: dict
  returned: when O(state=present), and not in check mode
  sample: [{name: demo-compute1, id: 94b5..., host: compute1, address: 172.24.4.17, neighbours: [172.24.4.23]}]
actions:
  description: What was done, in words.
  type: list
  elements: str
  returned: always
  sample: ["replaced demo-compute1: it was in status ERROR: No valid host was found."]
"""

import base64
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils import cloud

# The first version whose requests may name a host.
HOST_MICROVERSION = "2.74"
POLL_SECONDS = 0.5
PLACEHOLDER = "ADDRESSES"


def verdict(server: dict[str, Any], user_data: str, *, runs: bool = True) -> tuple[str, str]:
    """What is to be done with a server that is there, and why: V(keep), V(start), V(reboot) or V(replace).

    C(runs) is what its compute says, since for a while after a restart of the compute Nova takes it for active.
    """
    status = server["status"]
    if status == "ERROR":
        fault = cloud.fault(server)
        return "replace", f"it was in status ERROR{f': {fault}' if fault else ''}"
    if decoded(server.get("OS-EXT-SRV-ATTR:user_data")) != user_data:
        return "replace", "it was made for other neighbours"
    if status == "SHUTOFF":
        return "start", "it was shut off"
    if status == "ACTIVE" and not runs:
        return "reboot", "its machine was off"
    return "keep", ""


def decoded(user_data: str | None) -> str:
    """User data as a text."""
    return base64.b64decode(user_data or "").decode(errors="replace")


def script(template: str, addresses: list[str]) -> str:
    """The user data of a server with these neighbours."""
    return template.replace(PLACEHOLDER, " ".join(addresses))


class Cloud:
    """The few calls that are needed, as Nova and Neutron answer them."""

    def __init__(self, module: AnsibleModule) -> None:
        self.connection = cloud.connect(module)

    def id(self, kind: str, name: str) -> str:
        """The id of a flavor, image, network or security group. An SDKException names it when it is not there."""
        service = {"flavor": "compute", "image": "image"}.get(kind, "network")
        arguments = {"project_id": self.connection.current_project_id} if kind == "security_group" else {}
        found = getattr(getattr(self.connection, service), f"find_{kind}")(name, ignore_missing=False, **arguments)
        return str(found.id)

    def servers(self, names: set[str]) -> dict[str, dict[str, Any]]:
        listed = self._get("/servers/detail")["servers"]
        # The list has no faults.
        found = [
            self._get(f"/servers/{server['id']}")["server"] if server["status"] == "ERROR" else server
            for server in listed
            if server["name"] in names
        ]
        return {server["name"]: server for server in found}

    def _get(self, path: str) -> dict[str, Any]:
        answer = self.connection.compute.get(path, microversion=HOST_MICROVERSION)
        cloud.raise_for(answer)
        document: dict[str, Any] = answer.json()
        return document

    def ports(self, names: set[str]) -> dict[str, Any]:
        project = self.connection.current_project_id
        return {port.name: port for port in self.connection.network.ports(project_id=project) if port.name in names}

    def make_port(self, name: str, network: str, security_groups: list[str]) -> Any:
        return self.connection.network.create_port(
            name=name, network_id=network, security_group_ids=security_groups, description=cloud.PORT_MARK
        )

    def make_server(self, **body: Any) -> str:
        answer = self.connection.compute.post("/servers", json={"server": body}, microversion=HOST_MICROVERSION)
        cloud.raise_for(answer)
        return str(answer.json()["server"]["id"])

    def runs(self, server_id: str) -> bool:
        """Whether the machine is on; Nova has no diagnostics of one that is off (status 409)."""
        return bool(self.connection.compute.get(f"/servers/{server_id}/diagnostics").status_code != 409)

    def start(self, server_id: str) -> None:
        self.connection.compute.start_server(server_id)

    def reboot(self, server_id: str) -> None:
        self.connection.compute.reboot_server(server_id, "HARD")

    def delete(self, server_ids: list[str], timeout: int) -> None:
        """Delete servers and wait until they are gone, also from Placement; a TimeoutError names what stays."""
        for server_id in server_ids:
            self.connection.compute.delete_server(server_id)
        end = time.monotonic() + timeout
        left = list(server_ids)
        while left := [server_id for server_id in left if self._is_there(server_id)]:
            if time.monotonic() > end:
                raise TimeoutError(f"not gone after {timeout} s: {', '.join(left)}")
            time.sleep(POLL_SECONDS)

    def _is_there(self, server_id: str) -> bool:
        if self.connection.compute.get(f"/servers/{server_id}").status_code != 404:
            return True
        return bool(self.connection.placement.get(f"/allocations/{server_id}").json().get("allocations"))

    def delete_port(self, port: Any) -> None:
        self.connection.network.delete_port(port)


def settled(cloud_: Cloud, names: set[str], timeout: int) -> dict[str, dict[str, Any]]:
    """The servers once Nova has finished what it does with them of its own accord, such as stopping one that was off.

    A TimeoutError names those with which it does not finish. One that is being built is somebody else's to wait for.
    """
    end = time.monotonic() + timeout
    while True:
        there = cloud_.servers(names)
        busy = {
            name: server["OS-EXT-STS:task_state"]
            for name, server in there.items()
            if server["status"] not in ("BUILD", "ERROR") and server.get("OS-EXT-STS:task_state")
        }
        if not busy:
            return there
        if time.monotonic() > end:
            raise TimeoutError(f"busy for {timeout} s: {', '.join(f'{name} ({task})' for name, task in busy.items())}")
        time.sleep(POLL_SECONDS)


def judged(cloud_: Cloud, server: dict[str, Any], user_data: str) -> tuple[str, str]:
    """The verdict on a server, with what its compute says."""
    runs = server["status"] != "ACTIVE" or cloud_.runs(server["id"])
    return verdict(server, user_data, runs=runs)


def power_on(cloud_: Cloud, server: dict[str, Any], what: str, user_data: str, timeout: int) -> None:
    """Start or reboot a server. If Nova has begun to change it meanwhile, which it says by 409, it is judged again."""
    end = time.monotonic() + timeout
    while what in ("start", "reboot"):
        try:
            (cloud_.start if what == "start" else cloud_.reboot)(server["id"])
        except cloud.ERRORS as error:
            if not cloud.is_conflict(error) or time.monotonic() > end:
                raise
            time.sleep(POLL_SECONDS)
            server = settled(cloud_, {server["name"]}, timeout)[server["name"]]
            what = judged(cloud_, server, user_data)[0]
        else:
            return


def present(cloud_: Cloud, parameters: dict[str, Any], *, check: bool) -> tuple[list[str], list[dict[str, Any]]]:
    """Make what is missing; what was done, and the servers as they are now (none of them in check mode)."""
    hosts = {server["name"]: server["host"] for server in parameters["servers"]}
    there = settled(cloud_, set(hosts), parameters["timeout"])
    ports = cloud_.ports(set(hosts))
    if check and set(hosts) - set(ports):
        return [f"make {name}" for name in hosts if name not in there], []
    ids = {kind: cloud_.id(kind, parameters[kind]) for kind in ("image", "flavor", "network")}
    groups = [cloud_.id("security_group", parameters["security_group"])] if parameters["security_group"] else []
    for name in hosts:
        if name not in ports:
            ports[name] = cloud_.make_port(name, ids["network"], groups)
    addresses = {name: ports[name].fixed_ips[0]["ip_address"] for name in hosts}
    neighbours = {name: [address for other, address in addresses.items() if other != name] for name in hosts}
    scripts = {name: script(parameters["user_data"], neighbours[name]) for name in hosts}

    verdicts = {name: judged(cloud_, server, scripts[name]) for name, server in there.items()}
    actions = [f"{what} {name}: {why}" for name, (what, why) in verdicts.items() if what != "keep"]
    actions += [f"make {name}" for name in hosts if name not in there]
    if check:
        return actions, []
    cloud_.delete(
        [there[name]["id"] for name, (what, _reason) in verdicts.items() if what == "replace"], parameters["timeout"]
    )
    result = []
    for name, host in hosts.items():
        what = verdicts.get(name, ("replace", ""))[0]
        server_id = there[name]["id"] if name in there else ""
        if what in ("start", "reboot"):
            power_on(cloud_, there[name], what, scripts[name], parameters["timeout"])
        elif what == "replace":
            server_id = cloud_.make_server(
                name=name,
                host=host,
                imageRef=ids["image"],
                flavorRef=ids["flavor"],
                networks=[{"port": ports[name].id}],
                **({"key_name": parameters["key_name"]} if parameters["key_name"] else {}),
                **({"user_data": base64.b64encode(scripts[name].encode()).decode()} if scripts[name] else {}),
            )
        result.append(
            {
                "name": name,
                "id": server_id,
                "host": host,
                "address": addresses[name],
                "neighbours": neighbours[name],
            }
        )
    return actions, result


def absent(cloud_: Cloud, names: set[str], timeout: int, *, check: bool) -> list[str]:
    """Remove servers, then ports; what was done. Removing a server leaves a port that was there before it."""
    servers, ports = cloud_.servers(names), cloud_.ports(names)
    actions = [f"delete server {name}" for name in servers] + [f"delete port {name}" for name in ports]
    if not check:
        cloud_.delete([server["id"] for server in servers.values()], timeout)
        for port in ports.values():
            cloud_.delete_port(port)
    return actions


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **cloud.ARGUMENTS,
            "servers": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"name": {"type": "str", "required": True}, "host": {"type": "str"}},
            },
            "image": {"type": "str"},
            "flavor": {"type": "str"},
            "network": {"type": "str"},
            "security_group": {"type": "str"},
            "key_name": {"type": "str", "no_log": False},
            "user_data": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "timeout": {"type": "int", "default": 120},
        },
        required_if=[("state", "present", ("image", "flavor", "network"))],
        supports_check_mode=True,
    )
    parameters = module.params
    try:
        own = Cloud(module)
        if parameters["state"] == "absent":
            names = {server["name"] for server in parameters["servers"]}
            actions = absent(own, names, parameters["timeout"], check=module.check_mode)
            module.exit_json(changed=bool(actions), actions=actions)
        if homeless := [server["name"] for server in parameters["servers"] if not server["host"]]:
            module.fail_json(msg=f"expected a host for every server, found none for {', '.join(homeless)}")
        actions, servers = present(own, parameters, check=module.check_mode)
    except (*cloud.ERRORS, TimeoutError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(actions), actions=actions, servers=servers)


if __name__ == "__main__":
    main()
