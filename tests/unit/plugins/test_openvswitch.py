# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What is made of Open vSwitch's database, whose output is that of Open vSwitch 3.5."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.novalab.openstack.plugins.modules import openvswitch
from ansible_collections.novalab.openstack.plugins.modules.openvswitch import Switch

SETTINGS = (
    '{"data":[[["map",[["hostname","compute1"],["ovn-bridge-datapath-type","netdev"],'
    '["ovn-bridge-mappings","lab:br-lab"],["ovn-remote","tcp:10.213.60.11:6642"]]],'
    '["map",[["userspace-tso-enable","true"],["vlan-limit","0"]]]]],"headings":["external_ids","other_config"]}\n'
)
BRIDGES = '{"data":[["br-int","netdev"],["br-lab","netdev"]],"headings":["name","datapath_type"]}\n'


def test_output_of_ovs_vsctl_is_read() -> None:
    (row,) = openvswitch.maps(SETTINGS)
    assert row["external_ids"]["ovn-bridge-mappings"] == "lab:br-lab"
    assert row["other_config"] == {"userspace-tso-enable": "true", "vlan-limit": "0"}
    assert openvswitch.maps(BRIDGES) == [
        {"name": "br-int", "datapath_type": "netdev"},
        {"name": "br-lab", "datapath_type": "netdev"},
    ]
    assert openvswitch.maps('{"data":[[["map",[]],["map",[]]]],"headings":["external_ids","other_config"]}') == [
        {"external_ids": {}, "other_config": {}}
    ]


def wanted(**fields: object) -> dict[str, Any]:
    return {"external_ids": {}, "other_config": {}, "manager": None, "bridges": [], **fields}


BRIDGE = {"name": "br-lab", "datapath_type": "netdev", "ports": ["lab0"]}
WIRED = Switch(datapath_types={"br-lab": "netdev", "br-int": "netdev"}, ports={"br-lab": ["lab0", "patch-1"]})


@pytest.mark.parametrize(
    ("parameters", "switch", "commands"),
    [
        (wanted(), Switch(), []),
        (
            wanted(external_ids={"ovn-remote": "tcp:10.0.0.1:6642"}),
            Switch(),
            [["set", "Open_vSwitch", ".", 'external_ids:ovn-remote="tcp:10.0.0.1:6642"']],
        ),
        (wanted(external_ids={"hostname": "a"}), Switch(external_ids={"hostname": "a", "system-id": "b"}), []),
        # An empty value is a key too many.
        (
            wanted(other_config={"userspace-tso-enable": None}),
            Switch(other_config={"userspace-tso-enable": "true"}),
            [["remove", "Open_vSwitch", ".", "other_config", '"userspace-tso-enable"']],
        ),
        (wanted(other_config={"userspace-tso-enable": None}), Switch(), []),
        (wanted(manager="ptcp:6640:127.0.0.1"), Switch(), [["set-manager", "ptcp:6640:127.0.0.1"]]),
        (wanted(manager="ptcp:6640:127.0.0.1"), Switch(managers=["ptcp:6640:127.0.0.1"]), []),
        (
            wanted(bridges=[BRIDGE]),
            Switch(),
            [
                ["add-br", "br-lab"],
                ["set", "Bridge", "br-lab", "datapath_type=netdev"],
                ["add-port", "br-lab", "lab0"],
            ],
        ),
        (wanted(bridges=[BRIDGE]), WIRED, []),
        # The kernel's datapath is the one without a name.
        (
            wanted(bridges=[{**BRIDGE, "datapath_type": "system"}]),
            Switch(datapath_types={"br-lab": ""}, ports={"br-lab": ["lab0"]}),
            [],
        ),
        (
            wanted(bridges=[{**BRIDGE, "datapath_type": "system"}]),
            WIRED,
            [["set", "Bridge", "br-lab", "datapath_type=system"]],
        ),
    ],
)
def test_transaction_has_only_what_differs(
    parameters: dict[str, Any], switch: Switch, commands: list[list[str]]
) -> None:
    assert openvswitch.transaction(parameters, switch) == commands
