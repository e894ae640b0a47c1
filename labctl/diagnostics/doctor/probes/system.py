"""A node as a machine: its units, names, clock, disks, memory, identity, packages; and what only a compute has."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ansible_collections.novalab.openstack.plugins.module_utils import systemd

from labctl.diagnostics.doctor.probes import logins

_UNIT_KEYS = ("load", "active", "sub", "result", "enabled", "restarts", "started")
_LINES = 4
_LOUD = (" ERROR ", " CRITICAL ", "Error: ", "Error] ")
_TAIL = 65536  # bytes of a log that are searched
_PLACES = ("/", "/tmp", "/var/log", "/run")  # noqa: S108 (only read)
_HOST_KEYS = Path("/etc/ssh")

_NOVA = "/etc/nova/nova.conf"
_DRIVER = "/etc/nova/nova-compute.conf"
_ACCELERATOR = Path("/var/lib/novalab/accelerator.json")
_CONSOLE = ("novncproxy_base_url", "server_proxyclient_address")


def run(*command: str, timeout: float = 10.0) -> str:
    """The output of a command, empty if it fails, hangs or does not exist."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def gather(nodes: dict[str, str], data: list[str]) -> dict[str, Any]:
    """These facts. nodes has the lab's addresses by name, data the folders in which services keep their data."""
    hosts = Path("/etc/hosts").read_text(encoding="utf-8", errors="replace").splitlines()
    return {
        "hostname": socket.gethostname(),
        "time": time.time(),
        "names": {name: _addresses(name) for name in nodes},
        "hosts_lines": [line.strip() for line in hosts if set(nodes) & set(line.partition("#")[0].split()[1:])],
        "disks": _disks([*_PLACES, *data]),
        "memory": memory(Path("/proc/meminfo").read_text(encoding="ascii")),
        "cpus": os.cpu_count() or 1,
        "identity": _identity(),
        "packages": [line for line in run("dpkg", "--audit").splitlines() if line.strip()],
        "policy": Path("/usr/sbin/policy-rc.d").exists(),
    }


def _addresses(name: str) -> list[str]:
    """The addresses that a name resolves to."""
    return sorted({line.split()[0] for line in run("getent", "ahostsv4", name, timeout=5).splitlines()})


def _disks(places: list[str]) -> list[dict[str, Any]]:
    """The file systems in which services write, each once. Sizes are in bytes."""
    found: dict[int, dict[str, Any]] = {}
    for place in places:
        with contextlib.suppress(OSError):
            status = os.statvfs(place)
            new = {
                "places": [],
                "size": status.f_blocks * status.f_frsize,
                "free": status.f_bavail * status.f_frsize,
                "inodes": status.f_files,
                "free_inodes": status.f_favail,
                "read_only": bool(status.f_flag & os.ST_RDONLY),
            }
            found.setdefault(Path(place).stat().st_dev, new)["places"].append(place)
    return list(found.values())


def memory(text: str) -> dict[str, int]:
    """The lines of /proc/meminfo that matter, in bytes."""
    values = {key: int(value) * 1024 for key, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    return {key: values.get(key, 0) for key in ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")}


def _identity() -> dict[str, Any]:
    """What no two nodes may share: the machine id, the host keys of ssh, Nova's id of the compute."""
    keys = {}
    for path in sorted(_HOST_KEYS.glob("ssh_host_*_key.pub")):
        words = path.read_text(encoding="utf-8").split()
        keys[path.name] = words[1] if len(words) > 1 else ""
    return {"machine_id": _text("/etc/machine-id"), "compute_id": _text("/var/lib/nova/compute_id"), "ssh_keys": keys}


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def listening() -> list[str]:
    """The TCP ports that something listens on, as address:port."""
    rows = map(str.split, run("ss", "--no-header", "--listening", "--tcp", "--numeric").splitlines())
    return sorted({row[3] for row in rows if len(row) > 3})


def _libvirt() -> dict[str, Any]:
    """Whether libvirt answers, asked in a separate process because a broken one hangs."""
    program = "import libvirt; print(libvirt.open('qemu:///system').getLibVersion())"
    start = time.monotonic()
    try:
        subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=8, check=True)
        problem = ""
    except subprocess.CalledProcessError as error:
        problem = (error.stderr.strip().splitlines() or ["no answer"])[-1]
    except subprocess.TimeoutExpired:
        problem = "no answer within 8 s"
    return {"problem": problem, "seconds": round(time.monotonic() - start, 1)}


def units(expected: list[str]) -> dict[str, Any]:
    """The state of each expected unit, with the last lines of those that do not run; unexpected and failed units."""
    listed = ("systemctl", "list-units", "--plain", "--no-legend", "--no-pager", "--type=service")
    running = [line.split()[0] for line in run(*listed, "--state=active,activating", "nova-*").splitlines()]
    failed = [line.split()[0] for line in run(*listed, "--state=failed").splitlines()]
    counts = _processes()
    found = {}
    for unit in systemd.parse(run(*systemd.show(expected)), expected):
        values = {key: getattr(unit, key) for key in _UNIT_KEYS}
        found[unit.name] = {**values, "processes": counts[systemd.full_name(unit.name)]}
        if unit.active != "active":
            found[unit.name]["evidence"] = evidence(unit.name)
    known = {systemd.full_name(unit) for unit in expected}
    others = sorted(name.removesuffix(".service") for name in set(running) - known)
    return {"units": found, "others": others, "failed": [name for name in failed if name not in known]}


def _processes() -> Counter[str]:
    """How many processes each unit has."""
    counts: Counter[str] = Counter()
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        with contextlib.suppress(OSError):
            # A line for each hierarchy; systemd's own has the unit.
            paths = [line.rpartition(":")[2] for line in path.read_text(encoding="utf-8").splitlines()]
            counts.update({part for way in paths for part in way.split("/") if part.endswith(".service")})
    return counts


def evidence(unit: str) -> list[str]:
    """The last lines of a unit's journal, and the last errors in the log that services of OpenStack write instead."""
    journal = run("journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", str(_LINES), "-u", systemd.full_name(unit))
    lines = [f"journal: {line[:300]}" for line in journal.splitlines()]
    for path in Path("/var/log").glob(f"*/{unit}*.log"):
        lines += [f"{path}: {line[:300]}" for line in errors(path)]
    return lines


def errors(path: Path) -> list[str]:
    """The last lines of a log that report a failure."""
    text = ""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        text = file.read().decode("utf-8", errors="replace")
    return [line.strip() for line in text.splitlines() if any(word in line for word in _LOUD)][-_LINES:]


def compute(states: dict[str, Any]) -> dict[str, Any]:
    """The compute's own facts. states are those of its units: a question to a stopped libvirtd would start it."""
    found: dict[str, Any] = {
        "virt_type": logins.setting(_DRIVER, "libvirt", "virt_type") or logins.setting(_NOVA, "libvirt", "virt_type"),
        "accelerator": _accelerator(),
        "device": Path("/dev/kvm").exists(),
        "console": {name: logins.setting(_NOVA, "vnc", name) for name in _CONSOLE},
    }
    active = {name for name, state in states.items() if state["active"] == "active"}
    if "libvirtd" in active:
        found["libvirt"] = _libvirt()
    if "ovn-controller" in active:
        status = run("ovn-appctl", "-t", "ovn-controller", "connection-status", timeout=5)
        remote = run("ovs-vsctl", "--timeout=3", "get", "Open_vSwitch", ".", "external_ids:ovn-remote")
        found["ovn"] = {"status": status.strip(), "remote": remote.strip(' "\n')}
    return found


def _accelerator() -> dict[str, Any]:
    """What the role nova_compute has found out about KVM; empty if it has not."""
    try:
        kept = json.loads(_ACCELERATOR.read_text(encoding="utf-8"))
        return {"virt_type": kept["virt_type"], "reason": kept["reason"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
