"""The lab held still and let go on: everything in memory stays as it is, and no processor time is used."""

from labctl.errors import BadInput, LabError
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.verify import ssh_hosts
from labctl.providers.node_state import NodeState
from labctl.remote import ssh

# A virtual machine's clock stood still meanwhile. chrony steps it after its own start only, then it slews.
_CLOCK = "systemctl restart chrony && chronyc waitsync 30 1 0 1"


def preflight(context: LabContext) -> None:
    """Refuse a lab not all of whose nodes run or are paused. Raises BadInput with each that is not."""
    wrong = {
        name: state for name, state in _states(context).items() if state not in (NodeState.RUNNING, NodeState.PAUSED)
    }
    if wrong:
        said = ", ".join(f"{name} is {state.replace('_', ' ')}" for name, state in wrong.items())
        directory = context.paths.directory
        raise BadInput(f"The lab in {directory} does not run: {said}; nothing was changed", "Run `labctl up`.")


def refuse_held(context: LabContext) -> None:
    """Raise LabError for a lab with a paused node, which would answer each question only by a time limit."""
    held = [name for name, state in _states(context).items() if state is NodeState.PAUSED]
    if held:
        raise LabError(f"The lab in {context.paths.directory} is paused: {', '.join(held)}", "Run `labctl resume`.")


def _states(context: LabContext) -> dict[str, NodeState]:
    found = context.provider.states()
    if problem := next((status.problem for status in found.values() if status.problem), ""):
        raise LabError(problem)
    return {name: status.state for name, status in found.items()}


def pause(context: LabContext) -> None:
    """Hold all nodes at one moment. Nodes that are held already stay so."""
    context.provider.connect()
    with context.progress.step("Pause") as step:
        context.provider.pause(step)


def resume(context: LabContext) -> bool:
    """Let all nodes go on. Returns whether one had been held."""
    context.provider.connect()
    with context.progress.step("Resume") as step:
        held = context.provider.resume(step)
    step_clocks(context)
    return held


def step_clocks(context: LabContext) -> None:
    """Bring the clocks of virtual machines up to the present. Raises LabError when one cannot be."""
    if not context.provider.clocks_stop:
        return
    with context.progress.step("Clocks"):
        answers = ssh.run(ssh_hosts(context), _CLOCK, command=("sudo", "-n", "sh", "-e"))
        for node, answer in answers.items():
            if not answer.ok:
                raise LabError(f"The clock of {node} could not be set: {answer.problem}", "`labctl verify` says more.")
