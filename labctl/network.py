"""Is the lab's network free? Asked before anything is made, of the host's routes and of other labs."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Interface, IPv4Network
from pathlib import Path

from labctl.containers import Container, OwnNetwork
from labctl.description import Lab
from labctl.errors import BadInput
from labctl.labfile import PRIVATE, VIRTUALBOX
from labctl.paths import LabPaths

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


def check(
    lab: Lab,
    paths: LabPaths,
    *,
    host: Iterable[Taken],
    engine: Iterable[Taken] = (),
    own: OwnNetwork | None = None,
    containers: Iterable[Container] = (),
    exists: bool = False,
) -> None:
    """Refuse a lab whose network or names others use. Raises BadInput with a network that is free.

    engine has the networks of the container engine, own the one with the lab's name, containers those with names of the
    lab or its label. exists says that the lab's virtual machines exist, and with them a bridge for their network.
    """
    _check_names(lab, paths, own, containers)
    # Half of all addresses is a default route in disguise, as VPNs set it.
    used = (taken for taken in (*host, *engine) if taken.network.prefixlen >= _SMALLEST_PREFIX)
    others = [taken for taken in used if not _is_own(taken, lab, own, exists)]
    hit = next((taken for taken in others if taken.network.overlaps(lab.network)), None)
    if hit is None:
        return
    free = next(_free(lab, others), None)
    message = f"Network {lab.network} is taken by {hit.by}; nothing was changed"
    if free is None:
        raise BadInput(message, "No private network of this size is free.")
    raise BadInput(message, f"This one is free; write it into {paths.lab_yaml}:\n  network: {free}")


def _check_names(lab: Lab, paths: LabPaths, own: OwnNetwork | None, containers: Iterable[Container]) -> None:
    mine = str(paths.directory)
    wanted = {lab.container(node) for node in lab.nodes}
    things = [(f"container {c.name}", c.directory) for c in containers if c.name in wanted]
    things += [(f"network {own.name}", own.directory)] if own else []
    for thing, directory in things:
        if directory == mine:
            continue
        by = f"the lab in {directory}" if directory else "something else"
        way = f"`labctl -C {shlex.quote(directory)} destroy`" if directory else "hand"
        raise BadInput(
            f"The name {lab.name!r} is taken: the {thing} belongs to {by}; nothing was changed",
            f"Write another into {paths.lab_yaml}, or remove it by {way}:\n  name: {_other_name(lab.name)}",
        )


def _other_name(name: str) -> str:
    return f"{name[:18]}-2" if name != "lab" else "lab2"


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


def _free(lab: Lab, others: list[Taken]) -> Iterator[IPv4Network]:
    """Private networks of the size of the lab's that nobody uses, those near the default first."""
    places = (VIRTUALBOX,) if lab.provider == "virtualbox" else (VIRTUALBOX, *reversed(PRIVATE))
    for place in places:
        if place.prefixlen > lab.network.prefixlen:
            continue
        for candidate in place.subnets(new_prefix=lab.network.prefixlen):
            if not any(taken.network.overlaps(candidate) for taken in others):
                yield candidate
