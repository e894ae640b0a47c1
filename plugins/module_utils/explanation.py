# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a server is not up: from what the APIs say of it and of the computes, and what the services have logged."""

from __future__ import annotations

import re
from typing import Any

CONSOLE_LINES = 12
LOG_LINES = 8
FIRST_ERRORS = 2
HALF = 150  # characters of a message, of which a long one has two
# How firmware and kernels say that there is nothing to start (SeaBIOS, iPXE, GRUB, Linux).
NO_SYSTEM = re.compile(
    r"No bootable device|Boot failed|Could not read the boot disk|error: no such partition|grub rescue|Kernel panic.*",
    re.IGNORECASE,
)
NO_METADATA = re.compile(r"^ *metadata +none", re.MULTILINE)  # as the lab's own image says it
PINNED = re.compile(r"Host filter (?:only checking host|forcing available hosts to) (\S+)")
RESULT = re.compile(r"'(\w+): \(start: (\d+), end: 0\)'")
UNHEARD = re.compile(r"\((\S+), \S+\) .* has not been heard from in a while")
# oslo.log's lines: date, time, process, level and logger, the request and the instance in brackets, the message.
LINE = re.compile(
    r"^\S+ (?P<time>[\d:]+)\.\d+ \d+ (?P<level>[A-Z]+) (?P<logger>\S+) "
    r"(?:\[[^\]]*\] ?)?(?:\[instance: [^\]]*\] ?)?(?P<message>.*)$"
)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


def explain(facts: dict[str, Any], logs: dict[str, list[str]]) -> dict[str, Any]:
    """Causes, evidence and what to do, each as lines for people.

    C(facts) is what the module server_diagnosis returns, C(logs) the lines of each node that belong to the server.
    """
    status, fault = facts["status"], facts["fault"]
    if status == "ERROR" and "valid host" in fault.lower():
        causes, remedy = unscheduled(facts, logs)
    elif status == "ERROR":
        causes, remedy = failed(fault, logs)
    elif status == "BUILD":
        causes, remedy = building(facts)
    elif status == "ACTIVE":
        causes, remedy = silent(facts)
    else:
        causes, remedy = [f"it is in status {status}"], "'openstack server start' starts a server that is shut off"
    evidence = []
    if status == "ERROR" and "valid host" not in fault.lower():
        logs = {node: [line for line in lines if " INFO " not in line][:LOG_LINES] for node, lines in logs.items()}
    if status != "ACTIVE":
        evidence += [f"{node}: {compact(line)}" for node, lines in logs.items() for line in lines[-LOG_LINES:]]
    said = [line for line in CONTROL.sub("", facts["console"].replace("\r\n", "\n")).split("\n") if line.strip()]
    evidence += [f"console: {line}" for line in said[-CONSOLE_LINES:]]
    head = f"{facts['name']} ({facts['id']}) is in status {status}"
    head += f", task {facts['task']}" if facts["task"] else ""
    head += f", on {facts['host']}" if facts["host"] else ""
    head += f": {fault}" if fault else ""
    return {
        "server": head,
        "up": status == "ACTIVE" and not causes,
        "causes": causes or ["its guest says on the console that it is up"],
        "evidence": evidence,
        "remedy": remedy,
    }


def text(explanation: dict[str, Any]) -> str:
    """An explanation as it is printed."""
    lines = [explanation["server"]]
    lines += [f"  {cause}" for cause in explanation["causes"]]
    if explanation["evidence"]:
        lines += ["  logged and said:", *(f"    {line}" for line in explanation["evidence"])]
    lines += [f"  do: {explanation['remedy']}"] if explanation["remedy"] else []
    return "\n".join(lines)


def is_error(line: str) -> bool:
    """Whether a line tells of a failure."""
    record = LINE.match(line)
    return record is not None and record["level"] in ("ERROR", "CRITICAL")


def message(line: str) -> str:
    """What a line says, without when and where."""
    record = LINE.match(line)
    text = record["message"].strip() if record else line
    return text if len(text) <= 2 * HALF else f"{text[:HALF]} ... {text[-HALF:]}"  # the end says what it is about


def compact(line: str) -> str:
    """A line of a log without what is the same in all of them."""
    record = LINE.match(line)
    return f"{record['time']} {record['level']} {record['logger']}: {message(line)}" if record else line


def unscheduled(facts: dict[str, Any], logs: dict[str, list[str]]) -> tuple[list[str], str]:
    """No host: what speaks against each compute, then which filter it was."""
    lines = [line for lines in logs.values() for line in lines]
    allowed = sorted({found[1] for line in lines if (found := PINNED.search(line))})
    causes = [f"only {' and '.join(allowed)} was allowed, by the request"] if allowed else []
    remedies = []
    for compute, provider in sorted(facts["providers"].items()):
        if allowed and compute not in allowed:
            continue
        if lacking := shortages(facts["asked"], provider):
            causes.append(f"{compute} has too little: {'; '.join(lacking)}")
            remedies.append("choose a smaller flavor, or delete servers")
    for service in facts["computes"]:
        if (why := unusable(service)) and (not allowed or service["host"] in allowed):
            causes.append(why)
            remedies.append(repair(service))
    missing = sorted({service["host"] for service in facts["computes"]} - set(facts["providers"]))
    causes += [f"{host} has no resource provider in Placement" for host in missing]
    filters = list(dict.fromkeys(found for line in lines for found in RESULT.findall(line)))
    causes += [f"the filter {name} left none of {count}" for name, count in filters]
    for host in sorted({found[1] for line in lines if (found := UNHEARD.search(line))}):
        causes.append(f"nova-compute on {host} had not been heard from when the scheduler looked")
    if not filters and any("no allocation candidates" in line for line in lines):
        causes.append("the scheduler asked no filter: Placement has offered no compute")
    if not remedies:
        remedies.append("what kept the computes out is over, as far as it shows: delete the server and make it again")
    return causes, "; ".join(dict.fromkeys(remedies))


def shortages(asked: dict[str, int], provider: dict[str, dict[str, Any]]) -> list[str]:
    """Which resources a compute has too little of. The rules are Placement's: what one server may have at most
    (max_unit), and what is left of (total - reserved) * allocation_ratio."""
    result = []
    for resource, amount in asked.items():
        if not amount:
            continue
        inventory = provider.get(resource)
        if inventory is None:
            result.append(f"asked {amount} {resource}, it has none")
            continue
        capacity = int((inventory["total"] - inventory["reserved"]) * inventory["allocation_ratio"])
        free = capacity - inventory["used"]
        if amount > inventory["max_unit"]:
            result.append(f"asked {amount} {resource}, a server can have {inventory['max_unit']} at most")
        elif amount > free:
            result.append(f"asked {amount} {resource}, {free} of {capacity} are free")
    return result


def unusable(service: dict[str, Any]) -> str:
    """Why no server can go to a compute; empty when it can."""
    host = service["host"]
    if service["status"] != "enabled":
        reason = f": {service['disabled_reason']}" if service["disabled_reason"] else ""
        return f"nova-compute on {host} is disabled{reason}"
    if service["state"] != "up":
        return (
            f"nova-compute on {host} is down, last heard of at {(service['updated_at'] or 'no time').partition('.')[0]}"
        )
    return ""


def repair(service: dict[str, Any]) -> str:
    """What to do about a compute that is not usable."""
    host = service["host"]
    if service["status"] != "enabled":
        return f"openstack compute service set --enable {host} nova-compute"
    return f"labctl ssh {host} -- sudo systemctl start nova-compute"


def failed(fault: str, logs: dict[str, list[str]]) -> tuple[list[str], str]:
    """A build that broke on a compute: the errors there, each once."""
    errors = {node: [line for line in lines if is_error(line)] for node, lines in logs.items()}
    causes = []
    for node, lines in errors.items():
        if not any("nova.conductor" not in line and "nova.scheduler" not in line for line in lines):
            continue  # the controller repeats what a compute has said
        causes += [f"{node} has logged: {message(line)}" for line in lines[:FIRST_ERRORS]]
    if causes:
        return causes, "mend the cause, delete the server and make it again"
    return [fault or "there is no fault"], "look at /var/log/nova on the nodes"


def building(facts: dict[str, Any]) -> tuple[list[str], str]:
    """A build that does not end: mostly its compute does not listen."""
    chosen = [facts["host"]] if facts["host"] else facts["allocated"]
    for service in facts["computes"]:
        if service["host"] in chosen and (why := unusable(service)):
            return [f"it was given to {service['host']}, and {why}"], f"{repair(service)}: the build then goes on"
    where = f" on {' and '.join(chosen)}" if chosen else ""
    return [
        f"it has been building{where} for {facts['seconds']} s"
    ], "wait; 'labctl verify' says whether the lab is whole"


def silent(facts: dict[str, Any]) -> tuple[list[str], str]:
    """ACTIVE, that is: the machine runs. Whether there is a system in it, only its console knows."""
    console = facts["console"]
    for service in facts["computes"]:
        if service["host"] == facts["host"] and service["state"] != "up":
            return [unusable(service) or f"{service['host']} is not usable"], repair(service)
    if found := NO_SYSTEM.findall(console):
        return [f"the machine runs, and finds no system to start: {found[-1]}"], screen(facts)
    if not console.strip():
        cause = f"the machine runs, and has said nothing on its serial console for {facts['seconds']} s"
        return [f"{cause}: image {facts['image']} does not boot, or its system does not use that console"], screen(
            facts
        )
    if facts["ready"] and facts["ready"] not in console:
        return [f"the guest boots, and has not said '{facts['ready']}' after {facts['seconds']} s"], screen(facts)
    if facts["ready"] and NO_METADATA.search(console):
        remedy = (
            f"look at /var/log/neutron/neutron-ovn-metadata-agent.log on {facts['host']} and at "
            "/var/log/nova/nova-api-metadata.log on the controller, then: openstack server reboot --hard"
        )
        return ["its guest has got no metadata, so no name and no script of its own"], remedy
    return [], ""


def screen(facts: dict[str, Any]) -> str:
    """Where to look when the serial console says too little."""
    return (
        f"look at its screen (labctl console {facts['name']}): the firmware says there what it cannot start, such as "
        "'No bootable device'; then at the image: openstack image show"
    )
