"""Is the lab's network free? Asked before anything is made, of the host's routes and of other labs."""

import itertools
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from labctl.errors import BadInput
from labctl.lab import registry
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.lab.registry import Entry
from labctl.lab.schema import PRIVATE
from labctl.lifecycle.context import LabContext
from labctl.providers import containers, host_networks
from labctl.providers.containers import Container, OwnNetwork
from labctl.providers.engine import Engine
from labctl.providers.host_networks import Taken

_SMALLEST_PREFIX = 8


@dataclass(frozen=True)
class Others:
    """What a lab may collide with on this machine.

    labs has the other labs of this user, host and engine the networks of the machine and of the container engines, own
    the engine's network with the lab's name, containers those with names of the lab or its label. exists says that the
    lab's virtual machines exist, and with them a bridge for their network.
    """

    host: Sequence[Taken] = ()
    engine: Sequence[Taken] = ()
    own: OwnNetwork | None = None
    containers: Sequence[Container] = ()
    labs: Sequence[Entry] = ()
    exists: bool = False


def find_others(context: LabContext) -> Others:
    """What is on this machine now, as far as the lab's provider shares it."""
    return find_others_in(context.lab, context.paths, context.provider.engines())


def find_others_in(lab: Lab, paths: LabPaths, engines: Iterable[Engine]) -> Others:
    """What is on this machine now: the host's networks, those of engines, their containers, and registered labs."""
    working = list(engines)
    known = [item for engine in working for item in engine.networks()]
    return Others(
        host=host_networks.of_host(),
        engine=list(host_networks.of_engine([(item.name, item.subnet) for item in known], lab.network_name)),
        own=next((item for item in known if item.name == lab.network_name), None),
        containers=[
            container
            for engine in working
            for container in containers.find(engine, prefix=lab.container_prefix, paths=paths)
        ],
        labs=registry.others(paths),
        exists=(paths.dotfile / "machines").is_dir(),
    )


@dataclass(frozen=True)
class Problem:
    """Why a key of lab.yaml cannot be what it is, a value that is free or None, and another way out."""

    reason: str
    key: str
    free: str | IPv4Network | None
    way: str = ""


def check(lab: Lab, paths: LabPaths, others: Others) -> None:
    """Refuse a lab whose network or names others use. Raises BadInput with names and networks that are free."""
    found = problems(lab, paths, others)
    if not found:
        return
    message = f"{'; '.join(problem.reason for problem in found)}; nothing was changed"
    if any(problem.free is None for problem in found):
        raise BadInput(message, "No private network of this size is free.")
    ways = "".join(f", or {problem.way}" for problem in found if problem.way)
    lines = [f"  {problem.key}: {problem.free}" for problem in found]
    raise BadInput(message, "\n".join([f"Write what is free into {paths.lab_yaml}{ways}:", *lines]))


def problems(lab: Lab, paths: LabPaths, others: Others) -> list[Problem]:
    """What a lab collides with; empty when its name and networks are free."""
    own = others.own
    foreign = own is not None and own.directory != str(paths.directory)
    of_name = [Taken(own.subnet, f"the container network {own.name}")] if own and own.subnet and foreign else []
    used = (*of_labs(others.labs), *others.engine, *of_name, *others.host)
    # Half of all addresses is a default route in disguise, as VPNs set it.
    taken = [item for item in used if item.network.prefixlen >= _SMALLEST_PREFIX]
    foreigners = [item for item in taken if not _is_own(item, lab, None if foreign else own, others.exists)]
    name = _name_problem(lab, paths, own, others.containers, others.labs)
    return [*([name] if name else []), *_network_problems(lab, foreigners, others.labs)]


def _name_problem(
    lab: Lab, paths: LabPaths, own: OwnNetwork | None, containers: Iterable[Container], labs: Sequence[Entry]
) -> Problem | None:
    wanted = {lab.container(node) for node in lab.nodes}
    things = [(f"container {c.name}", c.directory) for c in containers if c.name in wanted]
    things += [(f"network {own.name}", own.directory)] if own else []
    things += [(f"lab {entry.name}", entry.directory) for entry in labs if entry.name == lab.name]
    for thing, directory in things:
        if directory != str(paths.directory):
            by = f"the lab in {directory}" if directory else "something else"
            way = f"`labctl -C {shlex.quote(directory)} destroy`" if directory else "hand"
            free = _other_name(lab.name, {entry.name for entry in labs})
            reason = f"The name {lab.name!r} is taken: the {thing} belongs to {by}"
            return Problem(reason, "name", free, f"remove the other by {way}")
    return None


def _network_problems(lab: Lab, others: Sequence[Taken], labs: Iterable[Entry]) -> Iterator[Problem]:
    free: IPv4Network | None = lab.network
    if hit := next((taken for taken in others if taken.network.overlaps(lab.network)), None):
        free = next(_free(lab.network.prefixlen, lab.traits.networks, others), None)
        yield Problem(f"Network {lab.network} is taken by {hit.by}", "network", free)
    clash = next((entry for entry in labs if entry.subnet.overlaps(lab.guest_network)), None)
    if clash is not None and lab.networking == "neutron":
        nodes = [Taken(free, "this lab's nodes")] if free else []
        guests = next(_free(lab.guest_network.prefixlen, PRIVATE, [*others, *nodes]), None)
        of = f"the nodes' {clash.network} of the lab {clash.name} in {clash.directory}"
        yield Problem(f"guest_network {lab.guest_network} overlaps {of}", "guest_network", guests)


def of_labs(labs: Iterable[Entry]) -> Iterator[Taken]:
    """The networks of other labs, also of those that are switched off: their nodes' and their instances'.

    Two labs may have the same network for instances, which exists on the wire between one lab's nodes only. But an
    address must not be a node in one lab and an instance in another.
    """
    for entry in labs:
        where = f"the lab {entry.name} in {entry.directory}"
        yield Taken(entry.subnet, f"{where} ({entry.network})")
        if entry.guest_subnet is not None:
            yield Taken(entry.guest_subnet, f"the instances of {where} ({entry.guest_network})")


def _other_name(name: str, taken: Collection[str]) -> str:
    """A name with a number that no lab has; the default one gets it without a hyphen."""
    stem = name if name == "lab" else f"{name[:16]}-"
    return next(new for number in itertools.count(2) if (new := f"{stem}{number}") not in taken)


def _is_own(taken: Taken, lab: Lab, own: OwnNetwork | None, exists: bool) -> bool:
    """The lab's own bridge does not count, and neither does what its provider keeps for every lab on that network."""
    device, traits = taken.device or "", lab.traits
    if own is not None and device and device == own.interface:
        return True
    if traits.bridge is None or not device.startswith(traits.bridge):
        return False
    return traits.every_bridge or (exists and taken.network == lab.network)


def _free(prefix: int, places: Iterable[IPv4Network], others: Sequence[Taken]) -> Iterator[IPv4Network]:
    """Networks of a size that nobody uses, in the order of the places where they may lie."""
    for place in places:
        if place.prefixlen > prefix:
            continue
        for candidate in place.subnets(new_prefix=prefix):
            if not any(taken.network.overlaps(candidate) for taken in others):
                yield candidate
