"""Every lab of this user and machine: what the register knows, and what carries a lab's label in the engines."""

import contextlib
import json
import os
import re
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from labctl.errors import BadInput
from labctl.lab import records, registry
from labctl.lab.paths import LabPaths
from labctl.lab.registry import Entry
from labctl.providers import containers
from labctl.providers.containers import Container, OwnNetwork
from labctl.providers.engine import working
from labctl.providers.node_state import NodeState, node_state

_CONTAINER = re.compile(r"novalab-(?P<lab>.+)-(?:controller|compute\d+)")
_NETWORK = re.compile(r"novalab-(?P<lab>.+)")


@dataclass(frozen=True)
class Known:
    """A lab as it is now.

    state is running, stopped, paused or another word of the engine or of Vagrant when all nodes are alike, else how
    many of them run; "no nodes" when there are none, "unknown" when no engine can be asked, "gone" when nothing is left
    of the lab. note says what to do about a directory that is gone. since is in UTC, ISO 8601.
    """

    name: str
    directory: str
    state: str
    network: str | None
    since: str | None
    note: str = ""


@dataclass
class _Traces:
    """What there is of the lab in one directory."""

    entry: Entry | None = None
    containers: list[Container] = field(default_factory=list)
    networks: list[OwnNetwork] = field(default_factory=list)


def everything() -> list[Known]:
    """All labs, by name. One that is gone is told of once more, and forgotten. Raises LabError as the engines do."""
    traces: defaultdict[str, _Traces] = defaultdict(_Traces)
    for entry in registry.entries():
        traces[entry.directory].entry = entry
    engines = working(LabPaths(Path("/nonexistent")))
    for engine in engines:
        for container in containers.of_all_labs(engine):
            # Others than nodes come and go while images are made.
            if _CONTAINER.fullmatch(container.name):
                traces[str(container.directory)].containers.append(container)
        for network in containers.networks(engine, labs_only=True):
            traces[str(network.directory)].networks.append(network)
    machines = _machines()
    found = [_known(directory, seen, machines, asked=bool(engines)) for directory, seen in traces.items()]
    return sorted(found, key=lambda lab: (lab.name, lab.directory))


def _known(directory: str, seen: _Traces, machines: Mapping[str, list[str]], *, asked: bool) -> Known:
    entry, paths = seen.entry, LabPaths(Path(directory))
    names = [_CONTAINER.fullmatch(item.name) for item in seen.containers]
    names += [_NETWORK.fullmatch(item.name) for item in seen.networks]
    name = entry.name if entry else next((match["lab"] for match in names if match), "?")
    subnets = [str(network.subnet) for network in seen.networks if network.subnet]
    starts = sorted(filter(None, (_utc(container.created) for container in seen.containers)))
    in_engine = entry is None or entry.in_containers
    if in_engine and not asked:
        state = "unknown"
    elif entry is not None and not entry.there and not seen.containers and not seen.networks:
        state = "gone"
        registry.forget(directory)
    else:
        states = [container.state for container in seen.containers] if in_engine else machines.get(directory, [])
        state = _state(states, len(records.nodes(paths)))
    return Known(
        name=name,
        directory=directory,
        state=state,
        network=entry.network if entry else next(iter(subnets), None),
        since=entry.since if entry else next(iter(starts), None),
        note="" if paths.directory.is_dir() else _note(name, directory, entry, gone=state == "gone"),
    )


def _note(name: str, directory: str, entry: Entry | None, *, gone: bool) -> str:
    """What to do about a directory that is gone."""
    if entry is not None and not entry.in_containers:
        return f"{directory} is gone; machines named novalab-{name}-NODE may be left in {entry.provider}"
    if gone:
        return f"{directory} is gone, and so is the lab"
    place = shlex.quote(directory)
    return f"{directory} is gone; this removes the rest: mkdir -p {place} && labctl -C {place} destroy"


def _state(states: Sequence[str], nodes: int) -> str:
    """One word for the states of all nodes. nodes is how many were made."""
    if not states:
        return "no nodes"
    words = [node_state(state) for state in states]
    total = max(nodes, len(words))
    if len(words) == total and len(set(words)) == 1:
        return words[0]
    return f"{words.count(NodeState.RUNNING)} of {total} running"


def _utc(moment: str) -> str | None:
    """A moment as the register has it, None when it cannot be read."""
    try:
        return registry.moment(datetime.fromisoformat(moment))
    except ValueError:
        return None


def _machines() -> dict[str, list[str]]:
    """The states of machines by the lab's directory, as Vagrant saw them last; asking it takes seconds per lab."""
    home = Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")
    found: dict[str, list[str]] = {}
    with contextlib.suppress(OSError, ValueError, KeyError, AttributeError):
        index = json.loads((home / "data" / "machine-index" / "index").read_text(encoding="utf-8"))
        for machine in index["machines"].values():
            directory = str(Path(machine["local_data_path"]).parent)
            found.setdefault(directory, []).append(str(machine["state"]))
    return found


def directory_of(name: str) -> Path:
    """The directory of the lab of a name. Raises BadInput when there is none, or more than one."""
    entered = [entry for entry in registry.entries() if entry.name == name and entry.there]
    places = [entry.directory for entry in entered]
    if not places:
        labs = [lab for lab in everything() if lab.state != "gone"]
        places = [lab.directory for lab in labs if lab.name == name]
        if not places:
            there = ", ".join(f"{lab.name} ({lab.directory})" for lab in labs)
            remedy = f"Labs: {there}" if there else "There is none yet: `labctl up` makes one in the current directory."
            raise BadInput(f"There is no lab {name!r} on this machine", remedy)
    if len(places) > 1:
        raise BadInput(f"There are {len(places)} labs {name!r}", f"Take one with -C: {', '.join(places)}")
    return Path(places[0])
