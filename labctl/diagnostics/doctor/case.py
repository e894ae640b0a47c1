"""What checks look at, the facts about a lab and its host; and the list of all checks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

from labctl.ansible import services
from labctl.diagnostics.doctor.finding import HOST, Findings, node_and_units, settings_subject, unit_subject
from labctl.diagnostics.doctor.host_facts import HostFacts
from labctl.lab.model import Lab
from labctl.lab.service_files import Unit
from labctl.providers.node_state import NodeState

Facts = dict[str, Any]  # what a program on a node has printed
T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """The lab as described, the host, and the facts of each node that answers.

    states has the state of each node, silent the reason why a running node does not answer, asked the host's time in
    seconds since the epoch before and after the nodes were asked, since in ISO 8601 how long each node has been in its
    state, if that is known.
    """

    lab: Lab
    host: HostFacts
    states: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, Facts] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[float, float] = (0.0, 0.0)
    since: Mapping[str, str | None] = field(default_factory=dict)

    def state(self, node: str) -> str:
        """The state of a node."""
        return self.states.get(node, NodeState.NOT_CREATED)

    @property
    def controller(self) -> str:
        """The controller's name."""
        return self.lab.controller.name

    @property
    def cloud(self) -> Facts:
        """What the controller's databases and APIs say; empty if it does not answer."""
        return self.nodes.get(self.controller, {}).get("cloud") or {}

    def answering(self) -> Iterator[tuple[str, "NodeCase"]]:
        """The nodes that answer, by name."""
        return ((name, NodeCase(self, name, facts)) for name, facts in self.nodes.items())

    def computes(self) -> Iterator[tuple[str, "NodeCase"]]:
        """The computes that answer, by name."""
        computes = {node.name for node in self.lab.computes}
        return ((name, node) for name, node in self.answering() if name in computes)

    @cached_property
    def units(self) -> dict[str, dict[str, Unit]]:
        """The units that must run on each node, as their roles describe them."""
        return {node.name: services.unit_facts(self.lab, node) for node in self.lab.nodes}

    def user_of(self, node: str, unit: str) -> str:
        """The user whose settings a unit reads; empty for units that are not of OpenStack."""
        return self.units[node].get(unit, Unit(name=unit)).user

    def needed(self, node: str, unit: str) -> tuple[str, ...]:
        """The subjects of what a unit does not work without: its settings, and units here or on the controller."""
        units = self.units[node]
        if unit not in units:
            return ()
        places = ((node if need in units else self.controller, need) for need in units[unit].needs)
        return (settings_subject(node, units[unit].user), *(unit_subject(*place) for place in places))

    def controller_units(self, *units: str) -> tuple[str, ...]:
        """The subjects of the controller and of units on it."""
        return node_and_units(self.controller, *units)


@dataclass(frozen=True)
class NodeCase:
    """A node that answers, with its facts; own are those of a compute."""

    case: Case
    name: str
    facts: Facts

    @property
    def own(self) -> Facts:
        """The facts that only a compute has; empty if they could not be gathered."""
        return self.facts.get("own") or {}

    @property
    def address(self) -> str:
        """The address in the lab's network."""
        return str(self.case.lab.node(self.name).address)


Find = Callable[[Case], Findings]


@dataclass(frozen=True)
class Check:
    """A check: its id, what it looks at, the module that it is in, and the function that does it."""

    id: str
    looks_at: str
    group: str
    find: Find


CHECKS: list[Check] = []


@dataclass(frozen=True)
class Looking(Generic[T]):
    """A decorator for checks that look at each thing that places returns, with the place that it is."""

    places: Callable[[Case], Iterable[tuple[str, T]]]

    def __call__(self, name: str, looks_at: str) -> Callable[[Callable[[T], Findings]], Find]:
        """Register a function as a check with an id. It then takes a case."""

        def register(look: Callable[[T], Findings]) -> Find:
            def find(case: Case) -> Findings:
                for place, subject in self.places(case):
                    for finding in look(subject):
                        yield replace(finding, where=finding.where or place)

            CHECKS.append(Check(name, looks_at, look.__module__.rpartition(".")[2], find))
            return find

        return register


host_check = Looking[Case](lambda case: [(HOST, case)])
lab_check = Looking[Case](lambda case: [(case.controller, case)])
node_check = Looking[NodeCase](Case.answering)
compute_check = Looking[NodeCase](Case.computes)
