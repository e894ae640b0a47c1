"""Is the lab's network free? Asked before anything is made, of the host's routes and of other labs."""

import itertools
import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Interface, IPv4Network
from pathlib import Path
from typing import TypedDict, Unpack

from labctl.errors import BadInput
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.lab.registry import Entry
from labctl.lab.schema import PRIVATE, VIRTUALBOX
from labctl.providers.containers import Container, OwnNetwork

_SMALLEST_PREFIX = 8
_PROC_ROUTE = Path("/proc/net/route")


@dataclass(frozen=True)
class Taken:
    """A network that is in use. device is the host's interface, if one is known; by says who uses it."""

    network: IPv4Network
    by: str
    device: str | None = None


def of_host(run: Callable[[list[str]], str] | None = None) -> list[Taken]:
    """The networks that the host's routes and addresses use; none where the host cannot be asked (not Linux)."""
    if run is None:
        if shutil.which("ip") is None:
            return _from_proc()
        run = _run
    taken = []
    for route in json.loads(run(["ip", "-j", "-4", "route", "show"]) or "[]"):
        if route.get("dst") not in (None, "default"):
            device = route.get("dev")
            by = f"the host's route to {route['dst']}" + (f" by {device}" if device else "")
            taken.append(Taken(IPv4Network(route["dst"], strict=False), by, device))
    for link in json.loads(run(["ip", "-j", "-4", "addr", "show"]) or "[]"):
        for entry in link.get("addr_info", []):
            address = IPv4Interface(f"{entry['local']}/{entry['prefixlen']}")
            taken.append(Taken(address.network, f"the host's address {address} on {link['ifname']}", link["ifname"]))
    return taken


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def _from_proc(path: Path = _PROC_ROUTE) -> list[Taken]:
    """The kernel's routing table without iproute2; addresses in it are hexadecimal, lowest byte first."""
    taken = []
    lines = path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []
    for line in lines:
        device, destination, _, _, _, _, _, mask = line.split()[:8]
        network = IPv4Network((_address(destination), int(mask, 16).bit_count()))
        if network.prefixlen:
            taken.append(Taken(network, f"the host's route to {network} by {device}", device))
    return taken


def _address(text: str) -> int:
    return int.from_bytes(int(text, 16).to_bytes(4, "little"), "big")


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


def of_engine(networks: Iterable[tuple[str, object]], own_name: str) -> Iterator[Taken]:
    """The networks of the container engine, as (name, subnet), without the lab's own one."""
    for name, subnet in networks:
        try:
            network = IPv4Network(str(subnet))
        except (AddressValueError, ValueError):
            continue  # without a subnet, or IPv6
        if name != own_name:
            yield Taken(network, f"the container network {name} ({network})")


def _free(prefix: int, places: Iterable[IPv4Network], others: Sequence[Taken]) -> Iterator[IPv4Network]:
    """Networks of a size that nobody uses, in the order of the places where they may lie."""
    for place in places:
        if place.prefixlen > prefix:
            continue
        for candidate in place.subnets(new_prefix=prefix):
            if not any(taken.network.overlaps(candidate) for taken in others):
                yield candidate
