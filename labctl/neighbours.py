"""What else is on this machine: the networks, containers and labs that a lab must not collide with."""

from collections.abc import Iterable

from labctl import containers, network, registry
from labctl.description import Lab
from labctl.engine import Engine
from labctl.paths import LabPaths


def around(lab: Lab, paths: LabPaths, engines: Iterable[Engine]) -> network.Around:
    """What labctl.network compares a lab with, as the host, the engines and the register of labs have it now."""
    working = list(engines)
    known = [item for engine in working for item in engine.networks()]
    return network.Around(
        host=network.of_host(),
        engine=list(network.of_engine([(item.name, item.subnet) for item in known], lab.network_name)),
        own=next((item for item in known if item.name == lab.network_name), None),
        containers=[
            container
            for engine in working
            for container in containers.find(engine, prefix=lab.container_prefix, paths=paths)
        ],
        labs=registry.others(paths),
        exists=(paths.dotfile / "machines").is_dir(),
    )
