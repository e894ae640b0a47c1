"""The containers and networks of labs, which the engine knows by their labels."""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from labctl.errors import LabError
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.providers.engine import Engine
from labctl.providers.node_state import NodeState, node_state

_DIRECTORY = "novalab.directory"
_ANY_LAB = f"label={_DIRECTORY}"


@dataclass(frozen=True)
class Container:
    """A container. directory is that of its lab, None if it belongs to no lab.

    created is the time of creation in ISO 8601, as the engine writes it. since is when it was started or, if it does
    not run, when it ended; None if the engine does not know.
    """

    id: str
    name: str
    state: NodeState
    directory: str | None
    created: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class OwnNetwork:
    """A network of the engine. interface is the bridge on the host; directory is as in Container."""

    name: str
    subnet: IPv4Network | None
    interface: str | None
    directory: str | None


def labels(paths: LabPaths) -> list[str]:
    """Arguments that mark a container or network as one of this lab."""
    return ["--label", f"{_DIRECTORY}={paths.directory}"]


def find(engine: Engine, *, prefix: str, paths: LabPaths) -> list[Container]:
    """Every container of the lab in this directory, and every other one whose name starts with prefix and a hyphen."""
    return _inspect(engine, f"name=^/?{prefix}-", f"label={_DIRECTORY}={paths.directory}")


def of_all_labs(engine: Engine) -> list[Container]:
    """Every container of any lab, whatever its directory."""
    return _inspect(engine, _ANY_LAB)


def _inspect(engine: Engine, *filters: str) -> list[Container]:
    """The containers that match one of the filters, by name."""
    ids = {
        identity
        for wanted in filters
        for identity in engine.run("ps", "--all", "--quiet", "--no-trunc", "--filter", wanted).split()
    }
    found = []
    for item in json.loads(engine.run("container", "inspect", *sorted(ids))) if ids else ():
        marks = item.get("Config", {}).get("Labels") or {}
        state = _state(item["State"])
        awake = state in (NodeState.RUNNING, NodeState.PAUSED)
        since = None if state is NodeState.LOST else _moment(item["State"].get("StartedAt" if awake else "FinishedAt"))
        name, created = item["Name"].removeprefix("/"), item.get("Created", "")
        found.append(Container(item["Id"], name, state, marks.get(_DIRECTORY), created, since))
    return sorted(found, key=lambda container: container.name)


def _state(said: dict[str, Any]) -> NodeState:
    """The state of a container: LOST if it should have processes but has none, nor a conmon to report their end.

    They were killed, or /run outlived a boot. Only Podman reports its conmon, so only its process ids are known to be
    those of this machine.
    """
    word = str(said["Status"]).lower()
    processes = [said.get(key, 0) for key in ("Pid", "ConmonPid")]
    if word in ("running", "paused", "stopping") and all(processes):
        return node_state(word) if any(Path(f"/proc/{process}").exists() for process in processes) else NodeState.LOST
    return node_state(word)


def _moment(text: object) -> datetime | None:
    """A time as the engines write it, in nanoseconds; the year 1 means never."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.year > 1 else None


def networks(engine: Engine, *, labs_only: bool = False) -> list[OwnNetwork]:
    """Every network of the engine, or those of labs. Tried again if a network disappears between list and inspect."""
    options = ("--filter", _ANY_LAB) if labs_only else ()
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
    return OwnNetwork(name, subnet, interface, marks.get(_DIRECTORY))


def ensure_network(engine: Engine, lab: Lab, paths: LabPaths) -> None:
    """Create the lab's network unless it exists. One with a different range, which no node uses, is replaced."""
    present = next((network for network in networks(engine) if network.name == lab.network_name), None)
    if present is not None and present.subnet == lab.network:
        return
    if present is not None:
        engine.run("network", "rm", lab.network_name)
    engine.run("network", "create", "--subnet", str(lab.network), *labels(paths), lab.network_name)


def remove(engine: Engine, containers: Iterable[Container]) -> None:
    """Remove containers without waiting for them to shut down."""
    found = list(containers)
    if awake := [item.id for item in found if item.state in (NodeState.RUNNING, NodeState.PAUSED)]:
        # It fails if one has ended meanwhile, and Docker Engine refuses paused ones; then `rm --force` takes longer.
        with contextlib.suppress(LabError):
            engine.run("kill", *awake)
    if found:
        engine.run("rm", "--force", "--volumes", *(item.id for item in found))
