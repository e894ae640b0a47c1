"""On a node: its units, the resources that it uses, the versions of packages, and on the controller the cells.

Prints one JSON object. What is not known is null or missing in it; nothing is changed.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible_collections.novalab.openstack.plugins.module_utils import systemd

UNIT_KEYS = ("load", "active", "sub", "result", "started", "enabled", "restarts")
CGROUPS = Path("/sys/fs/cgroup")
CELLS = (
    "SELECT c.name, c.uuid, c.disabled, (SELECT GROUP_CONCAT(h.host ORDER BY h.host) FROM host_mappings h"
    " WHERE h.cell_id = c.id) FROM cell_mappings c ORDER BY c.name"
)


def said(*command: str) -> str | None:
    """What a command prints, None if it fails or does not exist."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def units(names: list[str]) -> list[dict[str, Any]]:
    """The state of each unit that is asked for, and of all others that have failed. since may be null."""
    expected = [systemd.full_name(name) for name in names]
    failed = said("systemctl", "list-units", "--plain", "--no-legend", "--no-pager", "--state=failed") or ""
    wanted = list(dict.fromkeys([*expected, *(line.split()[0] for line in failed.splitlines() if line.strip())]))
    output = said(*systemd.show(wanted)) if wanted else None
    return [
        {
            "unit": unit.name.removesuffix(".service"),
            **{key: getattr(unit, key) for key in UNIT_KEYS},
            "since": unit.since or None,
            "expected": unit.name in expected,
        }
        for unit in (systemd.parse(output, wanted) if output else ())
    ]


def numbers(path: Path) -> dict[str, int]:
    """A file of names and numbers, empty if it does not exist."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    rows = (line.replace(":", " ").split() for line in text.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def memory() -> dict[str, int | None]:
    """Bytes. used is the node's own, without the cache of files; total and available are the machine's.

    In a container /proc/meminfo is that of the host, and what the node uses is in its cgroup.
    """
    machine = numbers(Path("/proc/meminfo"))
    total, available = machine.get("MemTotal", 0) * 1024, machine.get("MemAvailable", 0) * 1024
    second = numbers(CGROUPS / "memory.stat")
    first = numbers(CGROUPS / "memory" / "memory.stat")
    if "anon" in second and "shmem" in second:
        used = second["anon"] + second["shmem"]
    elif "total_rss" in first:
        used = first["total_rss"] + first.get("total_shmem", 0)
    else:  # the root of a hierarchy, in a virtual machine, has no figures of its own
        used = total - available
    return {"used": used, "total": total, "available": available}


def processor_seconds() -> float | None:
    """Processor time that the node has used since its start."""
    usage = numbers(CGROUPS / "cpu.stat").get("usage_usec")
    if usage is not None:
        return usage / 1e6
    try:
        return int((CGROUPS / "cpuacct" / "cpuacct.usage").read_text(encoding="ascii")) / 1e9
    except (OSError, ValueError):
        return None


def booted() -> float:
    """When the node's first process began, in seconds since the epoch; in a container /proc/uptime is the host's."""
    stat = Path("/proc/1/stat").read_text(encoding="utf-8", errors="replace")
    ticks = int(stat.rpartition(")")[2].split()[19])  # starttime, proc(5)
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")


def addresses() -> dict[str, list[str]]:
    """The IPv4 addresses of each interface but the loopback."""
    links = json.loads(said("ip", "-j", "-4", "addr", "show") or "[]")
    found = {link["ifname"]: link.get("addr_info") for link in links if link.get("ifname", "lo") != "lo"}
    return {name: [f"{i['local']}/{i['prefixlen']}" for i in local] for name, local in found.items() if local}


def packages(names: list[str]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n", *names]
    try:  # it ends with 1 when one is not known
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    except OSError:
        return {}
    rows = (line.split() for line in done.stdout.splitlines())
    return {row[1]: row[2] for row in rows if len(row) == 3 and row[0] == "installed"}


def cells() -> list[dict[str, Any]] | None:
    """Nova's cells with their hosts, by the local socket of MariaDB; None if it does not answer."""
    output = said("mariadb", "--batch", "--skip-column-names", "--connect-timeout=3", "nova_api", "--execute", CELLS)
    if output is None:
        return None
    rows = (line.split("\t") for line in output.splitlines())
    return [
        {"name": name, "uuid": uuid, "disabled": disabled != "0", "hosts": [] if hosts == "NULL" else hosts.split(",")}
        for name, uuid, disabled, hosts in rows
    ]


def main(arguments: dict[str, Any]) -> None:
    """units and packages are names; cells says whether this node has Nova's API database."""
    disk = shutil.disk_usage("/")
    result = {
        "hostname": socket.gethostname(),
        "time": time.time(),
        "since": booted(),
        "addresses": addresses(),
        "units": units(arguments["units"]),
        "memory": memory(),
        "load": list(os.getloadavg()),
        "processors": os.cpu_count(),
        "processor_seconds": processor_seconds(),
        "disk": {"total": disk.total, "used": disk.used, "free": disk.free},
        "packages": packages(arguments["packages"]),
    }
    if arguments["cells"]:
        result["cells"] = cells()
    print(json.dumps(result))
