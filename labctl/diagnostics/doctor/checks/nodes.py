"""Checks of the nodes as machines: do they run and answer, their units, names, clock, room, identity."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from labctl.diagnostics.doctor.case import Case, Facts, node_subject, unit_subject
from labctl.diagnostics.doctor.finding import Finding, Severity, check
from labctl.providers.node_state import NodeState

if TYPE_CHECKING:
    from collections.abc import Iterator

_SKEW = 10.0  # seconds; Nova takes a service for dead after 60 (service_down_time)
_MIB, _GIB = 1 << 20, 1 << 30
_DISK_ERROR, _DISK_WARNING = 64 * _MIB, 512 * _MIB
_INODES = 0.02
_MEMORY_ERROR, _MEMORY_WARNING = 128 * _MIB, 384 * _MIB
_BOOT = ("enabled", "enabled-runtime", "static", "generated", "indirect", "alias", "transient")
_FLAPPING = 3  # restarts of a unit that is young
_YOUNG = 60.0  # seconds
_FOUND_AGAIN = (
    "its processes were killed behind Podman's back: labctl up stops and starts it; if Podman cannot, a reboot of "
    "this machine sets it right"
)


@check("node-state", "every node of the lab runs, when any does")
def node_state(case: Case) -> Iterator[Finding]:
    """Nodes that are missing, stopped or paused when others are not; and those that the engine has lost."""
    remedies = {"missing": "labctl up rebuilds it", "paused": "labctl up lets it go on", NodeState.LOST: _FOUND_AGAIN}
    words = set(case.states.values())
    for node in case.lab.nodes if len(words) > 1 or NodeState.LOST in words else ():
        state = case.states.get(node.name, "missing")
        if state not in ("running", NodeState.UNKNOWN):
            yield Finding(
                node.name,
                f"{node.name} is {state}",
                (
                    "Podman says 'running', and the container's processes are not there"
                    if state == NodeState.LOST
                    else f"{case.lab.provider} says '{state}'" + (", and 'running' of others" if case.running else ""),
                ),
                remedies.get(state, "labctl up starts it"),
                subject=node_subject(node.name),
                since=case.since.get(node.name),
            )


@check("node-silent", "every running node can be asked by ssh")
def node_silent(case: Case) -> Iterator[Finding]:
    """Nodes that run and do not answer, and those of which not even that is known."""
    for name, problem in case.silent.items():
        what = f"{name} runs and does not answer"
        remedy = (
            "look whether sshd runs there and this machine's route leads to it; labctl halt and labctl up restart it"
        )
        if case.states.get(name) == NodeState.UNKNOWN:
            what, remedy = f"it is not known whether {name} runs", "labctl setup looks for an engine"
        lines = problem.splitlines()[-3:]
        yield Finding(
            name,
            f"{what}: {lines[-1]}",
            tuple(lines),
            remedy,
            subject=node_subject(name),
            because=("the lab's ssh key",),
        )


@check("probe", "the doctor's own questions work on every node")
def probe(case: Case) -> Iterator[Finding]:
    """Parts of the program on a node that failed: what they would have seen is not known."""
    for name, facts in case.nodes.items():
        for part, problem in facts.get("broken", {}).items():
            yield Finding(
                name,
                f"the facts about {part} could not be gathered on {name}",
                (problem,),
                "the node lacks something that it should have: labctl up",
                Severity.WARNING,
                because=(node_subject(name),),
            )


@check("unit-down", "every expected unit runs")
def unit_down(case: Case) -> Iterator[Finding]:
    """Units that do not run, with the last lines of their journals."""
    for name, facts in case.nodes.items():
        for unit, state in facts["units"].items():
            young = facts["time"] - state["since"] < _YOUNG
            flapping = state["active"] == "active" and state["restarts"] >= _FLAPPING and young
            if state["active"] == "active" and not flapping:
                continue
            yield Finding(
                name,
                f"{unit} does not run on {name}: {_state(state)}",
                (
                    f"systemctl: {state['load']}, {state['active']} ({state['sub']}), result {state['result']}",
                    *state.get("evidence", ()),
                ),
                _unit_remedy(name, unit, state),
                subject=unit_subject(name, unit),
                because=(*case.needed(name, unit), *((f"compute_id of {name}",) if unit == "nova-compute" else ())),
                since=state.get("changed"),
            )


def _state(state: Facts) -> str:
    if state["load"] == "masked":
        return "it is masked"
    if state["load"] == "not-found":
        return "it is not installed"
    if state["sub"] == "auto-restart" or state["restarts"] >= _FLAPPING:
        return f"it ends again and again ({state['restarts']} restarts)"
    if state["active"] == "failed":
        return f"it has failed ({state['result']})"
    stopped: str = {"inactive": "it is stopped", "activating": "it is still starting"}.get(
        state["active"], str(state["active"])
    )
    return stopped if state["enabled"] in _BOOT else f"{stopped}, and not enabled either"


def _unit_remedy(name: str, unit: str, state: Facts) -> str:
    if state["load"] == "masked":
        return f"labctl ssh {name} -- 'sudo systemctl unmask {unit}; sudo systemctl start {unit}', or labctl up"
    if state["load"] == "not-found":
        return "labctl up installs it"
    if state["active"] == "failed" or state["sub"] == "auto-restart":
        return f"fix what the lines above say, then: labctl ssh {name} -- sudo systemctl restart {unit}"
    return f"labctl ssh {name} -- sudo systemctl start {unit}"


@check("unit-boot", "every unit that runs comes back after a reboot")
def unit_boot(case: Case) -> Iterator[Finding]:
    """Units that run and are not enabled."""
    for name, facts in case.nodes.items():
        for unit, state in facts["units"].items():
            if state["active"] == "active" and state["enabled"] not in _BOOT:
                yield Finding(
                    name,
                    f"{unit} runs on {name} and will not after a reboot",
                    (f"systemctl is-enabled says '{state['enabled'] or 'nothing'}'",),
                    f"labctl ssh {name} -- sudo systemctl enable {unit}",
                    Severity.WARNING,
                )


@check("unit-extra", "no other service of Nova runs, and none has failed")
def unit_extra(case: Case) -> Iterator[Finding]:
    """Services of Nova that are not of this lab, and failed units."""
    for name, facts in case.nodes.items():
        for unit in facts["others"]:
            yield Finding(
                name,
                f"{unit} runs on {name} and is not expected there",
                (f"expected of nova-*: {', '.join(u for u in facts['units'] if u.startswith('nova-'))}",),
                f"labctl ssh {name} -- sudo systemctl disable --now {unit}",
                Severity.WARNING,
            )
        for unit in facts["failed"]:
            yield Finding(
                name,
                f"{unit} has failed on {name}",
                (f"systemctl --failed names {unit}",),
                f"labctl ssh {name} -- sudo systemctl status {unit}",
                Severity.WARNING,
            )


@check("unit-outdated", "every unit is younger than its configuration")
def unit_outdated(case: Case) -> Iterator[Finding]:
    """Units that still run with settings from before a file changed."""
    for name, facts in case.nodes.items():
        for file in facts["files"]:
            if not file["settings"]:
                continue
            old = [
                unit
                for unit, state in facts["units"].items()
                if case.user_of(name, unit) == file["user"]
                and state["active"] == "active"
                and 0 < state["since"] < file["changed"]
            ]
            if old:
                yield Finding(
                    name,
                    f"{', '.join(old)} on {name} runs with settings from before {file['path']} was changed",
                    tuple(
                        f"{unit} started {file['changed'] - facts['units'][unit]['since']:.0f} s before the change"
                        for unit in old
                    ),
                    f"labctl ssh {name} -- sudo systemctl restart {' '.join(old)}, or labctl up",
                    Severity.WARNING,
                )


@check("names", "every node finds every other by name, at its address")
def names(case: Case) -> Iterator[Finding]:
    """Names that resolve to something else, such as 127.0.1.1; RabbitMQ and live migration fail of that."""
    expected = {node.name: str(node.address) for node in case.lab.nodes}
    for name, facts in case.nodes.items():
        wrong = {n: found for n, found in facts["names"].items() if found != [expected[n]]}
        if facts["hostname"] != name:
            yield Finding(
                name,
                f"{name} calls itself {facts['hostname']}",
                (f"hostname is {facts['hostname']}; Nova registers its services under it",),
                f"labctl ssh {name} -- sudo hostname {name}, then restart the services there",
            )
        if wrong:
            yield Finding(
                name,
                f"{name} does not find {', '.join(wrong)} at the lab's address",
                tuple(f"{n} is {', '.join(found) or 'unknown'}, expected {expected[n]}" for n, found in wrong.items())
                + tuple(f"/etc/hosts: {line}" for line in facts["hosts_lines"] if set(line.split()[1:]) & set(wrong)),
                "labctl up writes /etc/hosts",
                subject=f"names on {name}",
            )


@check("clock", "the clocks of the nodes agree with this machine's")
def clock(case: Case) -> Iterator[Finding]:
    """Clocks that are off: from 60 s on, services look down."""
    before, after = case.asked
    for name, facts in case.nodes.items():
        skew = min(facts["time"] - before, 0.0) or max(facts["time"] - after, 0.0)
        if abs(skew) > _SKEW:
            yield Finding(
                name,
                f"the clock of {name} is {abs(skew):.0f} s {'behind' if skew < 0 else 'ahead'}",
                (f"{name} says {facts['time']:.0f}, this machine {after:.0f} seconds since 1970; limit {_SKEW:.0f} s",),
                f"set the clock, and look at the unit chrony: labctl ssh {name} -- chronyc tracking",
                subject=f"clock of {name}",
            )


@check("node-disk", "there is room where services write")
def node_disk(case: Case) -> Iterator[Finding]:
    """File systems that are full, nearly so, or cannot be written."""
    for name, facts in case.nodes.items():
        for disk in facts["disks"]:
            places = ", ".join(disk["places"])
            full = disk["free"] < min(_DISK_ERROR, disk["size"] // 10)
            tight = disk["free"] < min(_DISK_WARNING, disk["size"] // 5)
            inodes = disk["inodes"] > 0 and disk["free_inodes"] < disk["inodes"] * _INODES
            if not (full or tight or inodes or disk["read_only"]) or (disk["places"] == ["/run"] and not full):
                continue
            why = (
                "cannot be written"
                if disk["read_only"]
                else "has no inodes left"
                if inodes and not tight
                else "is full"
                if full
                else "is nearly full"
            )
            yield Finding(
                name,
                f"the file system of {places} on {name} {why}",
                (
                    f"{disk['free'] // _MIB} of {disk['size'] // _MIB} MiB free",
                    f"{disk['free_inodes']} of {disk['inodes']} inodes free",
                ),
                f"see what is large: labctl ssh {name} -- sudo du -xh --max-depth=2 {disk['places'][0]}",
                Severity.ERROR if full or disk["read_only"] or inodes else Severity.WARNING,
                subject=f"disk of {name}",
            )


@check("node-memory", "there is memory left")
def node_memory(case: Case) -> Iterator[Finding]:
    """Nodes without memory. Containers show this machine's."""
    seen: dict[tuple[int, int], str] = {}
    for name, facts in case.nodes.items():
        values = facts["memory"]
        left = values["MemAvailable"]
        if left >= _MEMORY_WARNING or (values["MemTotal"], values["SwapTotal"]) in seen:
            continue
        if case.lab.traits.containers:
            seen[values["MemTotal"], values["SwapTotal"]] = name
        yield Finding(
            name,
            f"{name} has {left // _MIB} MiB of memory left",
            (
                f"{left // _MIB} of {values['MemTotal'] // _MIB} MiB available, "
                f"{values['SwapFree'] // _MIB} MiB of swap free",
            ),
            "delete servers, set fewer workers, or give the node more memory in lab.yaml",
            Severity.ERROR if left < _MEMORY_ERROR else Severity.WARNING,
        )


@check("identity-shared", "no two nodes share an identity")
def identity_shared(case: Case) -> Iterator[Finding]:
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
            yield Finding(
                nodes[-1],
                f"{' and '.join(nodes)} have the same {thing}",
                (f"{thing} is {shown} on {' and '.join(nodes)}",),
                "nova-compute refuses to start so: give each its own id, the one in Nova's table compute_nodes"
                if grave
                else "remove the copy on one of them and make a new one, or labctl destroy and labctl up",
                Severity.ERROR if grave else Severity.WARNING,
                because=tuple(f"compute_id of {node}" for node in nodes) if grave else (),
            )


@check("packages", "no package of a node is half-installed")
def packages(case: Case) -> Iterator[Finding]:
    """Installations that broke off, and a policy that keeps services from starting."""
    for name, facts in case.nodes.items():
        if facts["packages"]:
            yield Finding(
                name,
                f"an installation of packages was interrupted on {name}",
                tuple(facts["packages"][:6]),
                f"labctl ssh {name} -- sudo dpkg --configure -a",
                Severity.WARNING,
            )
        if facts["policy"]:
            yield Finding(
                name,
                f"packages on {name} may not start services",
                ("/usr/sbin/policy-rc.d is there, left by an installation that was interrupted",),
                f"labctl ssh {name} -- sudo rm /usr/sbin/policy-rc.d",
                Severity.WARNING,
            )
