# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What is made of Neutron's answers."""

from __future__ import annotations

import pytest
from ansible_collections.novalab.openstack.plugins.modules import check_network

CONTROLLER = "OVN Controller agent"
METADATA = "OVN Metadata agent"


@pytest.mark.parametrize(
    ("agents", "problems"),
    [
        ({f"{CONTROLLER}@compute1": True, f"{METADATA}@compute1": True}, []),
        ({f"{CONTROLLER}@compute1": True}, [f"{METADATA}@compute1 is not in the list"]),
        ({f"{CONTROLLER}@compute1": False, f"{METADATA}@compute1": True}, [f"{CONTROLLER}@compute1 is not alive"]),
        (
            {f"{CONTROLLER}@compute1": True, f"{METADATA}@compute1": True, f"{CONTROLLER}@old": False},
            [f"{CONTROLLER}@old is not of this lab"],
        ),
    ],
)
def test_agents_missing_or_dead_are_named(agents: dict[str, bool], problems: list[str]) -> None:
    assert check_network.compare_agents(["compute1"], agents) == problems


@pytest.mark.parametrize(
    ("found", "difference"),
    [
        (["172.24.4.0/24"], ""),
        (None, "there is no such network"),
        ([], "its subnets are: none"),
        (["10.0.0.0/24", "172.24.4.0/24"], "its subnets are: 10.0.0.0/24, 172.24.4.0/24"),
    ],
)
def test_subnets_that_differ_are_named(found: list[str] | None, difference: str) -> None:
    assert check_network.compare_subnets("172.24.4.0/24", found) == difference
