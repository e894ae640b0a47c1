"""Pause and resume a lab: memory stays as it is, and no processor time is used."""

from labctl.errors import BadInput, LabError
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.verify import ssh_hosts
from labctl.providers.node_state import NodeState
from labctl.remote import ssh

# A virtual machine's clock stands still meanwhile. chrony steps the clock only at its own start, later it slews.
_CLOCK = "systemctl restart chrony && chronyc waitsync 30 1 0 1"


def preflight(context: LabContext) -> None:
    """Raise BadInput with each node that is neither running nor paused."""
    good = (NodeState.RUNNING, NodeState.PAUSED)
    wrong = [f"{name} is {state.replace('_', ' ')}" for name, state in _states(context).items() if state not in good]
    if wrong:
        problem = f"The lab in {context.paths.directory} does not run: {', '.join(wrong)}"
        raise BadInput(f"{problem}; nothing was changed", "Run `labctl up`.")


def refuse_held(context: LabContext) -> None:
    """Raise LabError for a lab with a paused node, which would not answer before a timeout."""
    held = [name for name, state in _states(context).items() if state is NodeState.PAUSED]
    if held:
        raise LabError(f"The lab in {context.paths.directory} is paused: {', '.join(held)}", "Run `labctl resume`.")


def _states(context: LabContext) -> dict[str, NodeState]:
    found = context.provider.states()
    if problem := next((status.problem for status in found.values() if status.problem), ""):
        raise LabError(problem)
    return {name: status.state for name, status in found.items()}


def pause(context: LabContext) -> None:
    """Pause all nodes at the same moment. Nodes that are paused already stay paused."""
    context.provider.connect()
    with context.progress.step("Pause") as step:
        context.provider.pause(step)


def resume(context: LabContext) -> bool:
    """Resume all nodes. Returns whether one was paused."""
    context.provider.connect()
    with context.progress.step("Resume") as step:
        held = context.provider.resume(step)
    step_clocks(context)
    return held


def step_clocks(context: LabContext) -> None:
    """Set the clocks of virtual machines. Raises LabError if one cannot be set."""
    if not context.provider.clocks_stop:
        return
    with context.progress.step("Clocks"):
        answers = ssh.run(ssh_hosts(context), _CLOCK, command=("sudo", "-n", "sh", "-e"))
        for node, answer in answers.items():
            if not answer.ok:
                raise LabError(f"The clock of {node} could not be set: {answer.problem}", "`labctl verify` says more.")
