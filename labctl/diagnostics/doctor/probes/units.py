"""The units of systemd on a node."""

import contextlib
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from ansible_collections.novalab.openstack.plugins.module_utils import systemd

_KEYS = ("load", "active", "sub", "result", "enabled", "restarts", "started")
_LINES = 4
_LOUD = (" ERROR ", " CRITICAL ", "Error: ", "Error] ")
_TAIL = 65536  # bytes of a log that are searched


def run(*command: str, timeout: float = 10.0) -> str:
    """The output of a command, empty when it fails, hangs or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def gather(expected: list[str]) -> dict[str, Any]:
    """The state of each expected unit, with the last lines of those that do not run; unexpected and failed units."""
    listed = ("systemctl", "list-units", "--plain", "--no-legend", "--no-pager", "--type=service")
    running = [line.split()[0] for line in run(*listed, "--state=active,activating", "nova-*").splitlines()]
    failed = [line.split()[0] for line in run(*listed, "--state=failed").splitlines()]
    counts = _processes()
    units = {}
    for unit in systemd.parse(run(*systemd.show(expected)), expected):
        values = {key: getattr(unit, key) for key in _KEYS}
        units[unit.name] = {**values, "processes": counts[systemd.full_name(unit.name)]}
        if unit.active != "active":
            units[unit.name]["evidence"] = evidence(unit.name)
    known = {systemd.full_name(unit) for unit in expected}
    others = sorted(name.removesuffix(".service") for name in set(running) - known)
    return {"units": units, "others": others, "failed": [name for name in failed if name not in known]}


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
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if any(word in line for word in _LOUD)][-_LINES:]
