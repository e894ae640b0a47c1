"""Whether a lab's network and names are free."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest

from labctl.errors import BadInput
from labctl.lab.registry import Entry
from labctl.lifecycle import conflicts
from labctl.lifecycle.conflicts import Others
from labctl.providers.containers import Container, OwnNetwork
from labctl.providers.host_networks import Taken
from labctl.providers.node_state import NodeState

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths

RUNNING = NodeState.RUNNING
DEFAULT = IPv4Network("192.168.56.0/24")
OWN = OwnNetwork("novalab-lab", DEFAULT, "podman3", "")


@pytest.mark.parametrize(
    ("keys", "taken", "free"),
    [
        ({}, ["192.168.56.128/25"], "192.168.57.0/24"),
        ({}, ["192.168.56.0/22"], "192.168.60.0/24"),
        ({}, ["192.168.0.0/16"], "172.16.0.0/24"),
        ({"network": "10.1.0.0/16"}, ["10.1.2.0/24", "192.168.0.0/16"], "172.16.0.0/16"),
        ({"provider": "virtualbox"}, ["192.168.56.0/23"], "192.168.58.0/24"),
    ],
)
def test_a_free_network_is_proposed(
    paths: LabPaths, make_lab: Callable[..., Lab], keys: dict[str, str], taken: list[str], free: str
) -> None:
    lab = make_lab(**keys)
    host = [Taken(IPv4Network(text), f"the host's route to {text}") for text in taken]
    with pytest.raises(BadInput) as caught:
        conflicts.check(lab, paths, Others(host=host))
    assert f"Network {lab.network} is taken by the host's route to {taken[0]}" in caught.value.message
    assert str(caught.value).endswith(f"\n  network: {free}")


def test_nothing_is_proposed_when_nothing_is_free(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    others = Others(host=[Taken(IPv4Network("192.168.0.0/16"), "a route", "eth0")])
    with pytest.raises(BadInput, match="No private network of this size is free"):
        conflicts.check(make_lab(provider="virtualbox"), paths, others)


def test_a_network_beside_is_no_matter(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    conflicts.check(make_lab(), paths, Others(host=[Taken(IPv4Network("192.168.57.0/24"), "a route", "eth0")]))


@pytest.mark.parametrize(
    ("keys", "device", "own", "exists", "refused"),
    [
        ({}, "podman3", True, False, False),
        ({}, "podman4", True, False, True),
        ({}, "podman3", False, False, True),
        ({"provider": "libvirt"}, "virbr1", False, True, False),
        ({"provider": "libvirt"}, "virbr1", False, False, True),
        ({"provider": "libvirt"}, "eth0", False, True, True),
        ({"provider": "virtualbox"}, "vboxnet0", False, False, False),
    ],
)
def test_own_bridge_does_not_count(
    paths: LabPaths,
    make_lab: Callable[..., Lab],
    keys: dict[str, str],
    device: str,
    own: bool,
    exists: bool,
    refused: bool,
) -> None:
    mine = OwnNetwork(OWN.name, OWN.subnet, OWN.interface, str(paths.directory)) if own else None
    others = Others(host=[Taken(DEFAULT, "a route", device)], own=mine, exists=exists)
    try:
        conflicts.check(make_lab(**keys), paths, others)
    except BadInput:
        assert refused
    else:
        assert not refused


@pytest.mark.parametrize(
    ("directory", "said"), [("/labs/a b", "belongs to the lab in /labs/a b;"), (None, "belongs to something else;")]
)
@pytest.mark.parametrize("thing", ["container", "network"])
def test_name_taken_by_network_or_container_is_refused(
    paths: LabPaths, make_lab: Callable[..., Lab], thing: str, directory: str | None, said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        conflicts.check(
            make_lab(),
            paths,
            Others(
                own=OwnNetwork("novalab-lab", DEFAULT, None, directory) if thing == "network" else None,
                containers=[Container("1", "novalab-lab-compute1", RUNNING, directory)] if thing == "container" else [],
            ),
        )
    assert f"'lab' is taken: the {thing} novalab-lab" in caught.value.message
    assert said in caught.value.message
    assert "\n  name: lab2" in str(caught.value)


def test_names_of_this_lab_and_of_longer_ones_are_not_taken(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    mine = str(paths.directory)
    conflicts.check(
        make_lab(),
        paths,
        Others(
            own=OwnNetwork("novalab-lab", DEFAULT, "podman1", mine),
            containers=[
                Container("1", "novalab-lab-controller", RUNNING, mine),
                Container("2", "novalab-lab-2-controller", RUNNING, "/other"),
            ],
        ),
    )


def entry(name: str, network: str, guests: str | None = None) -> Entry:
    return Entry(name, f"/labs/{name}", "docker", network, guests, "2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("other", "reason", "lines"),
    [
        (entry("lab", "10.1.0.0/16"), "The name 'lab' is taken: the lab lab belongs to the lab in /labs/lab", ["name"]),
        (entry("a", "192.168.56.0/25"), "taken by the lab a in /labs/a (192.168.56.0/25)", ["network"]),
        (entry("a", "10.1.0.0/16", "192.168.0.0/16"), "the instances of the lab a in /labs/a", ["network"]),
        (
            entry("a", "172.24.0.0/16"),
            "172.24.4.0/24 overlaps the nodes' 172.24.0.0/16 of the lab a",
            ["guest_network"],
        ),
        (entry("lab", "192.168.0.0/16"), "; Network 192.168.56.0/24 is taken by", ["name", "network"]),
    ],
)
def test_network_or_name_of_a_different_lab_is_refused(
    paths: LabPaths, make_lab: Callable[..., Lab], other: Entry, reason: str, lines: list[str]
) -> None:
    with pytest.raises(BadInput) as caught:
        conflicts.check(make_lab(), paths, Others(host=[], labs=[other]))
    assert reason in caught.value.message
    assert [line.split(":")[0].strip() for line in str(caught.value).splitlines()[2:]] == lines


def test_network_for_instances_that_is_taken_is_refused(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    """It exists between the nodes of one lab only."""
    conflicts.check(make_lab(), paths, Others(host=[], labs=[entry("a", "10.1.0.0/16", str(make_lab().guest_network))]))


def test_what_is_proposed_is_free_of_all_labs(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    labs = [entry("lab", "192.168.56.0/24"), entry("lab2", "192.168.57.0/24", "192.168.58.0/24")]
    with pytest.raises(BadInput) as caught:
        conflicts.check(make_lab(), paths, Others(host=[], labs=labs))
    assert str(caught.value).endswith("\n  name: lab3\n  network: 192.168.59.0/24")


def test_network_of_a_lab_that_is_not_in_the_register(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    """Name and network are both told of."""
    own = OwnNetwork("novalab-lab", DEFAULT, "podman1", "/other")
    with pytest.raises(BadInput) as caught:
        conflicts.check(make_lab(), paths, Others(host=[Taken(DEFAULT, "a route", "podman1")], own=own))
    assert str(caught.value).endswith("\n  name: lab2\n  network: 192.168.57.0/24")


def test_instances_are_not_looked_at_without_neutron(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    conflicts.check(make_lab(networking="none"), paths, Others(host=[], labs=[entry("a", "172.24.0.0/16")]))
