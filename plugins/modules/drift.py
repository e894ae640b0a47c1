#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Note how a node was left, and say later what is not so any more."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: drift
short_description: Note how a node was left, and say later what is not so any more
version_added: "0.1.0"
description:
  - Notes, at the end of a run, what a node consists of; called again, it compares, and fails with all that differs. Who
    finds no difference need not run all roles to know that there is nothing for them to do.
  - A node that cannot be looked at is not noted, with a warning. The comparison with it fails.
  - Of files it knows text, owner, group, mode and the time of the last change, so that a file that was changed and put
    back counts too, because a service may have started in between. Of links and folders, where they lead and whose
    they are. A new file is a difference. What services themselves write below C(/etc) is left out, and SysV's links.
  - Of systemd's units it knows which are enabled and run; of packages, C(dpkg)'s status; of the node, when it booted.
  - Of MariaDB it knows accounts and grants, schemas, and what the roles keep for Keystone, Glance, Nova and Neutron. Of
    Open vSwitch its settings, bridges and ports. Objects that have come since are no difference.
author:
  - novalab contributors (@novalab)
requirements:
  - PyMySQL on the node, for O(databases)
options:
  token:
    description: Names the run. A note of another one is not compared.
    type: str
    required: true
  note:
    description: Note how the node is, instead of comparing.
    type: bool
    default: false
  paths:
    description: Files and folders beside C(/etc), as patterns; C(~USER) stands for a home.
    type: list
    elements: path
    default: []
  databases:
    description: Whether MariaDB is looked at.
    type: bool
    default: false
  switch:
    description: Whether Open vSwitch is looked at.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Notes nothing.
  diff_mode:
    support: none
    description: Changes nothing of what it looks at.
"""

EXAMPLES = r"""
- name: Note how the node was left
  novalab.openstack.drift:
    token: 5c33f57548fa
    note: true
    paths: [~vagrant/*-openrc]
    databases: true

- name: See whether it still is so
  novalab.openstack.drift:
    token: 5c33f57548fa
    paths: [~vagrant/*-openrc]
    databases: true
"""

RETURN = r"""
count:
  description: How many things are noted or were compared, by kind.
  type: dict
  returned: success
  sample: {"node": 2, "files": 1422, "units": 31, "objects": 97, "switch": 0}
differences:
  description: What differs, one line each.
  type: list
  elements: str
  returned: failure
  sample: ["/etc/nova/nova.conf: another text", "unit nova-compute.service: was active, is inactive"]
"""

import glob
import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.novalab.openstack.plugins.module_utils import cloud_objects, service_database, systemd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOTE = "/var/lib/novalab/left.json"
SETTINGS = "/etc"
PACKAGES = "/var/lib/dpkg/status"
# Below /etc, and written while the services do their work: guests and their filters, Open vSwitch's database, what DHCP
# says of name servers. And SysV's links, eight for each unit that is enabled or disabled: systemd goes by its own.
LEFT_OUT = (
    "/etc/libvirt/nwfilter",
    "/etc/libvirt/qemu",
    "/etc/libvirt/secrets",
    "/etc/libvirt/storage",
    "/etc/openvswitch",
    *(f"/etc/rc{level}.d" for level in "0123456S"),
    "/etc/resolv.conf",
)
READ_WHOLE = 1 << 20  # bytes; of larger files, images and kernels, size and time of the last change have to do
ENABLED = ("enabled", "enabled-runtime", "generated")
OWN_BRIDGES = ("br-int",)  # OVN's, whose ports come and go with guests
SHOWN = 20

Facts = dict[str, Any]


def file_facts(path: str) -> Facts | None:
    """What is known of a file, link or folder; None for what is gone or is none of these."""
    try:
        found = os.lstat(path)
        facts: Facts = {"owner": f"{found.st_uid}:{found.st_gid}", "mode": f"{stat.S_IMODE(found.st_mode):04o}"}
        if stat.S_ISLNK(found.st_mode):
            return {"kind": "link", "target": os.readlink(path)}
        if stat.S_ISDIR(found.st_mode):
            return {"kind": "folder", **facts}
        if not stat.S_ISREG(found.st_mode):
            return None
        facts.update(kind="file", changed=found.st_ctime_ns, text=found.st_size)
        if found.st_size <= READ_WHOLE:
            facts["text"] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
    return facts


def below(path: str) -> Iterator[str]:
    """A path, and all paths below it when it is a folder, without what is left out."""
    if path in LEFT_OUT or path == NOTE:
        return
    yield path
    if os.path.isdir(path) and not os.path.islink(path):
        for name in sorted(os.listdir(path)):
            yield from below(os.path.join(path, name))


def files(patterns: Iterable[str]) -> dict[str, Facts]:
    """The facts of all files, links and folders that the patterns match, or that are in matching folders."""
    paths = [path for pattern in patterns for match in glob.glob(pattern) for path in below(match)]
    return {path: facts for path in paths if (facts := file_facts(path)) is not None}


def units(output: str) -> dict[str, Facts]:
    """The units of C(systemctl show) that are enabled or run; those that wait for an occasion are not of interest."""
    return {
        block["Id"]: {"state": block["ActiveState"], "enabled": block["UnitFileState"]}
        for block in systemd.blocks(output)
    }


def lasting(found: dict[str, Facts]) -> dict[str, Facts]:
    """Those units that are enabled and run."""
    return {name: unit for name, unit in found.items() if unit["state"] == "active" and unit["enabled"] in ENABLED}


def booted() -> str:
    """When the node booted: the kernel, and the time of its first process, which for a container is another one."""
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{kernel} {Path('/proc/1/stat').read_text(encoding='utf-8').rpartition(')')[2].split()[19]}"


def switch_facts(settings: str, bridges: str, managers: str, ports: dict[str, str]) -> dict[str, Facts]:
    """Open vSwitch as C(ovs-vsctl --format=json) says; a map is C(["map", [[key, value], ...]]) (RFC 7047, 5.1)."""
    facts: dict[str, Facts] = {f"manager {manager}": {} for manager in managers.split()}
    table = json.loads(settings)
    for heading, (kind, pairs) in zip(table["headings"], table["data"][0], strict=True):
        if kind == "map":
            facts.update({f"{heading}:{key}": {"value": value} for key, value in pairs})
    for name, datapath in json.loads(bridges)["data"]:
        facts[f"bridge {name}"] = {"datapath": datapath}
    for bridge, names in ports.items():
        facts.update({f"port {port} of {bridge}": {} for port in names.split()})
    return facts


def switch(module: AnsibleModule) -> dict[str, Facts]:
    """Open vSwitch as it is."""

    def ask(*arguments: str) -> str:
        command = ["ovs-vsctl", "--no-wait", "--timeout=10", *arguments]
        code, out, err = module.run_command(command)
        if code != 0:
            raise OSError(f"'{' '.join(command)}' ended with status {code}: {err.strip()}")
        return str(out)

    bridges = ask("--format=json", "--columns=name,datapath_type", "list", "Bridge")
    names = [name for name, _datapath in json.loads(bridges)["data"] if name not in OWN_BRIDGES]
    return switch_facts(
        ask("--format=json", "--columns=external_ids,other_config", "list", "Open_vSwitch"),
        bridges,
        ask("get-manager"),
        {name: ask("list-ports", name) for name in names},
    )


def look(module: AnsibleModule) -> dict[str, dict[str, Facts]]:
    """All facts of the node. Raises OSError for what cannot be looked at."""
    parameters = module.params
    packages = hashlib.sha256(Path(PACKAGES).read_bytes()).hexdigest()
    command = ["systemctl", "show", "--all", "-p", "Id,ActiveState,UnitFileState", "*.service", "*.socket", "*.timer"]
    code, out, err = module.run_command(command, environ_update={"LC_ALL": "C"})
    if code != 0:
        raise OSError(f"'{' '.join(command)}' ended with status {code}: {err.strip()}")
    return {
        "node": {"the node": {"boot": booted(), "name": os.uname().nodename}, "packages": {"status": packages}},
        "files": files([SETTINGS, *parameters["paths"]]),
        "units": units(out),
        "objects": {name: {"value": value} for name, value in cloud_objects.read().items()}
        if parameters["databases"]
        else {},
        "switch": switch(module) if parameters["switch"] else {},
    }


def file_difference(was: Facts | None, now: Facts | None) -> str:
    """How a file differs, in words; empty when it does not."""
    if was == now:
        return ""
    if was is None:
        return "is new"
    if now is None:
        return "is gone"
    if was["kind"] != now["kind"]:
        return f"was a {was['kind']}, is a {now['kind']}"
    if was["kind"] == "link":
        return f"led to {was['target']}, leads to {now['target']}"
    said = [f"{key} was {was[key]}, is {now[key]}" for key in ("owner", "mode") if was[key] != now[key]]
    if was.get("text") != now.get("text"):
        said.append("another text")
    return ", ".join(said) or "was changed and put back"


def unit_difference(was: Facts, now: Facts | None) -> str:
    """How a unit differs, in words; empty when it does not."""
    if now is None:
        return "is gone"
    keys = [] if now["state"] in ("active", "reloading") else ["state"]
    keys += [] if now["enabled"] == was["enabled"] else ["enabled"]
    return ", ".join(f"was {was[key]}, is {now[key]}" for key in keys)


def differences(was: dict[str, dict[str, Facts]], now: dict[str, dict[str, Facts]]) -> Iterator[str]:
    """What differs, a line each."""
    before, after = was["node"], now["node"]
    if before["the node"] != after["the node"]:
        yield "the node: was started again or renamed"
    if before["packages"] != after["packages"]:
        yield "packages: some were installed, removed or brought up to date"
    for path in sorted({*was["files"], *now["files"]}):
        if said := file_difference(was["files"].get(path), now["files"].get(path)):
            yield f"{path}: {said}"
    for name, unit in was["units"].items():
        if said := unit_difference(unit, now["units"].get(name)):
            yield f"unit {name}: {said}"
    for section in ("objects", "switch"):
        for name, facts in was[section].items():
            if now[section].get(name) != facts:
                where = "Open vSwitch: " if section == "switch" else ""
                yield f"{where}{name}: {'differs' if name in now[section] else 'is gone'}"


def read_note(token: str) -> dict[str, dict[str, Facts]] | None:
    """What was noted, None when that was another run or nothing was."""
    try:
        document = json.loads(Path(NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document["facts"] if isinstance(document, dict) and document.get("token") == token else None


def write_note(token: str, facts: dict[str, dict[str, Facts]]) -> None:
    """Write the note, readable by root only: it has digests of files and rows with passwords in them."""
    folder = os.path.dirname(NOTE)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".left.")  # made with mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"token": token, "facts": facts}, file)
    os.replace(temporary, NOTE)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "token": {"type": "str", "required": True, "no_log": False},
            "note": {"type": "bool", "default": False},
            "paths": {"type": "list", "elements": "path", "default": []},
            "databases": {"type": "bool", "default": False},
            "switch": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    if parameters["databases"] and service_database.PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=service_database.PYMYSQL_ERROR)
    noted = None if parameters["note"] else read_note(parameters["token"])
    if noted is None and not parameters["note"]:
        found = ["no note of the last whole run"]
        module.fail_json(msg=found[0], differences=found)
    try:
        facts = look(module)
        problem = ""
    except OSError as error:
        problem = str(error)
    if problem and parameters["note"]:
        # The run that is to be noted has ended well. Without a note, the next one looks at everything.
        module.warn(f"nothing is noted: {problem}")
        module.exit_json(changed=False, count={})
    if problem:
        module.fail_json(msg=problem, differences=[problem])
    if noted is None:
        facts["units"] = lasting(facts["units"])
        if not module.check_mode:
            write_note(parameters["token"], facts)
    else:
        found = list(differences(noted, facts))
        if found:
            more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
            module.fail_json(msg="\n".join(found[:SHOWN] + more), differences=found)
    module.exit_json(changed=False, count={section: len(entries) for section, entries in facts.items()})


if __name__ == "__main__":
    main()
