"""Every lab of this user and machine: those in the register, and those whose nodes or networks the engines have."""

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

    state is running, stopped, paused or another word of the engine or of Vagrant if all nodes are alike, else how many
    of them run; "no nodes" if there are none, "unknown" if no engine can be asked, "gone" if nothing is left of the
    lab. note says what to do about a directory that is gone. since is in UTC, ISO 8601.
    """

    name: str
    directory: str
    state: str
    network: str | None
    since: str | None
    note: str = ""


@dataclass
class _Traces:
    """What is left of the lab in one directory: its entry in the register, its containers and networks."""

    entry: Entry | None = None
    containers: list[Container] = field(default_factory=list)
    networks: list[OwnNetwork] = field(default_factory=list)


def everything() -> list[Known]:
    """All labs, by name. A lab that is gone is listed a last time, and forgotten. Raises LabError as the engines do."""
    traces: defaultdict[str, _Traces] = defaultdict(_Traces)
    for entry in registry.entries():
        traces[entry.directory].entry = entry
    engines = working(LabPaths(Path("/nonexistent")))
    for engine in engines:
        for container in containers.of_all_labs(engine):
            # Other containers come and go while images are built.
            if _CONTAINER.fullmatch(container.name):
                traces[str(container.directory)].containers.append(container)
        for network in containers.networks(engine, labs_only=True):
            traces[str(network.directory)].networks.append(network)
    machines = _machines()
    found = [_known(directory, seen, machines, asked=bool(engines)) for directory, seen in traces.items()]
    return sorted(found, key=lambda lab: (lab.name, lab.directory))


def _known(directory: str, seen: _Traces, machines: Mapping[str, list[str]], *, asked: bool) -> Known:
    entry, paths = seen.entry, LabPaths(Path(directory))
    in_engine = entry is None or entry.in_containers
    if in_engine and not asked:
        state = "unknown"
    elif entry is not None and not entry.there and not seen.containers and not seen.networks:
        state = "gone"
        registry.forget(directory)
    else:
        states = [container.state for container in seen.containers] if in_engine else machines.get(directory, [])
        state = _state(states, len(records.nodes(paths)))
    name, network, since = (entry.name, entry.network, entry.since) if entry else ("?", None, None)
    if entry is None:
        names = [_CONTAINER.fullmatch(container.name) for container in seen.containers]
        names += [_NETWORK.fullmatch(network.name) for network in seen.networks]
        name = next((match["lab"] for match in names if match), name)
        network = next((str(network.subnet) for network in seen.networks if network.subnet), None)
        since = min(filter(None, (_utc(container.created) for container in seen.containers)), default=None)
    note = "" if paths.directory.is_dir() else _note(name, directory, entry, gone=state == "gone")
    return Known(name, directory, state, network, since, note)


def _note(name: str, directory: str, entry: Entry | None, *, gone: bool) -> str:
    """What to do about a directory that is gone."""
    if entry is not None and not entry.in_containers:
        return f"{directory} is gone; machines named novalab-{name}-NODE may be left in {entry.provider}"
    if gone:
        return f"{directory} is gone, and so is the lab"
    place = shlex.quote(directory)
    return f"{directory} is gone; this removes the rest: mkdir -p {place} && labctl -C {place} destroy"


def _state(states: Sequence[str], nodes: int) -> str:
    """One word for the states of all nodes. nodes is how many the lab was built with."""
    words = [node_state(state) for state in states]
    if not words:
        return "no nodes"
    if len(words) >= nodes and len(set(words)) == 1:
        return words[0]
    return f"{words.count(NodeState.RUNNING)} of {max(nodes, len(words))} running"


def _utc(moment: str) -> str | None:
    """A time as the register writes it, None if it cannot be read."""
    with contextlib.suppress(ValueError):
        return registry.moment(datetime.fromisoformat(moment))
    return None


def _machines() -> dict[str, list[str]]:
    """The states of virtual machines by the lab's directory, as Vagrant last saw them: to ask it takes seconds."""
    home = Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")
    found: defaultdict[str, list[str]] = defaultdict(list)
    with contextlib.suppress(OSError, ValueError, KeyError, AttributeError):
        index = json.loads((home / "data" / "machine-index" / "index").read_text(encoding="utf-8"))
        for machine in index["machines"].values():
            found[str(Path(machine["local_data_path"]).parent)].append(str(machine["state"]))
    return found


def directory_of(name: str) -> Path:
    """The directory of the lab with a name. Raises BadInput if there is none, or more than one."""
    places = [entry.directory for entry in registry.entries() if entry.name == name and entry.there]
    if not places:
        labs = [lab for lab in everything() if lab.state != "gone"]
        places = [lab.directory for lab in labs if lab.name == name]
        if not places:
            known = ", ".join(f"{lab.name} ({lab.directory})" for lab in labs)
            remedy = (
                f"Labs: {known}" if known else "There is none yet: `labctl up` builds one in the current directory."
            )
            raise BadInput(f"There is no lab {name!r} on this machine", remedy)
    if len(places) > 1:
        raise BadInput(f"There are {len(places)} labs {name!r}", f"Select one with -C: {', '.join(places)}")
    return Path(places[0])
