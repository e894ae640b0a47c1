"""The units of systemd on a node."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from ansible_collections.novalab.openstack.plugins.module_utils import systemd

_LINES = 4
_LOUD = (" ERROR ", " CRITICAL ", "Error: ", "Error] ")
_TAIL = 65536  # bytes of a log that are looked at


def run(*command: str, timeout: float = 10.0) -> str:
    """The output of a command, empty when it fails, hangs or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def gather(expected: list[str]) -> dict[str, Any]:
    """The state of each expected unit, with the last lines of those that do not run, and which others of Nova run."""
    listed = ("--plain", "--no-legend", "--no-pager", "--type=service")
    running = run("systemctl", "list-units", *listed, "--state=active,activating", "nova-*").splitlines()
    others = {line.split()[0].removesuffix(".service") for line in running if line.strip()} - set(expected)
    failed = [line.split()[0] for line in run("systemctl", "list-units", *listed, "--state=failed").splitlines()]
    counts = _processes()
    units = {}
    for unit in systemd.parse(run(*systemd.show(expected)), expected):
        values = {key: getattr(unit, key) for key in ("load", "active", "sub", "result", "enabled", "restarts")}
        units[unit.name] = {**values, "since": unit.started, "processes": counts[systemd.full_name(unit.name)]}
        if unit.active != "active":
            units[unit.name]["evidence"] = evidence(unit.name)
    known = {systemd.full_name(unit) for unit in expected}
    return {"units": units, "others": sorted(others), "failed": [name for name in failed if name not in known]}


def _processes() -> Counter[str]:
    """How many processes each unit has."""
    counts: Counter[str] = Counter()
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        # A line for each hierarchy; systemd's own has the unit.
        counts.update(
            {part for line in lines for part in line.rpartition(":")[2].split("/") if part.endswith(".service")}
        )
    return counts


def evidence(unit: str) -> list[str]:
    """The last lines of a unit's journal, and the last errors in the log that services of OpenStack write instead."""
    journal = run("journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", str(_LINES), "-u", systemd.full_name(unit))
    lines = [f"journal: {line[:300]}" for line in journal.splitlines()]
    for path in Path("/var/log").glob(f"*/{unit}*.log"):
        lines += [f"{path}: {line[:300]}" for line in errors(path)]
    return lines


def errors(path: Path) -> list[str]:
    """The last lines of a log that tell of a failure."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if any(word in line for word in _LOUD)][-_LINES:]
