"""The networks that this machine already uses: its routes and its addresses."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Taken:
    """A network that is in use. by says who uses it; device is the host's interface, if it is known."""

    network: IPv4Network
    by: str
    device: str | None = None


def of_host() -> list[Taken]:
    """The networks that the host's routes and addresses use; none if it is not Linux."""
    if shutil.which("ip") is None:
        return _from_proc()
    taken = []
    for route in _ip("route"):
        if route.get("dst") not in (None, "default"):
            device = route.get("dev")
            by = f"the host's route to {route['dst']}" + (f" by {device}" if device else "")
            taken.append(Taken(IPv4Network(route["dst"], strict=False), by, device))
    for link in _ip("addr"):
        for entry in link.get("addr_info", []):
            address = IPv4Interface(f"{entry['local']}/{entry['prefixlen']}")
            taken.append(Taken(address.network, f"the host's address {address} on {link['ifname']}", link["ifname"]))
    return taken


def _ip(kind: str) -> list[dict[str, Any]]:
    command = ["ip", "-j", "-4", kind, "show"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    return list(json.loads(said or "[]"))


def _from_proc(path: Path = Path("/proc/net/route")) -> list[Taken]:
    """The kernel's routing table without iproute2; addresses in it are hexadecimal, lowest byte first."""
    taken = []
    for line in path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []:
        device, destination, _, _, _, _, _, mask = line.split()[:8]
        network = IPv4Network((_address(destination), int(mask, 16).bit_count()))
        if network.prefixlen:
            taken.append(Taken(network, f"the host's route to {network} by {device}", device))
    return taken


def _address(text: str) -> int:
    return int.from_bytes(int(text, 16).to_bytes(4, "little"), "big")
