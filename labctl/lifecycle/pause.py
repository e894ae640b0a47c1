"""The lab held still and let go on: everything in memory stays as it is, and no processor time is used."""

import time
from collections.abc import Callable, Sequence

from labctl.errors import BadInput, LabError
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.lifecycle.operations import engine_of, ssh_hosts
from labctl.providers import containers, node_state
from labctl.providers.containers import Container
from labctl.providers.engine import Engine
from labctl.providers.vagrant import Machines
from labctl.remote import ssh
from labctl.ui.progress import Progress

Look = Callable[[], Sequence[Container]]

_TRIES, _PAUSE_AGAIN = 20, 0.25  # seconds between two
# The engine's words, and those of Vagrant's providers, for a node that runs or whose memory is kept.
_ALIVE = ("running", "paused", "saved")
# A virtual machine's clock stood still meanwhile. chrony steps it after its own start only, then it slews.
_CLOCK = "systemctl restart chrony && chronyc waitsync 30 1 0 1"


def preflight(lab: Lab, paths: LabPaths) -> None:
    """Refuse a lab that is not running as a whole. Raises BadInput with each node that is not; nothing is changed."""
    found = _states(lab, paths)
    wrong = {name: state for name, state in found.items() if state not in _ALIVE}
    if wrong:
        said = ", ".join(f"{name} is {state.replace('_', ' ')}" for name, state in wrong.items())
        raise BadInput(f"The lab in {paths.directory} does not run: {said}; nothing was changed", "Run `labctl up`.")


def refuse_held(lab: Lab, paths: LabPaths) -> None:
    """Raise LabError for a lab in which a node is held still, where each question would end with a time limit only."""
    held = [name for name, state in _states(lab, paths).items() if state in _ALIVE[1:]]
    if held:
        raise LabError(f"The lab in {paths.directory} is paused: {', '.join(held)}", "Run `labctl resume`.")


def _states(lab: Lab, paths: LabPaths) -> dict[str, str]:
    found = node_state.states(lab, paths)
    if problem := next((state.problem for state in found.values() if state.problem), ""):
        raise LabError(problem)
    return {name: state.state for name, state in found.items()}


def pause(lab: Lab, paths: LabPaths, progress: Progress) -> None:
    """Hold all nodes at one moment. Nodes that are held already stay so."""
    with progress.step("Pause") as step:
        engine = engine_of(lab, paths)
        if engine is None:
            _machines(lab, paths).suspend()
            return
        hold(engine, lambda: own(engine, lab, paths))
        step.note(f"{len(lab.nodes)} nodes")


def resume(lab: Lab, paths: LabPaths, progress: Progress) -> bool:
    """Let all nodes go on. Returns whether one had been held."""
    with progress.step("Resume") as step:
        engine = engine_of(lab, paths)
        if engine is not None:
            held = release(engine, own(engine, lab, paths))
            step.note(f"{held} nodes" if held else "none was paused")
            return bool(held)
        _machines(lab, paths).resume()
    step_clocks(lab, paths, progress)
    return True


def own(engine: Engine, lab: Lab, paths: LabPaths) -> list[Container]:
    """The containers of this lab's nodes."""
    names = {lab.container(node) for node in lab.nodes}
    found = containers.find(engine, prefix=lab.container_prefix, paths=paths)
    return [item for item in found if item.directory == str(paths.directory) and item.name in names]


def hold(engine: Engine, look: Look) -> None:
    """Pause those containers of look() that run, in one call: what one node knows of another is of the same moment.

    runc gives up where processes come and go all the time, as while a node boots ("unable to freeze", cgroup v1),
    and the next try succeeds. Raises LabError with the engine's own words when none of many does.
    """
    for left in reversed(range(_TRIES)):
        running = [item.id for item in look() if item.state == "running"]
        if not running:
            return
        try:
            engine.run("pause", *running)
        except LabError:
            if not left:
                raise
            time.sleep(_PAUSE_AGAIN)
        else:
            return


def release(engine: Engine, nodes: Sequence[Container]) -> int:
    """Unpause the containers that are paused. Returns how many there were."""
    held = [item.id for item in nodes if item.state == "paused"]
    if held:
        engine.run("unpause", *held)
    return len(held)


def step_clocks(lab: Lab, paths: LabPaths, progress: Progress) -> None:
    """Bring the clocks of virtual machines up to the present. Raises LabError when one cannot be."""
    with progress.step("Clocks"):
        answers = ssh.run(ssh_hosts(lab, paths), _CLOCK, command=("sudo", "-n", "sh", "-e"))
        for node, answer in answers.items():
            if not answer.ok:
                raise LabError(f"The clock of {node} could not be set: {answer.problem}", "`labctl verify` says more.")


def _machines(lab: Lab, paths: LabPaths) -> Machines:
    return Machines(lab, paths, {}, lambda _: None)
