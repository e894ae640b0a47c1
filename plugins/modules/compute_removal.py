#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Take computes out of a cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: compute_removal
short_description: Take computes out of a cloud
version_added: "0.1.0"
description:
  - First with O(state=drained), then, when nothing runs on the computes any more, with O(state=absent). Both can be
    repeated, and look for what is still to be done.
  - V(drained) disables C(nova-compute), so that no server comes, and has every server on the computes deleted if
    O(evict) allows it. It refuses otherwise, before anything is changed.
  - V(absent) deletes the services, whereby Nova takes the hosts out of aggregates and deletes the mappings to their
    cell and the resource providers, on all of the releases from Queens on. Nova only logs when Placement keeps a
    provider, so what is left of them is deleted too, and so are Neutron's agents there.
  - C(enabled) takes the first step back, for computes that are to stay after all.
author:
  - novalab contributors (@novalab)
extends_documentation_fragment:
  - novalab.openstack.cloud
  - novalab.openstack.cloud.project
options:
  hosts:
    description: The computes, as they name themselves to Nova.
    type: list
    elements: str
    required: true
  state:
    description: The step.
    type: str
    choices: [drained, absent, enabled]
    required: true
  evict:
    description:
      - Whether servers on the computes may be deleted. Ports that M(novalab.openstack.servers) made for them go too.
    type: bool
    default: false
  dead:
    description:
      - Those of the hosts that do not run. Nova takes a service for up until a minute after its last report, and would
        wait for such a compute to delete its servers; it is told here.
    type: list
    elements: str
    default: []
  networking:
    description: Whether the cloud has Neutron.
    type: bool
    default: true
  timeout:
    description: Seconds to wait for the cloud to answer and for servers to go, each.
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
- name: Have no servers on compute3
  novalab.openstack.compute_removal:
    clouds_file: clouds.yaml
    cloud: lab
    hosts: [compute3]
    state: drained
  delegate_to: localhost
"""

RETURN = r"""
actions:
  description: What was done, in words.
  type: list
  elements: str
  returned: always
  sample: ["disabled nova-compute on compute3"]
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils import cloud

REASON = "novalab: the node is about to leave"
POLL_SECONDS = 0.5
# What Neutron says in the place of a host when OVN's controller has taken its chassis away, as it does when it ends.
NO_CHASSIS = '("Chassis" register deleted)'


@dataclass(frozen=True)
class Service:
    """A C(nova-compute) as Nova lists it."""

    id: str
    host: str
    enabled: bool
    up: bool
    forced_down: bool
    reason: str = ""


@dataclass(frozen=True)
class Server:
    """A server on one of the computes."""

    id: str
    name: str
    host: str


class Cloud:
    """The few calls that are needed."""

    def __init__(self, module: AnsibleModule) -> None:
        self.connection = cloud.connect(module)

    def services(self, hosts: Iterable[str]) -> list[Service]:
        wanted = set(hosts)
        return [
            Service(
                row.id, row.host, row.status == "enabled", row.state == "up", bool(row.is_forced_down),
                row.disabled_reason or "",
            )
            for row in self.connection.compute.services(binary="nova-compute")
            if row.host in wanted
        ]  # fmt: skip

    def enable(self, service: Service) -> None:
        if service.forced_down:
            self.connection.compute.update_service_forced_down(service.id, forced=False)
        self.connection.compute.enable_service(service.id)

    def disable(self, service: Service) -> None:
        self.connection.compute.disable_service(service.id, disabled_reason=REASON)

    def force_down(self, service: Service) -> None:
        self.connection.compute.update_service_forced_down(service.id, forced=True)

    def delete_service(self, service: Service) -> None:
        self.connection.compute.delete_service(service.id)

    def servers(self, hosts: Iterable[str]) -> list[Server]:
        return [
            Server(server.id, server.name, host)
            for host in hosts
            for server in self.connection.compute.servers(details=False, all_projects=True, compute_host=host)
        ]

    def delete_server(self, server: Server) -> None:
        self.connection.compute.delete_server(server.id)

    def marked_ports(self, server: Server) -> list[str]:
        """The ids of a server's ports that were made for it, and that Neutron keeps when it goes."""
        ports = self.connection.network.ports(device_id=server.id, description=cloud.PORT_MARK)
        return [port.id for port in ports]

    def delete_port(self, port_id: str) -> None:
        self.connection.network.delete_port(port_id)

    def providers(self, hosts: Iterable[str]) -> dict[str, str]:
        """The name of each of the hosts' resource providers by its id."""
        wanted = set(hosts)
        found = self.connection.placement.resource_providers()
        return {provider.id: provider.name for provider in found if provider.name in wanted}

    def free_provider(self, provider_id: str) -> list[str]:
        """Delete the allocations that consumers without a server hold there; the consumers."""
        answer = self.connection.placement.get(f"/resource_providers/{provider_id}/allocations")
        cloud.raise_for(answer)
        orphans = [
            consumer
            for consumer in answer.json()["allocations"]
            if self.connection.compute.get(f"/servers/{consumer}").status_code == 404
        ]
        for consumer in orphans:
            cloud.raise_for(self.connection.placement.delete(f"/allocations/{consumer}"))
        return orphans

    def delete_provider(self, provider_id: str) -> None:
        self.connection.placement.delete_resource_provider(provider_id)

    def agents(self, hosts: Iterable[str]) -> dict[str, str]:
        """The agents of the hosts, and those whose chassis is gone, as C(TYPE on HOST) by their id."""
        wanted = {*hosts, NO_CHASSIS}
        found = self.connection.network.agents()
        return {agent.id: f"{agent.agent_type} on {agent.host}" for agent in found if agent.host in wanted}

    def delete_agent(self, agent_id: str) -> None:
        self.connection.network.delete_agent(agent_id)


def by_host(servers: Iterable[Server]) -> str:
    """Servers for a message."""
    hosts: dict[str, list[str]] = {}
    for server in servers:
        hosts.setdefault(server.host, []).append(server.name)
    return "; ".join(f"on {host}: {', '.join(sorted(names))}" for host, names in sorted(hosts.items()))


def drain(
    own: Cloud, hosts: list[str], dead: list[str], *, evict: bool, networking: bool, timeout: int, check: bool
) -> list[str]:
    """Let no server come and have those that are there deleted; what was done. A ValueError says why not."""
    servers = own.servers(hosts)
    if servers and not evict:
        raise ValueError(f"there are servers {by_host(servers)}. Expected: none, or leave to delete them (evict).")
    services = own.services(hosts)
    disable = [service for service in services if service.enabled]
    force = [service for service in services if service.host in dead and not service.forced_down]
    actions = [f"disabled nova-compute on {service.host}" for service in disable]
    actions += [f"told Nova that nova-compute on {service.host} is down" for service in force]
    if check:
        return actions + [f"deleted server {server.name} on {server.host}" for server in servers]
    for service in disable:
        own.disable(service)
    for service in force:
        own.force_down(service)
    servers = own.servers(hosts)  # one that was on its way may have come
    if servers and not evict:
        for service in disable:
            own.enable(service)
        raise ValueError(f"meanwhile servers came {by_host(servers)}. Nova schedules to the computes again.")
    return actions + delete_servers(own, servers, hosts, networking=networking, timeout=timeout)


def delete_servers(own: Cloud, servers: list[Server], hosts: list[str], *, networking: bool, timeout: int) -> list[str]:
    """Delete servers with the ports that were made for them, and wait until they are gone. A ValueError names the rest.

    A compute that has died a moment ago does nothing; Nova finds that out, and then deletes them itself when it is told
    again.
    """
    ports = [port for server in servers for port in (own.marked_ports(server) if networking else [])]
    for server in servers:
        own.delete_server(server)
    end = time.monotonic() + timeout
    told: set[str] = set()
    left = servers
    while left:
        time.sleep(POLL_SECONDS)
        left = own.servers(hosts)
        if left and time.monotonic() > end:
            raise ValueError(f"not gone after {timeout} s are the servers {by_host(left)}")
        for service in own.services(hosts):
            if not service.up and service.host not in told:
                told.add(service.host)
                for server in left:
                    if server.host == service.host:
                        own.delete_server(server)
    for port in ports:
        own.delete_port(port)
    return [f"deleted server {server.name} on {server.host}" for server in servers]


def remove(own: Cloud, hosts: list[str], *, networking: bool, check: bool) -> list[str]:
    """Delete services, what is left of resource providers, and agents; what was done."""
    services, agents = own.services(hosts), own.agents(hosts) if networking else {}
    actions = [f"deleted the service nova-compute on {service.host}" for service in services]
    if not check:
        for service in services:
            own.delete_service(service)
    providers = {} if check and services else own.providers(hosts)
    for provider_id, name in providers.items():
        orphans = [] if check else own.free_provider(provider_id)
        actions += [f"deleted the allocations of {consumer}, which is no server" for consumer in orphans]
        actions.append(f"deleted the resource provider {name}")
        if not check:
            own.delete_provider(provider_id)
    actions += [f"deleted the agent {name}" for name in agents.values()]
    if not check:
        for agent_id in agents:
            own.delete_agent(agent_id)
    return actions


def keep(own: Cloud, hosts: list[str], *, check: bool) -> list[str]:
    """Enable what a drain that did not come to its end has disabled; what was done."""
    services = [service for service in own.services(hosts) if not service.enabled and service.reason == REASON]
    if not check:
        for service in services:
            own.enable(service)
    return [f"enabled nova-compute on {service.host}" for service in services]


def patiently(action: Callable[[], list[str]], timeout: int) -> list[str]:
    """Do something as soon as the cloud answers: after a start of its node that takes a while."""
    end = time.monotonic() + timeout
    while True:
        try:
            return action()
        except cloud.ERRORS as error:
            if not cloud.may_pass(error) or time.monotonic() > end:
                raise
            time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **cloud.ARGUMENTS,
            "hosts": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["drained", "absent", "enabled"], "required": True},
            "evict": {"type": "bool", "default": False},
            "dead": {"type": "list", "elements": "str", "default": []},
            "networking": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given = module.params
    check = module.check_mode

    def act() -> list[str]:
        own = Cloud(module)
        if given["state"] == "drained":
            return drain(
                own, given["hosts"], given["dead"],
                evict=given["evict"], networking=given["networking"], timeout=given["timeout"], check=check,
            )  # fmt: skip
        if given["state"] == "enabled":
            return keep(own, given["hosts"], check=check)
        return remove(own, given["hosts"], networking=given["networking"], check=check)

    try:
        actions = patiently(act, given["timeout"])
    except (*cloud.ERRORS, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(actions), actions=actions)


if __name__ == "__main__":
    main()
