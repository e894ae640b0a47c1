#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Check a node from the inside: its units, the names of the lab, its clock."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_node
short_description: Check the units, the names and the clock of a node
version_added: "0.1.0"
description:
  - Looks whether the expected systemd units run, and that no other one does where only they may.
  - Looks whether the names of the lab's nodes resolve to their addresses, and whether the clock agrees with the
    controlling machine's.
  - A check that fails is reported in RV(checks) and does not fail the module.
author:
  - novalab contributors (@novalab)
options:
  node:
    description: The node's name in the lab.
    type: str
    required: true
  units:
    description: The units that must run, in the order in which they are to be told of.
    type: list
    elements: str
    required: true
  exclusive:
    description: A pattern of units of which none but those in O(units) may run, such as V(nova-*).
    type: str
  services:
    description: Those of O(units) that report to Nova under their own name.
    type: list
    elements: str
    default: []
  nova_config:
    description: On a controller, Nova's configuration file. It leads to the database for RV(registered).
    type: path
  addresses:
    description: The address of each node, by name.
    type: dict
    default: {}
  reference:
    description: The time of the controlling machine when the module was sent, in seconds since the epoch.
    type: float
  skew_limit:
    description:
      - Seconds that the clock may differ from O(reference), plus what it takes to send the module. Nova takes a service
        for dead after 60 seconds (C(service_down_time)).
    type: float
    default: 10
  timeout:
    description: >-
      Seconds that a unit which is starting or stopping has for it. One that failed or is stopped is told of at once.
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
- name: Look at the node
  novalab.openstack.check_node:
    node: compute1
    units: [libvirtd, nova-compute]
    exclusive: nova-*
    services: [nova-compute]
    addresses: {controller: 192.168.56.11, compute1: 192.168.56.21}
    reference: "{{ now().timestamp() }}"
"""

RETURN = r"""
checks:
  description: What was compared.
  type: list
  elements: dict
  returned: always
  sample:
    - {name: units, node: compute1, expected: "libvirtd, nova-compute running", found: "all running", ok: true}
services:
  description: The units that report to Nova, and since when they run, in seconds since the epoch.
  type: list
  elements: dict
  returned: always
  sample: [{binary: nova-compute, host: compute1, since: 1764000000.5}]
registered:
  description:
    - When each service of Nova's registered for the first time, in seconds since the epoch, by binary and host. Empty
      without O(nova_config), and when the database does not answer, which other checks tell of.
  type: dict
  returned: always
  sample: {"nova-compute@compute1": 1764000003.0}
"""

import datetime
import fnmatch
import glob
import socket
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils import service_database
from ansible_collections.novalab.openstack.plugins.module_utils.checks import Check, listed, result
from ansible_collections.novalab.openstack.plugins.module_utils.systemd import Unit, full_name, parse, show

POLL_SECONDS = 0.2
LOG_LINES = 8
SERVICES = "SELECT `binary`, host, created_at FROM services WHERE deleted = 0"


class Systemd:
    """What is asked of systemd."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def call(self, *command: str) -> str:
        code, out, err = self.module.run_command(list(command), environ_update={"LC_ALL": "C"})
        if code != 0:
            self.module.fail_json(msg=f"'{' '.join(command)}' ended with status {code}: {(err or out).strip()}")
        return str(out)

    def states(self, units: list[str]) -> list[Unit]:
        found: list[Unit] = parse(self.call(*show(units)), units)
        return found

    def settled(self, units: list[str], timeout: int) -> list[Unit]:
        """The units when none is about to start or stop any more, or when the time is up.

        A unit that fails and is started again meanwhile is not waited for: that can go on for ever.
        """
        end = time.monotonic() + timeout
        first = {state.name: state.restarts for state in self.states(units)}
        while True:
            states = self.states(units)
            waiting = [state for state in states if state.moving and state.restarts == first[state.name]]
            if not waiting or time.monotonic() > end:
                return states
            time.sleep(POLL_SECONDS)

    def running(self, pattern: str) -> list[str]:
        """The services that match and run, without C(.service)."""
        arguments = ("--plain", "--no-legend", "--no-pager", "--type=service", "--state=active,activating,reloading")
        out = self.call("systemctl", "list-units", *arguments, pattern)
        return [line.split()[0].removesuffix(".service") for line in out.splitlines() if line.strip()]

    def evidence(self, unit: str) -> tuple[str, ...]:
        """The last lines of the unit's journal, and of the log file that services of OpenStack write instead."""
        journal = self.call(
            "journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", str(LOG_LINES), "-u", full_name(unit)
        )
        lines = [f"journal: {line}" for line in journal.splitlines()]
        for path in glob.glob(f"/var/log/*/{unit}.log"):
            with open(path, encoding="utf-8", errors="replace") as file:
                lines += [f"{path}: {line.rstrip()[:300]}" for line in file.readlines()[-LOG_LINES:]]
        return tuple(lines)


def check_units(systemd: Systemd, node: str, states: list[Unit]) -> list[Check]:
    """One check for all units when all run, else one for each that does not."""
    names = listed(state.name for state in states)
    stopped = [state for state in states if state.active != "active"]
    if not stopped:
        return [Check("units", node, f"{names} running", "all running", ok=True)]
    return [
        Check(
            f"unit {state.name}",
            node,
            "running",
            str(state),
            ok=False,
            detail=systemd.evidence(state.name),
            remedy="'labctl up' (or ansible-playbook -i hosts.ini site.yaml) starts what is stopped or has failed",
        )
        for state in stopped
    ]


def check_exclusive(node: str, pattern: str, expected: list[str], running: list[str]) -> Check:
    """Whether exactly the expected units of a pattern run."""
    wanted = sorted(unit for unit in expected if fnmatch.fnmatch(unit, pattern))
    others = sorted(set(running) - set(wanted))
    return Check(
        f"only these units of {pattern}",
        node,
        listed(wanted),
        listed(sorted(running)),
        ok=sorted(running) == wanted,
        remedy=f"stop and mask {listed(others)}" if others else "start what is missing with 'labctl up'",
    )


def resolve(name: str) -> list[str]:
    """All IPv4 addresses of a name as the node's programs see them, in order and each once."""
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check_names(node: str, addresses: dict[str, str]) -> Check:
    """Whether each node's name is its address, and nothing else such as 127.0.1.1."""
    found = {name: resolve(name) for name in addresses}
    wrong = [name for name, address in addresses.items() if found[name] != [address]]
    return Check(
        "names",
        node,
        listed(f"{name}={address}" for name, address in addresses.items()),
        listed(f"{name}={'+'.join(found[name]) or 'unknown'}" for name in wrong) if wrong else "the same",
        ok=not wrong,
        remedy="repair /etc/hosts with 'labctl up' (role node)",
    )


def check_clock(node: str, now: float, reference: float, limit: float) -> Check:
    """Whether the clock agrees with the reference; what it took to get here counts as a difference."""
    difference = now - reference
    return Check(
        "clock",
        node,
        f"within {limit:g} s of the controlling machine",
        f"{difference:+.1f} s at most",
        ok=abs(difference) <= limit,
        remedy="set the clock: services look dead to each other when clocks differ by service_down_time (60 s)",
    )


def registrations(rows: list[dict[str, Any]]) -> dict[str, float]:
    """When services registered, from the rows of Nova's database, whose times are UTC without a zone."""
    return {
        f"{row['binary']}@{row['host']}": row["created_at"].replace(tzinfo=datetime.UTC).timestamp() for row in rows
    }


def registered(config: str | None) -> dict[str, float]:
    """When services registered; none when the database cannot be asked."""
    if config is None or service_database.PYMYSQL_ERROR:
        return {}
    try:
        connection = service_database.connect(service_database.option(config, "database", "connection"))
        return registrations(service_database.rows(connection, SERVICES))
    except (KeyError, OSError, service_database.pymysql.MySQLError):
        return {}


def main() -> None:
    arrived = time.time()
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "units": {"type": "list", "elements": "str", "required": True},
            "exclusive": {"type": "str"},
            "services": {"type": "list", "elements": "str", "default": []},
            "nova_config": {"type": "path"},
            "addresses": {"type": "dict", "default": {}},
            "reference": {"type": "float"},
            "skew_limit": {"type": "float", "default": 10},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    node: str = parameters["node"]
    systemd = Systemd(module)
    states = systemd.settled(parameters["units"], parameters["timeout"])
    checks = check_units(systemd, node, states)
    if parameters["exclusive"]:
        pattern = parameters["exclusive"]
        checks.append(check_exclusive(node, pattern, parameters["units"], systemd.running(pattern)))
    if parameters["addresses"]:
        checks.append(check_names(node, parameters["addresses"]))
    if parameters["reference"] is not None:
        checks.append(check_clock(node, arrived, parameters["reference"], parameters["skew_limit"]))
    services = [
        {"binary": state.name, "host": node, "since": state.started}
        for state in states
        if state.name in parameters["services"]
    ]
    module.exit_json(**result(checks, services=services, registered=registered(parameters["nova_config"])))


if __name__ == "__main__":
    main()
