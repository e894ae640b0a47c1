"""The table of providers."""

from collections.abc import Callable

from labctl.lab import schema
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.providers.base import Provider
from labctl.providers.container_nodes import ContainerNodes
from labctl.providers.machine_nodes import MachineNodes

PROVIDERS: dict[schema.Provider, Callable[[Lab, LabPaths], Provider]] = {
    "docker": ContainerNodes,
    "libvirt": MachineNodes,
    "virtualbox": MachineNodes,
}


def provider_of(lab: Lab, paths: LabPaths) -> Provider:
    """The provider of a lab's nodes, which has looked at nothing yet."""
    return PROVIDERS[lab.provider](lab, paths)
