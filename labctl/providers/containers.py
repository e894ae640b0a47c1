"""The containers and the network that belong to a lab, as the engine knows them by their labels."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Protocol

from labctl.errors import LabError
from labctl.lab.paths import LabPaths
from labctl.providers.node_state import NodeState, node_state

DIRECTORY_LABEL = "novalab.directory"
_ANY_LAB = f"label={DIRECTORY_LABEL}"


class Engine(Protocol):
    """What is needed here of labctl.providers.engine.Engine."""

    def run(self, *arguments: str) -> str:
        """Run the engine's command line and return its output."""


@dataclass(frozen=True)
class Container:
    """A container; directory is that of the lab which made it, None when no lab did.

    created is the moment in ISO 8601, as the engine writes it.
    since is when it was started or, when it does not run, when it ended; None when the engine does not know.
    """

    id: str
    name: str
    state: NodeState
    directory: str | None
    created: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class OwnNetwork:
    """An engine's network of a name; interface is the bridge on the host, directory as in Container."""

    name: str
    subnet: IPv4Network | None
    interface: str | None
    directory: str | None


def marks(paths: LabPaths) -> dict[str, str]:
    """The labels of what belongs to this lab."""
    return {DIRECTORY_LABEL: str(paths.directory)}


def labels(paths: LabPaths) -> list[str]:
    """Arguments that mark a container or network as one of this lab."""
    return [part for name, value in marks(paths).items() for part in ("--label", f"{name}={value}")]


def find(engine: Engine, *, prefix: str, paths: LabPaths) -> list[Container]:
    """Every container of the lab in this directory, and every other one whose name starts with prefix and a hyphen."""
    ids: set[str] = set()
    for wanted in (f"name=^/?{prefix}-", f"label={DIRECTORY_LABEL}={paths.directory}"):
        ids.update(engine.run("ps", "--all", "--quiet", "--no-trunc", "--filter", wanted).split())
    return _inspect(engine, ids)


def of_all_labs(engine: Engine) -> list[Container]:
    """Every container that a lab has made, whatever its directory."""
    return _inspect(engine, engine.run(*("ps", "--all", "--quiet", "--no-trunc", "--filter", _ANY_LAB)).split())


def _inspect(engine: Engine, ids: Collection[str]) -> list[Container]:
    if not ids:
        return []
    found = []
    for item in json.loads(engine.run("container", "inspect", *sorted(ids))):
        marks = item.get("Config", {}).get("Labels") or {}
        name, state = item["Name"].removeprefix("/"), _state(item["State"])
        awake = state in (NodeState.RUNNING, NodeState.PAUSED)
        since = None if state is NodeState.LOST else _moment(item["State"].get("StartedAt" if awake else "FinishedAt"))
        created = item.get("Created", "")
        found.append(Container(item["Id"], name, state, marks.get(DIRECTORY_LABEL), created, since))
    return sorted(found, key=lambda container: container.name)


def _state(said: dict[str, Any]) -> NodeState:
    """The state of a container, LOST when it should have processes and has none, nor a conmon to say that they ended.

    They were killed, or /run outlived a boot. Only Podman names its conmon, so only there the process ids are known to
    be those of this machine.
    """
    word = str(said["Status"]).lower()
    processes = [said.get(key, 0) for key in ("Pid", "ConmonPid")]
    if word in ("running", "paused", "stopping") and all(processes):
        return node_state(word) if any(Path(f"/proc/{process}").exists() for process in processes) else NodeState.LOST
    return node_state(word)


def _moment(text: object) -> datetime | None:
    """What the engines write as a time, in nanoseconds; the year 1 means never."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.year > 1 else None


def network(engine: Engine, name: str) -> OwnNetwork | None:
    """The engine's network of a name, None when there is none."""
    return next((network for network in networks(engine) if network.name == name), None)


def networks(engine: Engine) -> list[OwnNetwork]:
    """Every network of the engine."""
    return _networks(engine)


def networks_of_all_labs(engine: Engine) -> list[OwnNetwork]:
    """Every network that a lab has made, whatever its directory."""
    return _networks(engine, "--filter", _ANY_LAB)


def _networks(engine: Engine, *options: str) -> list[OwnNetwork]:
    """All in two calls; once more when somebody else's network goes away between the list and the look."""
    for last in (False, False, True):
        names = engine.run("network", "ls", *options, "--format", "{{.Name}}").split()
        try:
            return [_network(item) for item in json.loads(engine.run("network", "inspect", *names))] if names else []
        except LabError:
            if last:
                raise
    return []


def _network(item: dict[str, Any]) -> OwnNetwork:
    """Podman and Docker Engine spell a network's properties differently."""
    name = str(item.get("name") or item.get("Name"))
    marks = item.get("labels") or item.get("Labels") or {}
    interface = item.get("network_interface") or (f"br-{item['Id'][:12]}" if "Id" in item else None)
    ranges = item.get("subnets") or (item.get("IPAM") or {}).get("Config") or []
    subnets = [str(entry.get("subnet") or entry.get("Subnet")) for entry in ranges]
    subnet = next((IPv4Network(text) for text in subnets if ":" not in text and "/" in text), None)
    return OwnNetwork(name, subnet, interface, marks.get(DIRECTORY_LABEL))
