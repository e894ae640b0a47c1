"""Is the lab's network free? Asked before anything is made, of the host's routes and of other labs."""

import itertools
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TypedDict, Unpack

from labctl.errors import BadInput
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.lab.registry import Entry
from labctl.lab.schema import PRIVATE, VIRTUALBOX
from labctl.providers.containers import Container, OwnNetwork
from labctl.providers.host_networks import Taken

_SMALLEST_PREFIX = 8


class Around(TypedDict, total=False):
    """What is around a lab.

    labs has the other labs of this user, host and engine the networks of the machine and of the container engine, own
    the engine's network with the lab's name, containers those with names of the lab or its label. exists says that the
    lab's virtual machines exist, and with them a bridge for their network.
    """

    host: Iterable[Taken]
    engine: Iterable[Taken]
    own: OwnNetwork | None
    containers: Iterable[Container]
    labs: Sequence[Entry]
    exists: bool


@dataclass(frozen=True)
class Problem:
    """Why a key of lab.yaml cannot be what it is, a value that is free or None, and another way out."""

    reason: str
    key: str
    free: str | IPv4Network | None
    way: str = ""


def check(lab: Lab, paths: LabPaths, **around: Unpack[Around]) -> None:
    """Refuse a lab whose network or names others use. Raises BadInput with names and networks that are free."""
    found = problems(lab, paths, **around)
    if not found:
        return
    message = f"{'; '.join(problem.reason for problem in found)}; nothing was changed"
    if any(problem.free is None for problem in found):
        raise BadInput(message, "No private network of this size is free.")
    ways = "".join(f", or {problem.way}" for problem in found if problem.way)
    lines = [f"  {problem.key}: {problem.free}" for problem in found]
    raise BadInput(message, "\n".join([f"Write what is free into {paths.lab_yaml}{ways}:", *lines]))


def problems(lab: Lab, paths: LabPaths, **around: Unpack[Around]) -> list[Problem]:
    """What a lab collides with; empty when its name and networks are free."""
    own, labs = around.get("own"), around.get("labs", ())
    foreign = own is not None and own.directory != str(paths.directory)
    of_name = [Taken(own.subnet, f"the container network {own.name}")] if own and own.subnet and foreign else []
    used = (*of_labs(labs), *around.get("engine", ()), *of_name, *around.get("host", ()))
    # Half of all addresses is a default route in disguise, as VPNs set it.
    taken = [item for item in used if item.network.prefixlen >= _SMALLEST_PREFIX]
    exists = around.get("exists", False)
    others = [item for item in taken if not _is_own(item, lab, None if foreign else own, exists)]
    name = _name_problem(lab, paths, own, around.get("containers", ()), labs)
    return [*([name] if name else []), *_network_problems(lab, others, labs)]


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
        places = (VIRTUALBOX,) if lab.provider == "virtualbox" else (VIRTUALBOX, *reversed(PRIVATE))
        free = next(_free(lab.network.prefixlen, places, others), None)
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
    """The lab's own bridge does not count, and neither does what VirtualBox keeps for every lab on that network."""
    if own is not None and taken.device is not None and taken.device == own.interface:
        return True
    if lab.provider == "virtualbox" and (taken.device or "").startswith("vboxnet"):
        return True
    bridge = (taken.device or "").startswith("virbr") and taken.network == lab.network
    return exists and lab.provider == "libvirt" and bridge


def _free(prefix: int, places: Iterable[IPv4Network], others: Sequence[Taken]) -> Iterator[IPv4Network]:
    """Networks of a size that nobody uses, in the order of the places where they may lie."""
    for place in places:
        if place.prefixlen > prefix:
            continue
        for candidate in place.subnets(new_prefix=prefix):
            if not any(taken.network.overlaps(candidate) for taken in others):
                yield candidate
