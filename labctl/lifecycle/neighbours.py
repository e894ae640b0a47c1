"""What else is on this machine: the networks, containers and labs that a lab must not collide with."""

from collections.abc import Iterable

from labctl.lab import registry
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.lifecycle import conflicts
from labctl.providers import containers, host_networks
from labctl.providers.engine import Engine


def around(lab: Lab, paths: LabPaths, engines: Iterable[Engine]) -> conflicts.Around:
    """What a lab is compared with for conflicts, as the host, the engines and the register of labs have it now."""
    working = list(engines)
    known = [item for engine in working for item in engine.networks()]
    return conflicts.Around(
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
