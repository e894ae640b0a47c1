"""Whether the lab's name and networks are free: of the host's routes, container engines and other labs."""

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
from labctl.providers import containers, host_networks
from labctl.providers.containers import Container, OwnNetwork
from labctl.providers.engine import Engine
from labctl.providers.host_networks import Taken


@dataclass(frozen=True)
class Others:
    """What a lab may conflict with on this machine.

    host and engine have the networks of the machine and of the container engines, own the engine's network with the
    lab's name, containers those with the lab's name or label, labs the other labs of this user. exists says that the
    lab's virtual machines exist, and with them a bridge for their network.
    """

    host: Sequence[Taken] = ()
    engine: Sequence[Taken] = ()
    own: OwnNetwork | None = None
    containers: Sequence[Container] = ()
    labs: Sequence[Entry] = ()
    exists: bool = False


def find_others(lab: Lab, paths: LabPaths, engines: Sequence[Engine]) -> Others:
    """What is on this machine now: the host's networks, those of engines, their containers, and registered labs."""
    known = [network for engine in engines for network in containers.networks(engine)]
    prefix = lab.container_prefix
    return Others(
        host=host_networks.of_host(),
        engine=[
            Taken(item.subnet, f"the container network {item.name} ({item.subnet})")
            for item in known
            if item.subnet and item.name != lab.network_name
        ],
        own=next((item for item in known if item.name == lab.network_name), None),
        containers=[item for engine in engines for item in containers.find(engine, prefix=prefix, paths=paths)],
        labs=registry.others(paths),
        exists=(paths.dotfile / "machines").is_dir(),
    )


@dataclass(frozen=True)
class Problem:
    """Why a key of lab.yaml cannot have its value, a value that is free or None, and an alternative remedy."""

    reason: str
    key: str
    free: str | IPv4Network | None
    way: str = ""


def check(lab: Lab, paths: LabPaths, others: Others) -> None:
    """Refuse a lab whose network or name is in use. Raises BadInput with a name and networks that are free."""
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
    """What a lab conflicts with; empty if its name and networks are free."""
    own = others.own
    foreign = own is not None and own.directory != str(paths.directory)
    of_name = [Taken(own.subnet, f"the container network {own.name}")] if own and own.subnet and foreign else []
    used = (*_of_labs(others.labs), *others.engine, *of_name, *others.host)
    # A larger network is a default route in disguise: VPNs set one for each half of all addresses.
    taken = [item for item in used if item.network.prefixlen >= 8]
    foreigners = [item for item in taken if not _is_own(item, lab, None if foreign else own, others.exists)]
    return [*_name_problem(lab, paths, others), *_network_problems(lab, foreigners, others.labs)]


def _name_problem(lab: Lab, paths: LabPaths, others: Others) -> Iterator[Problem]:
    own, labs = others.own, others.labs
    wanted = {lab.container(node) for node in lab.nodes}
    things = [(f"container {item.name}", item.directory) for item in others.containers if item.name in wanted]
    things += [(f"network {own.name}", own.directory)] if own else []
    things += [(f"lab {entry.name}", entry.directory) for entry in labs if entry.name == lab.name]
    for thing, directory in things:
        if directory != str(paths.directory):
            by = f"the lab in {directory}" if directory else "something else"
            way = f"`labctl -C {shlex.quote(directory)} destroy`" if directory else "hand"
            reason = f"The name {lab.name!r} is taken: the {thing} belongs to {by}"
            yield Problem(
                reason, "name", _other_name(lab.name, {entry.name for entry in labs}), f"remove the other by {way}"
            )
            return


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


def _of_labs(labs: Iterable[Entry]) -> Iterator[Taken]:
    """The networks of other labs' nodes and instances, whether they run or not.

    Two labs may have the same network for instances, which exists between the nodes of one lab only. But an address
    must not be a node in one lab and an instance in another.
    """
    for entry in labs:
        where = f"the lab {entry.name} in {entry.directory}"
        yield Taken(entry.subnet, f"{where} ({entry.network})")
        if entry.guest_subnet is not None:
            yield Taken(entry.guest_subnet, f"the instances of {where} ({entry.guest_network})")


def _other_name(name: str, taken: Collection[str]) -> str:
    """A name with a number that no lab has; the default name gets it without a hyphen."""
    stem = name if name == "lab" else f"{name[:16]}-"
    return next(new for number in itertools.count(2) if (new := f"{stem}{number}") not in taken)


def _is_own(taken: Taken, lab: Lab, own: OwnNetwork | None, exists: bool) -> bool:
    """Whether it is the lab's own bridge, or one that its provider keeps for every lab on that network."""
    device, traits = taken.device or "", lab.traits
    if own is not None and device and device == own.interface:
        return True
    if traits.bridge is None or not device.startswith(traits.bridge):
        return False
    return traits.every_bridge or (exists and taken.network == lab.network)


def _free(prefix: int, places: Iterable[IPv4Network], others: Sequence[Taken]) -> Iterator[IPv4Network]:
    """Networks of a size that nobody uses, in the order of the ranges where they may be."""
    for place in places:
        for candidate in place.subnets(new_prefix=prefix) if place.prefixlen <= prefix else ():
            if not any(taken.network.overlaps(candidate) for taken in others):
                yield candidate
