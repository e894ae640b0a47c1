#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep systemd units running on their current configuration, or absent."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: systemd_unit
short_description: Keep systemd units running on their current configuration
version_added: "0.1.0"
description:
  - Enables and starts systemd units, and restarts those whose main process is older than one of their
    configuration files.
  - This replaces the usual handler. A handler is forgotten when a run is interrupted between the change of a file
    and the end of the play; the age of a process is not, so the next run restarts what still runs on old settings.
  - Waits for readiness, and on failure reports the last lines of the unit's journal.
author:
  - novalab contributors (@novalab)
options:
  name:
    description: The units, in the order in which they are started. V(.service) is implied.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(started) keeps the units enabled and running.
      - V(absent) keeps them stopped and masked; a unit that does not exist is absent already.
    type: str
    choices: [started, absent]
    default: started
  unwanted:
    description:
      - Units that are stopped and masked before O(name) is started, because they would be in its way. Running units are
        restarted when one of these had to go.
    type: list
    elements: str
    default: []
  config:
    description:
      - Files or directories that the units read when they start. A unit is restarted when one of them is newer than
        its main process. Missing ones are ignored.
    type: list
    elements: path
    default: []
  restart:
    description: Restart running units whatever their age, for instance after a change of data that they cache.
    type: bool
    default: false
  listen:
    description: Addresses as C(HOST:PORT) that accept TCP connections once the units are ready.
    type: list
    elements: str
    default: []
  wait:
    description: Wait until the units are active and O(listen) answers.
    type: bool
    default: true
  timeout:
    description: Seconds to wait for readiness.
    type: int
    default: 60
  log:
    description: Log files whose last lines belong to the report of a failure, beside the journal.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    support: full
    description: Says what would be done and does nothing.
  diff_mode:
    support: full
    description: Shows the state of each unit before and after.
"""

EXAMPLES = r"""
- name: Run the Keystone API
  novalab.openstack.systemd_unit:
    name: [keystone]
    config: [/etc/keystone/keystone.conf]
    listen: ["192.168.56.11:5000"]

- name: Run the broker, which brings its own port mapper
  novalab.openstack.systemd_unit:
    name: [rabbitmq-server]
    unwanted: [epmd.socket, epmd]

- name: Keep the serial console proxy off
  novalab.openstack.systemd_unit:
    name: [nova-serialproxy]
    state: absent
"""

RETURN = r"""
started:
  description: Units that were started.
  type: list
  elements: str
  returned: always
  sample: [keystone]
restarted:
  description: Units that were restarted, with the reason.
  type: dict
  returned: always
  sample: {"nova-api": "/etc/nova/nova.conf is newer than its process"}
enabled:
  description: Units that were enabled.
  type: list
  elements: str
  returned: always
  sample: [keystone]
removed:
  description: Units that were stopped and masked.
  type: list
  elements: str
  returned: always
  sample: [nova-serialproxy]
ready:
  description:
    - Whether the units are active and O(listen) answers. Without O(wait) that may come later.
    - V(false) in check mode and with O(state=absent).
  type: bool
  returned: always
  sample: true
units:
  description: Units that do not run, or all of them when that is not the trouble.
  type: list
  elements: str
  returned: failure, when the journal says more
journal:
  description: The last lines of those units' journal.
  type: list
  elements: str
  returned: failure, when the journal says more
"""

import contextlib
import os
import socket
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils.systemd import Unit, full_name, parse, show

# All units here have a file of systemd's own. The init scripts that Debian's packages have beside it would be enabled
# too, by update-rc.d, which has systemd read all units anew after each of its two calls (systemd, ENVIRONMENT.md).
ENVIRONMENT = {"LC_ALL": "C", "SYSTEMCTL_SKIP_SYSV": "1"}
POLL_SECONDS = 0.1
LOG_LINES = 20


def newest(paths: list[str]) -> tuple[str, float]:
    """The most recently changed file below the paths, and its time in seconds since the epoch; C(("", 0.0)) if none."""
    latest = ("", 0.0)
    for path in paths:
        files = [os.path.join(folder, name) for folder, dirs, names in os.walk(path) for name in names] or [path]
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                changed = os.stat(file).st_mtime
                if changed > latest[1]:
                    latest = (file, changed)
    return latest


def restart_reason(unit: Unit, config: list[str], forced: bool) -> str:
    """Why a running unit has to be restarted; empty if it has not."""
    if forced:
        return "asked for"
    file, changed = newest(config)
    if unit.started and changed > unit.started:
        return f"{file} is newer than its process"
    return ""


def accepts(address: str) -> bool:
    """Whether C(HOST:PORT) accepts a TCP connection; the wildcard address is asked on the loopback."""
    host, port = address.rpartition(":")[::2]
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1", "": "127.0.0.1"}.get(host, host.strip("[]"))
    try:
        with socket.create_connection((host, int(port)), timeout=2):
            return True
    except OSError:
        return False


class Systemd:
    """The few systemctl calls that the module needs."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def call(self, *arguments: str) -> str:
        code, out, err = self.module.run_command(["systemctl", *arguments], environ_update=ENVIRONMENT)
        if code != 0:
            said = f"'systemctl {' '.join(arguments)}' ended with status {code}: {err.strip() or out.strip()}"
            self.fail(said, self.module.params["name"] if arguments[0] == "show" else None)
        return str(out)

    def units(self, names: list[str]) -> list[Unit]:
        found: list[Unit] = parse(self.call(*show(names)[1:]), names)
        return found

    def journal(self, names: list[str]) -> list[str]:
        arguments = [item for name in names for item in ("-u", full_name(name))]
        out = self.module.run_command(
            ["journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", str(LOG_LINES), *arguments]
        )[1]
        return str(out).splitlines()

    def fail(self, message: str, names: list[str] | None = None) -> None:
        """Fail with the last words of the units that do not run, or of all when that is not the trouble."""
        every = self.module.params["name"]
        names = names or [unit.name for unit in self.units(every) if unit.active != "active"] or every
        lines = self.journal(names)
        report = [message, f"last journal lines of {', '.join(names)}:", *(lines or ["(none)"])]
        for path in logs_of(names, every, self.module.params["log"]):
            with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
                report += [f"last lines of {path}:", *(line.rstrip() for line in file.readlines()[-LOG_LINES:])]
        self.module.fail_json(msg="\n".join(report), journal=lines, units=names)


def logs_of(names: list[str], every: list[str], paths: list[str]) -> list[str]:
    """The log files of some of the units: without those that are named after another one."""
    others = set(every) - set(names)
    return [path for path in paths if os.path.basename(path).partition(".")[0] not in others]


def is_ready(systemd: Systemd, names: list[str], listen: list[str]) -> bool:
    """Whether all units are active and all addresses accept."""
    return all(unit.active == "active" for unit in systemd.units(names)) and all(map(accepts, listen))


def wait_ready(systemd: Systemd, names: list[str], listen: list[str], timeout: int) -> None:
    """Wait until all units are active and all addresses accept; fail early when a unit has failed."""
    end = time.monotonic() + timeout
    silent = list(listen)
    while True:
        waiting = [unit for unit in systemd.units(names) if unit.active != "active"]
        failed = [unit.name for unit in waiting if unit.active == "failed"]
        if failed:
            systemd.fail(f"{', '.join(failed)} failed to start", failed)
        silent = [address for address in silent if not accepts(address)]
        if not waiting and not silent:
            return
        if time.monotonic() > end:
            what = [f"{unit.name} is {unit.active} ({unit.sub})" for unit in waiting]
            what += [f"nothing answers on {address}" for address in silent]
            systemd.fail(f"not ready after {timeout} s: {'; '.join(what)}", [unit.name for unit in waiting])
        time.sleep(POLL_SECONDS)


def ensure_started(module: AnsibleModule, systemd: Systemd) -> dict[str, Any]:
    names: list[str] = module.params["name"]
    removed = remove(module, systemd, module.params["unwanted"])
    units = systemd.units(names)
    missing = [unit.name for unit in units if unit.load == "not-found"]
    if missing and not module.check_mode:
        module.fail_json(
            msg=f"no such unit: {', '.join(missing)}. Expected: the packages that bring them are installed."
        )
    masked = [unit.name for unit in units if unit.load == "masked"]
    enable = [unit.name for unit in units if unit.enabled in ("disabled", "masked", "masked-runtime", "")]
    reasons = {
        unit.name: restart_reason(unit, module.params["config"], module.params["restart"] or bool(removed))
        for unit in units
        if unit.running
    }
    restarted = {name: reason for name, reason in reasons.items() if reason}
    started = [unit.name for unit in units if not unit.running]
    result = {
        "changed": bool(started or restarted or enable or removed),
        "started": started,
        "restarted": restarted,
        "enabled": enable,
        "removed": removed,
        "ready": False,
    }
    if module.check_mode:
        return result
    if masked:
        systemd.call("unmask", *map(full_name, masked))
    if enable:
        systemd.call("enable", "--quiet", *map(full_name, enable))
    elif any(unit.stale_definition for unit in units):
        systemd.call("daemon-reload")
    block = [] if module.params["wait"] else ["--no-block"]
    failed = [unit.name for unit in units if unit.active == "failed"]
    if failed:
        # They may have used up their start limit.
        systemd.call("reset-failed", *map(full_name, failed))
    if started:
        systemd.call("start", *block, *map(full_name, started))
    if restarted:
        systemd.call("restart", *block, *map(full_name, restarted))
    listen = module.params["listen"]
    if module.params["wait"]:
        wait_ready(systemd, names, listen, module.params["timeout"])
    return result | {"ready": module.params["wait"] or is_ready(systemd, names, listen)}


def ensure_absent(module: AnsibleModule, systemd: Systemd) -> dict[str, Any]:
    removed = remove(module, systemd, module.params["name"])
    return {"changed": bool(removed), "started": [], "restarted": {}, "enabled": [], "removed": removed, "ready": False}


def remove(module: AnsibleModule, systemd: Systemd, names: list[str]) -> list[str]:
    """Stop and mask units; those for which it was due."""
    if not names:
        return []
    removed = [
        unit.name
        for unit in systemd.units(names)
        if unit.load != "not-found" and (unit.running or unit.load != "masked")
    ]
    if removed and not module.check_mode:
        systemd.call("disable", "--quiet", "--no-reload", "--now", *map(full_name, removed))
        systemd.call("mask", "--quiet", *map(full_name, removed))
    return removed


def difference(result: dict[str, Any]) -> dict[str, str]:
    """The units that were touched, before and after, as Ansible shows it."""
    removed, restarted = result["removed"], result["restarted"]
    started = sorted({*result["started"], *result["enabled"]} - {*removed, *restarted})
    return {
        "before": "".join(f"{name}: as it was\n" for name in sorted([*removed, *started])),
        "after": "".join(f"{name}: absent\n" for name in sorted(removed))
        + "".join(f"{name}: started\n" for name in started)
        + "".join(f"{name}: restarted, {reason}\n" for name, reason in restarted.items()),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "absent"], "default": "started"},
            "unwanted": {"type": "list", "elements": "str", "default": []},
            "config": {"type": "list", "elements": "path", "default": []},
            "restart": {"type": "bool", "default": False},
            "listen": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 60},
            "log": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    systemd = Systemd(module)
    result = ensure_started(module, systemd) if module.params["state"] == "started" else ensure_absent(module, systemd)
    if result["changed"]:
        result["diff"] = difference(result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
