#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything that a node keeps in Open vSwitch's database, in one transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: openvswitch
short_description: Keep Open vSwitch's settings, manager and bridges
version_added: "0.1.0"
description:
  - Compares the settings of Open vSwitch, the connection that it offers to managers, and bridges with their ports with
    what they should be, and changes what differs in one transaction of C(ovs-vsctl). What is not named stays as it is.
  - Needs the switch's database only. C(ovs-vswitchd) does what the database says as soon as it runs.
author:
  - novalab contributors (@novalab)
requirements:
  - Open vSwitch on the node
options:
  external_ids:
    description: Values of the switch's C(external_ids) by key. An empty value removes the key.
    type: dict
    default: {}
  other_config:
    description: Values of the switch's C(other_config) by key. An empty value removes the key.
    type: dict
    default: {}
  manager:
    description: The connection method for managers, such as C(ptcp:6640:127.0.0.1).
    type: str
  bridges:
    description: Bridges.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The bridge's name.
        type: str
        required: true
      datapath_type:
        description: Where the bridge switches packets.
        type: str
        choices: [netdev, system]
        default: system
      ports:
        description: Interfaces of the node that are ports of the bridge.
        type: list
        elements: str
        default: []
attributes:
  check_mode:
    support: full
    description: Says what would be changed and changes nothing.
  diff_mode:
    support: full
    description: Lists the settings that differ.
"""

EXAMPLES = r"""
- name: Connect the switch with OVN
  novalab.openstack.openvswitch:
    external_ids:
      ovn-remote: tcp:192.168.56.11:6642
      ovn-encap-type: geneve
      ovn-encap-ip: 192.168.56.21
    bridges:
      - name: br-lab
        datapath_type: netdev
        ports: [lab0]
"""

RETURN = r"""
transaction:
  description: The commands of the transaction, empty if nothing differed.
  type: list
  elements: list
  returned: always
  sample: [[set, Open_vSwitch, ., "external_ids:ovn-remote=\"tcp:192.168.56.11:6642\""]]
other_config_changed:
  description: Whether O(other_config) was changed, which C(ovs-vswitchd) partly reads at its start only.
  type: bool
  returned: always
  sample: false
"""

import json
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule


@dataclass
class Switch:
    """What the database says."""

    external_ids: dict[str, str] = field(default_factory=dict)
    other_config: dict[str, str] = field(default_factory=dict)
    managers: list[str] = field(default_factory=list)
    datapath_types: dict[str, str] = field(default_factory=dict)
    ports: dict[str, list[str]] = field(default_factory=dict)


def maps(output: str) -> list[dict[str, Any]]:
    """The rows of C(ovs-vsctl --format=json list); a map is C(["map", [[key, value], ...]]) in it (RFC 7047, 5.1)."""
    table = json.loads(output)
    return [
        {
            heading: dict(value[1]) if isinstance(value, list) and value[:1] == ["map"] else value
            for heading, value in zip(table["headings"], row, strict=True)
        }
        for row in table["data"]
    ]


def quoted(value: str) -> str:
    """A value that C(ovs-vsctl) takes literally, whatever it holds (ovs-vsctl(8), "Database Values")."""
    return json.dumps(value)


def map_commands(column: str, wanted: dict[str, Any], present: dict[str, str]) -> list[list[str]]:
    """What sets and removes keys of a column of the switch."""
    values = {key: "" if value is None else str(value) for key, value in wanted.items()}
    sets = [f"{column}:{key}={quoted(value)}" for key, value in values.items() if value and present.get(key) != value]
    removals = [quoted(key) for key, value in values.items() if not value and key in present]
    commands = [["set", "Open_vSwitch", ".", *sets]] if sets else []
    return commands + ([["remove", "Open_vSwitch", ".", column, *removals]] if removals else [])


def bridge_commands(bridge: dict[str, Any], switch: Switch) -> list[list[str]]:
    """What makes a bridge and its ports."""
    name, datapath_type = bridge["name"], bridge["datapath_type"]
    commands = []
    if name not in switch.datapath_types:
        commands.append(["add-br", name])
    # An empty datapath_type is the kernel's.
    if (switch.datapath_types.get(name, "") or "system") != datapath_type:
        commands.append(["set", "Bridge", name, f"datapath_type={datapath_type}"])
    missing = [port for port in bridge["ports"] if port not in switch.ports.get(name, [])]
    return commands + [["add-port", name, port] for port in missing]


def transaction(parameters: dict[str, Any], switch: Switch) -> list[list[str]]:
    """All commands that make the database what it should be."""
    commands = [
        *map_commands("other_config", parameters["other_config"], switch.other_config),
        *map_commands("external_ids", parameters["external_ids"], switch.external_ids),
    ]
    manager = parameters["manager"]
    if manager and switch.managers != [manager]:
        commands.append(["set-manager", manager])
    for bridge in parameters["bridges"]:
        commands += bridge_commands(bridge, switch)
    return commands


def call(module: AnsibleModule, *arguments: str) -> str:
    command = ["ovs-vsctl", "--no-wait", *arguments]
    code, out, err = module.run_command(command)
    if code != 0:
        module.fail_json(
            msg=f"'{' '.join(command)}' ended with status {code}: {err.strip() or out.strip()}."
            " Expected: Open vSwitch is installed and its unit ovsdb-server runs."
        )
    return str(out)


def read(module: AnsibleModule) -> Switch:
    """The database as it is."""
    row = maps(call(module, "--format=json", "--columns=external_ids,other_config", "list", "Open_vSwitch"))[0]
    bridges = maps(call(module, "--format=json", "--columns=name,datapath_type", "list", "Bridge"))
    types = {bridge["name"]: bridge["datapath_type"] for bridge in bridges}
    return Switch(
        external_ids=row["external_ids"],
        other_config=row["other_config"],
        managers=call(module, "get-manager").split(),
        datapath_types=types,
        ports={
            bridge["name"]: call(module, "list-ports", bridge["name"]).split()
            for bridge in module.params["bridges"]
            if bridge["name"] in types
        },
    )


def as_text(commands: list[list[str]]) -> str:
    return "".join(f"{' '.join(command)}\n" for command in commands)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "external_ids": {"type": "dict", "default": {}},
            "other_config": {"type": "dict", "default": {}},
            "manager": {"type": "str"},
            "bridges": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "datapath_type": {"type": "str", "choices": ["netdev", "system"], "default": "system"},
                    "ports": {"type": "list", "elements": "str", "default": []},
                },
            },
        },
        supports_check_mode=True,
    )
    commands = transaction(module.params, read(module))
    if commands and not module.check_mode:
        call(module, *[word for command in commands for word in ("--", *command)])
    module.exit_json(
        changed=bool(commands),
        transaction=commands,
        other_config_changed=any(word.startswith("other_config") for command in commands for word in command),
        diff={"before": "", "after": as_text(commands)},
    )


if __name__ == "__main__":
    main()
