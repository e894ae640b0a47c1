"""Checks of the nodes as machines: whether they run and answer, their units, names, clock, disks, identity."""

from collections import defaultdict

from labctl.diagnostics.doctor.case import Case, Facts, NodeCase, lab_check, node_check
from labctl.diagnostics.doctor.finding import Findings, Severity, error, node_subject, unit_subject, warning
from labctl.providers.node_state import NodeState

_SKEW = 10.0  # seconds; Nova considers a service dead after 60 (service_down_time)
_MIB = 1 << 20
_DISK_ERROR, _DISK_WARNING = 64 * _MIB, 512 * _MIB
_INODES = 0.02
_MEMORY_ERROR, _MEMORY_WARNING = 128 * _MIB, 384 * _MIB
_BOOT = ("enabled", "enabled-runtime", "static", "generated", "indirect", "alias", "transient")
_FLAPPING = 3  # restarts of a unit that is young
_YOUNG = 60.0  # seconds
_START: dict[str, str] = {
    NodeState.NOT_CREATED: "labctl up rebuilds it",
    NodeState.PAUSED: "labctl up resumes it",
    NodeState.LOST: "something other than Podman killed its processes: labctl up stops and starts it; if Podman cannot "
    "do that, reboot this machine",
}
_SILENT = "look whether sshd runs there and this machine's route leads to it; labctl halt and labctl up restart it"


@lab_check("node-state", "every node of the lab runs, when any does")
def node_state(case: Case) -> Findings:
    states = set(case.states.values())
    for node in case.lab.nodes if len(states) > 1 or NodeState.LOST in states else ():
        state = case.state(node.name)
        if state in (NodeState.RUNNING, NodeState.UNKNOWN):
            continue
        word = "missing" if state == NodeState.NOT_CREATED else state
        others = ", and 'running' of others" if NodeState.RUNNING in states else ""
        evidence = f"{case.lab.provider} says '{word}'{others}"
        if state == NodeState.LOST:
            evidence = "Podman says 'running', but the container's processes are gone"
        yield error(
            f"{node.name} is {word}",
            evidence,
            _START.get(state, "labctl up starts it"),
            where=node.name,
            subject=node_subject(node.name),
            since=case.since.get(node.name),
        )


@lab_check("node-silent", "every running node can be asked by ssh")
def node_silent(case: Case) -> Findings:
    for name, problem in case.silent.items():
        lines = problem.splitlines()[-3:]
        unknown = case.state(name) == NodeState.UNKNOWN
        what = f"it is not known whether {name} runs" if unknown else f"{name} runs and does not answer"
        yield error(
            f"{what}: {lines[-1]}",
            lines,
            "labctl setup looks for an engine" if unknown else _SILENT,
            where=name,
            subject=node_subject(name),
            because=("the lab's ssh key",),
        )


@node_check("probe", "the doctor's own questions work on every node")
def probe(node: NodeCase) -> Findings:
    """Parts of the program on a node that failed, so their facts are not known."""
    for part, problem in node.facts.get("broken", {}).items():
        yield warning(
            f"the facts about {part} could not be gathered on {node.name}",
            problem,
            "the node lacks something that it should have: labctl up",
            because=(node_subject(node.name),),
        )


@node_check("unit-down", "every expected unit runs")
def unit_down(node: NodeCase) -> Findings:
    """Units that do not run or restart all the time, with the last lines of their journals."""
    for unit, state in node.facts["units"].items():
        young = node.facts["time"] - state["started"] < _YOUNG
        if state["active"] == "active" and not (state["restarts"] >= _FLAPPING and young):
            continue
        systemctl = f"systemctl: {state['load']}, {state['active']} ({state['sub']}), result {state['result']}"
        identity = (f"compute_id of {node.name}",) if unit == "nova-compute" else ()
        why, remedy = _stopped(node.name, unit, state)
        yield error(
            f"{unit} does not run on {node.name}: {why}",
            (systemctl, *state.get("evidence", ())),
            remedy,
            subject=unit_subject(node.name, unit),
            because=(*node.case.needed(node.name, unit), *identity),
            since=state.get("since"),
        )


def _stopped(name: str, unit: str, state: Facts) -> tuple[str, str]:
    """Why a unit does not run, and what to do."""
    systemctl = f"labctl ssh {name} -- sudo systemctl"
    if state["load"] == "masked":
        unmask = f"'sudo systemctl unmask {unit}; sudo systemctl start {unit}'"
        return "it is masked", f"labctl ssh {name} -- {unmask}, or labctl up"
    if state["load"] == "not-found":
        return "it is not installed", "labctl up installs it"
    remedy = f"{systemctl} start {unit}"
    if state["active"] == "failed" or state["sub"] == "auto-restart":
        remedy = f"fix what the lines above say, then: {systemctl} restart {unit}"
    if state["sub"] == "auto-restart" or state["restarts"] >= _FLAPPING:
        return f"it ends again and again ({state['restarts']} restarts)", remedy
    if state["active"] == "failed":
        return f"it has failed ({state['result']})", remedy
    words = {"inactive": "it is stopped", "activating": "it is still starting"}
    stopped = words.get(state["active"]) or str(state["active"])
    return stopped if state["enabled"] in _BOOT else f"{stopped}, and not enabled either", remedy


@node_check("unit-boot", "every unit that runs comes back after a reboot")
def unit_boot(node: NodeCase) -> Findings:
    for unit, state in node.facts["units"].items():
        if state["active"] == "active" and state["enabled"] not in _BOOT:
            yield warning(
                f"{unit} runs on {node.name} and will not after a reboot",
                f"systemctl is-enabled says '{state['enabled'] or 'nothing'}'",
                f"labctl ssh {node.name} -- sudo systemctl enable {unit}",
            )


@node_check("unit-extra", "no other service of Nova runs, and none has failed")
def unit_extra(node: NodeCase) -> Findings:
    expected = ", ".join(unit for unit in node.facts["units"] if unit.startswith("nova-"))
    for unit in node.facts["others"]:
        yield warning(
            f"{unit} runs on {node.name} and is not expected there",
            f"expected of nova-*: {expected}",
            f"labctl ssh {node.name} -- sudo systemctl disable --now {unit}",
        )
    for unit in node.facts["failed"]:
        yield warning(
            f"{unit} has failed on {node.name}",
            f"systemctl --failed names {unit}",
            f"labctl ssh {node.name} -- sudo systemctl status {unit}",
        )


@node_check("unit-outdated", "every unit is younger than its configuration")
def unit_outdated(node: NodeCase) -> Findings:
    for file in node.facts["files"]:
        if not file["settings"]:
            continue
        old = {
            unit: file["changed"] - state["started"]
            for unit, state in node.facts["units"].items()
            if node.case.user_of(node.name, unit) == file["user"]
            and state["active"] == "active"
            and 0 < state["started"] < file["changed"]
        }
        if old:
            yield warning(
                f"{', '.join(old)} on {node.name} runs with settings from before {file['path']} was changed",
                [f"{unit} started {seconds:.0f} s before the change" for unit, seconds in old.items()],
                f"labctl ssh {node.name} -- sudo systemctl restart {' '.join(old)}, or labctl up",
            )


@node_check("names", "every node finds every other by name, at its address")
def names(node: NodeCase) -> Findings:
    """Names that resolve to another address, such as 127.0.1.1: RabbitMQ and live migration fail then."""
    name, facts = node.name, node.facts
    expected = {other.name: str(other.address) for other in node.case.lab.nodes}
    if facts["hostname"] != name:
        yield error(
            f"{name} calls itself {facts['hostname']}",
            f"hostname is {facts['hostname']}; Nova registers its services under it",
            f"labctl ssh {name} -- sudo hostname {name}, then restart the services there",
        )
    wrong = {other: found for other, found in facts["names"].items() if found != [expected[other]]}
    if wrong:
        evidence = [
            f"{other} is {', '.join(found) or 'unknown'}, expected {expected[other]}" for other, found in wrong.items()
        ]
        evidence += [f"/etc/hosts: {line}" for line in facts["hosts_lines"] if set(line.split()[1:]) & set(wrong)]
        yield error(
            f"{name} does not find {', '.join(wrong)} at the lab's address",
            evidence,
            "labctl up writes /etc/hosts",
            subject=f"names on {name}",
        )


@node_check("clock", "the clocks of the nodes agree with this machine's")
def clock(node: NodeCase) -> Findings:
    """Clocks that are off: from 60 s on, services look down."""
    name, now = node.name, node.facts["time"]
    before, after = node.case.asked
    skew = min(now - before, 0.0) or max(now - after, 0.0)
    if abs(skew) > _SKEW:
        yield error(
            f"the clock of {name} is {abs(skew):.0f} s {'behind' if skew < 0 else 'ahead'}",
            f"{name} says {now:.0f}, this machine {after:.0f} seconds since 1970; limit {_SKEW:.0f} s",
            f"set the clock, and look at the unit chrony: labctl ssh {name} -- chronyc tracking",
            subject=f"clock of {name}",
        )


@node_check("node-disk", "there is room where services write")
def node_disk(node: NodeCase) -> Findings:
    for disk in node.facts["disks"]:
        full = disk["free"] < min(_DISK_ERROR, disk["size"] // 10)
        tight = disk["free"] < min(_DISK_WARNING, disk["size"] // 5)
        inodes = disk["inodes"] > 0 and disk["free_inodes"] < disk["inodes"] * _INODES
        if disk["read_only"]:
            why = "cannot be written"
        elif inodes and not tight:
            why = "has no inodes left"
        elif full or tight:
            why = "is full" if full else "is nearly full"
        else:
            continue
        if disk["places"] == ["/run"] and not full:
            continue
        yield error(
            f"the file system of {', '.join(disk['places'])} on {node.name} {why}",
            (
                f"{disk['free'] // _MIB} of {disk['size'] // _MIB} MiB free",
                f"{disk['free_inodes']} of {disk['inodes']} inodes free",
            ),
            f"see what is large: labctl ssh {node.name} -- sudo du -xh --max-depth=2 {disk['places'][0]}",
            severity=Severity.ERROR if full or disk["read_only"] or inodes else Severity.WARNING,
            subject=f"disk of {node.name}",
        )


@lab_check("node-memory", "there is memory left")
def node_memory(case: Case) -> Findings:
    """Nodes without memory. All containers show this machine's, so the first one is enough."""
    seen = set()
    for name, facts in case.nodes.items():
        memory = facts["memory"]
        left, machine = memory["MemAvailable"], (memory["MemTotal"], memory["SwapTotal"])
        if left >= _MEMORY_WARNING or machine in seen:
            continue
        if case.lab.traits.containers:
            seen.add(machine)
        available = f"{left // _MIB} of {memory['MemTotal'] // _MIB} MiB available"
        yield error(
            f"{name} has {left // _MIB} MiB of memory left",
            f"{available}, {memory['SwapFree'] // _MIB} MiB of swap free",
            "delete servers, set fewer workers, or give the node more memory in lab.yaml",
            where=name,
            severity=Severity.ERROR if left < _MEMORY_ERROR else Severity.WARNING,
        )


@lab_check("identity-shared", "no two nodes share an identity")
def identity_shared(case: Case) -> Findings:
    """Cloned nodes: the same machine id, host key of ssh, or compute_id."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, facts in case.nodes.items():
        identity = facts["identity"]
        things = {"/etc/machine-id": identity["machine_id"], "/var/lib/nova/compute_id": identity["compute_id"]}
        things |= {f"/etc/ssh/{key}": value for key, value in identity["ssh_keys"].items()}
        for thing, value in things.items():
            if value:
                owners[thing, value].append(name)
    for (thing, value), nodes in owners.items():
        if len(nodes) > 1:
            grave = thing.endswith("compute_id")
            shown = value if len(value) < 40 else f"{value[:12]}...{value[-12:]}"
            yield error(
                f"{' and '.join(nodes)} have the same {thing}",
                f"{thing} is {shown} on {' and '.join(nodes)}",
                "nova-compute refuses to start so: give each its own id, the one in Nova's table compute_nodes"
                if grave
                else "remove the copy on one of them and make a new one, or labctl destroy and labctl up",
                where=nodes[-1],
                severity=Severity.ERROR if grave else Severity.WARNING,
                because=tuple(f"compute_id of {node}" for node in nodes) if grave else (),
            )


@node_check("packages", "no package of a node is half-installed")
def packages(node: NodeCase) -> Findings:
    """Installations that were interrupted, and a policy that keeps services from starting."""
    if node.facts["packages"]:
        yield warning(
            f"an installation of packages was interrupted on {node.name}",
            node.facts["packages"][:6],
            f"labctl ssh {node.name} -- sudo dpkg --configure -a",
        )
    if node.facts["policy"]:
        yield warning(
            f"packages on {node.name} may not start services",
            "/usr/sbin/policy-rc.d is there, left by an installation that was interrupted",
            f"labctl ssh {node.name} -- sudo rm /usr/sbin/policy-rc.d",
        )
