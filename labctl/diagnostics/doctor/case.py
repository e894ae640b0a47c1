"""All facts about a lab and its host, as the checks take them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from labctl.ansible import services

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labctl.diagnostics.doctor.host_facts import HostFacts
    from labctl.lab.model import Lab
    from labctl.lab.service_files import Unit

Facts = dict[str, Any]  # what a program on a node has printed


@dataclass(frozen=True)
class Case:
    """The lab as described, the host, and what each node that answers says of itself.

    states has the engine's or Vagrant's word for each node, silent the reason why a running node does not answer,
    asked the host's time in seconds since the epoch before and after the nodes were asked, since in ISO 8601 how long
    each node has been in its state, where that is known.
    """

    lab: Lab
    host: HostFacts
    states: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, Facts] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[float, float] = (0.0, 0.0)
    since: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether any node of the lab exists."""
        return any(state != "missing" for state in self.states.values())

    @property
    def running(self) -> bool:
        """Whether the lab is meant to run: some node does."""
        return any(state == "running" for state in self.states.values())

    @property
    def controller(self) -> str:
        """The controller's name."""
        return self.lab.controller.name

    @property
    def cloud(self) -> Facts:
        """What the controller's databases and APIs say; empty when it does not answer."""
        found: Facts = self.nodes.get(self.controller, {}).get("cloud") or {}
        return found

    def computes(self) -> Iterator[tuple[str, Facts]]:
        """The computes that answer."""
        for node in self.lab.computes:
            if node.name in self.nodes:
                yield node.name, self.nodes[node.name]

    def units(self, node: str) -> dict[str, Unit]:
        """The units that must run on a node, as their roles describe them."""
        return self._units[node]

    @cached_property
    def _units(self) -> dict[str, dict[str, Unit]]:
        return {node.name: services.unit_facts(self.lab, node) for node in self.lab.nodes}

    def user_of(self, node: str, unit: str) -> str:
        """The user whose settings a unit reads; empty for units that are not of OpenStack."""
        units = self.units(node)
        return units[unit].user if unit in units else ""

    def needed(self, node: str, unit: str) -> tuple[str, ...]:
        """The subjects of what a unit does not work without: its settings, and units here or on the controller."""
        units = self.units(node)
        if unit not in units:
            return ()
        places = ((node if need in units else self.controller, need) for need in units[unit].needs)
        return (settings_subject(node, units[unit].user), *(unit_subject(*place) for place in places))

    def active(self, node: str, unit: str) -> bool:
        """Whether a unit runs on a node that answers."""
        facts = self.nodes.get(node, {}).get("units", {}).get(unit)
        return bool(facts) and facts["active"] == "active"


def node_subject(name: str) -> str:
    """The subject of findings about a node as a whole."""
    return f"node {name}"


def unit_subject(node: str, unit: str) -> str:
    """The subject of findings about a unit."""
    return f"unit {unit} on {node}"


def controller_units(case: Case, *units: str) -> tuple[str, ...]:
    """The subjects of units on the controller, and of the controller itself, that something depends on."""
    return (node_subject(case.controller), *(unit_subject(case.controller, unit) for unit in units))


def settings_subject(node: str, user: str) -> str:
    """The subject of findings about the settings of a service, which is named by its user."""
    return f"settings of {user} on {node}"
