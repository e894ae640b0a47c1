"""Put right and remove the nodes, from whatever state an earlier run has left them in."""

import contextlib
import shutil
from collections.abc import Callable, Sequence

from labctl.errors import LabError
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.providers import containers, vagrant
from labctl.providers.containers import Container, Engine
from labctl.providers.vagrant import Machines

Report = Callable[[str], None]

# What Vagrant can deal with. Anything else (created, configured, dead, ...) comes from an engine's interrupted start.
_SOUND = ("running", "exited", "stopped")


def recover(lab: Lab, paths: LabPaths, engine: Engine, report: Report, *, inside: bool = False) -> list[str]:
    """Make Vagrant's memory and the engine's containers agree. Returns the names of the nodes that do not run.

    Vagrant notes the container's id after `docker run`: a run that is killed in between leaves a container that Vagrant
    does not know and whose name it cannot use again, or the note "preparing". Such a container is new and empty.
    inside says that a Vagrant is running, which has read its notes: then only the containers are put right.
    Raises LabError when the engine has lost a container for good: what it holds is not thrown away.
    """
    found = {container.name: container for container in _found_again(lab, paths, engine, report)}
    idle = []
    for node in lab.nodes:
        container = found.get(lab.container(node))
        known = vagrant.machine_id(paths, node.name, lab.provider)
        if container is not None and container.state == "paused":
            engine.run("unpause", container.id)
            report(f"{node.name}: was paused, goes on")
            container = Container(container.id, container.name, "running", container.directory)
        if container is not None and (container.id != known or container.state not in _SOUND):
            report(f"{node.name}: an interrupted run left the container half-made; removed")
            engine.run("rm", "--force", "--volumes", container.id)
            container = None
        if container is None and known is not None and not inside:
            vagrant.forget(paths, node.name, lab.provider)
        if container is None or container.state != "running":
            idle.append(node.name)
    return idle


def remove_one(lab: Lab, node: Node, paths: LabPaths, machines: Machines, engine: Engine | None) -> None:
    """Remove a node that leaves, and Vagrant's memory of it; what is gone already is no trouble."""
    if engine is not None:
        _remove([own for own in _own(lab, paths, engine) if own.name == lab.container(node)], engine)
    elif vagrant.machine_id(paths, node.name, lab.provider) is not None:
        machines.destroy(node.name)
    shutil.rmtree(vagrant.machine_directory(paths, node.name, lab.provider).parent, ignore_errors=True)


def remove(
    lab: Lab, paths: LabPaths, machines: Machines | None, engine: Engine | None, report: Report
) -> Sequence[str]:
    """Remove every node of the lab, also those that lab.yaml no longer describes. Returns the names of the containers.

    Containers go first and at once: nobody needs a clean end of what is thrown away. Vagrant then finds them gone and
    forgets them; virtual machines it removes itself.
    """
    mine = _own(lab, paths, engine) if engine is not None else []
    removed = [container.name for container in mine]
    if engine is not None:
        for name in removed:
            report(f"removing {name}")
        _remove(mine, engine)
    if machines is not None and (paths.dotfile / "machines").is_dir():
        machines.destroy()
    shutil.rmtree(paths.dotfile, ignore_errors=True)
    return removed


def _found_again(lab: Lab, paths: LabPaths, engine: Engine, report: Report) -> list[Container]:
    """The lab's containers, after those that are lost were stopped, by which newer Podman (5.1) sees that they are."""
    own = _own(lab, paths, engine)
    lost = [container for container in own if container.state == containers.LOST]
    for container in lost:
        report(f"{container.name}: its processes are gone and Podman says that it runs; stopped")
        with contextlib.suppress(LabError):
            engine.run("stop", "--time", "0", container.id)
    own = _own(lab, paths, engine) if lost else own
    if still := [container.name for container in own if container.state == containers.LOST]:
        raise LabError(
            f"Podman takes {', '.join(still)} for running, though its processes were killed, and can neither stop nor "
            "start it",
            "After a reboot of this machine Podman knows better, and `labctl up` goes on with all that the nodes hold. "
            "Without: `labctl destroy` and `labctl up` make the lab anew.",
        )
    return own


def _own(lab: Lab, paths: LabPaths, engine: Engine) -> list[Container]:
    found = containers.find(engine, prefix=lab.container_prefix, paths=paths)
    return [container for container in found if container.directory == str(paths.directory)]


def _remove(mine: Sequence[Container], engine: Engine) -> None:
    """All at once: the engine takes several side by side."""
    running = [container.id for container in mine if container.state == "running"]
    if running:
        with contextlib.suppress(LabError):  # one has ended meanwhile; `rm --force` is enough, only slower
            engine.run("kill", *running)
    if mine:
        engine.run("rm", "--force", "--volumes", *(container.id for container in mine))
