"""The description of a lab with every choice made: what lab.yaml says, and defaults for what it leaves out."""

import re
import sys
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from pydantic import BaseModel, ConfigDict, Field

from labctl.errors import BadInput
from labctl.lab import schema, validation, yaml_reader
from labctl.lab.paths import LabPaths
from labctl.lab.schema import Engine, Image, Networking, Provider, Release, VirtType
from labctl.lab.service_files import Group

__all__ = ["Group", "Lab", "Node", "Release", "load", "resolve"]

_SHOWN = 20  # mistakes
_COMPUTE = re.compile(r"compute([1-9][0-9]*)")
# Debian's own boxes come for libvirt only; Bento's are the well-kept ones for VirtualBox.
_BOXES = {
    ("libvirt", Release.EPOXY): "debian/trixie64",
    ("libvirt", Release.ZED): "debian/bookworm64",
    ("virtualbox", Release.EPOXY): "bento/debian-13",
    ("virtualbox", Release.ZED): "bento/debian-12",
}


class Node(BaseModel):
    """One machine of the lab. memory is in MiB; memory and cpus are those of virtual machines only."""

    model_config = ConfigDict(frozen=True)

    name: str
    group: Group
    address: IPv4Address
    cpus: int
    memory: int


class Lab(BaseModel):
    """A lab as it should be. box is None if the nodes are containers; secrets holds only those from lab.yaml."""

    model_config = ConfigDict(frozen=True)

    name: str
    release: Release
    provider: Provider
    engine: Engine
    network: IPv4Network
    networking: Networking
    guest_network: IPv4Network
    dashboard: bool
    virt_type: VirtType
    box: str | None
    images: tuple[Image, ...]
    secrets: dict[str, str] = Field(repr=False, exclude=True)
    nodes: tuple[Node, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """The parts of the lab: the names of the sets of roles in group_vars, in the order of installation."""
        chosen = {"neutron": self.networking == "neutron", "dashboard": self.dashboard}
        return ("nova", *(name for name, wanted in chosen.items() if wanted))

    @property
    def traits(self) -> schema.ProviderTraits:
        """How labs of this provider differ from others."""
        return schema.PROVIDERS[self.provider]

    @property
    def host_address(self) -> IPv4Address:
        """This machine's address in the nodes' network: engines and Vagrant's providers take the first."""
        return self.network.network_address + 1

    @property
    def guest_gateway(self) -> IPv4Address:
        """The controller's address in the instances' network."""
        return self.guest_network.network_address + 1

    @property
    def dashboard_url(self) -> str | None:
        """Where the dashboard is, None without one."""
        return f"http://{self.controller.address}/" if self.dashboard else None

    @property
    def network_name(self) -> str:
        """The engine's network for this lab."""
        return f"novalab-{self.name}"

    @property
    def container_prefix(self) -> str:
        """The prefix of the names of this lab's containers, before a hyphen and the node's name."""
        return f"novalab-{self.name}"

    def container(self, node: Node) -> str:
        """The name of a node's container."""
        return f"{self.container_prefix}-{node.name}"

    @property
    def controller(self) -> Node:
        """The first node."""
        return self.nodes[0]

    @property
    def computes(self) -> tuple[Node, ...]:
        """All nodes but the controller."""
        return self.nodes[1:]

    def with_nodes(self, nodes: Iterable[Node]) -> "Lab":
        """The lab with more nodes than it describes."""
        return self.model_copy(update={"nodes": (*self.nodes, *nodes)})

    def former_computes(self, names: Iterable[str]) -> tuple[Node, ...]:
        """Those of the names that are computes which the lab no longer describes, as nodes, highest number first."""
        described = {node.name for node in self.nodes}
        numbers = {int(match[1]) for name in names if name not in described and (match := _COMPUTE.fullmatch(name))}
        sizes = self.computes[0]
        return tuple(
            sizes.model_copy(update={"name": f"compute{number}", "address": compute_address(self.network, number)})
            for number in sorted(numbers, reverse=True)
        )

    def node(self, name: str) -> Node:
        """The node with a name. Raises BadInput when there is none."""
        nodes = {node.name: node for node in self.nodes}
        if name not in nodes:
            raise BadInput(f"There is no node {name!r} in lab {self.name}", f"Nodes: {', '.join(nodes)}")
        return nodes[name]


def compute_address(network: IPv4Network, number: int) -> IPv4Address:
    """The address of a compute; numbers begin with 1."""
    return network.network_address + schema.COMPUTE_OFFSET + number - 1


def resolve(file: schema.LabFile, *, platform: str = sys.platform) -> Lab:
    """Make the choices that the file leaves open. platform is Python's name of the operating system."""
    provider = schema.resolved_provider(file, platform)
    address = file.network.network_address + schema.CONTROLLER_OFFSET
    nodes = [Node(name="controller", group="controller_nodes", address=address, **dict(file.controller))]
    sizes = file.computes.model_dump(exclude={"count"})
    for number in range(1, file.computes.count + 1):
        address = compute_address(file.network, number)
        nodes.append(Node(name=f"compute{number}", group="compute_nodes", address=address, **sizes))
    choices = {
        "provider": provider,
        "box": None if schema.PROVIDERS[provider].containers else file.box or _BOXES[provider, file.release],
        "nodes": nodes,
    }
    return Lab.model_validate(dict(file) | choices)


def load(paths: LabPaths, *, platform: str = sys.platform) -> Lab:
    """Read the lab's description. Raises BadInput with everything that is wrong in lab.yaml, line by line."""
    if not paths.directory.is_dir():
        raise BadInput(f"{paths.directory} is not a directory", "Create it first, or name another one with -C.")
    chosen = yaml_reader.read(paths.lab_yaml)
    file, mistakes = validation.check(chosen, platform=platform)
    if mistakes:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        more = [f"  and {len(mistakes) - _SHOWN} more"] if len(mistakes) > _SHOWN else []
        lines = "\n".join([*(f"  {mistake}" for mistake in mistakes[:_SHOWN]), *more])
        raise BadInput(f"{paths.lab_yaml}: {count}, nothing was changed\n{lines}")
    return resolve(file, platform=platform)
