"""The units of systemd on a node."""

from __future__ import annotations

import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_PROPERTIES = "LoadState,ActiveState,SubState,Result,UnitFileState,NRestarts,ExecMainStartTimestamp,ExecMainStatus"
_LINES = 4
_LOUD = (" ERROR ", " CRITICAL ", "Error: ", "Error] ")
_TAIL = 65536  # bytes of a log that are looked at


def run(*command: str, timeout: float = 10.0) -> str:
    """The output of a command, empty when it fails, hangs or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def full_name(unit: str) -> str:
    """The name with its kind; a service is implied."""
    return unit if "." in unit else f"{unit}.service"


def gather(expected: list[str]) -> dict[str, Any]:
    """The state of each expected unit, with the last lines of those that do not run, and which others of Nova run."""
    listed = ("--plain", "--no-legend", "--no-pager", "--type=service")
    running = run("systemctl", "list-units", *listed, "--state=active,activating", "nova-*").splitlines()
    others = {line.split()[0].removesuffix(".service") for line in running if line.strip()} - set(expected)
    failed = [line.split()[0] for line in run("systemctl", "list-units", *listed, "--state=failed").splitlines()]
    counts = _processes()
    units = {}
    for unit, values in zip(expected, _show(expected), strict=False):
        units[unit] = {**values, "processes": counts[full_name(unit)]}
        if values["active"] != "active":
            units[unit]["evidence"] = evidence(unit)
    known = {full_name(unit) for unit in expected}
    return {"units": units, "others": sorted(others), "failed": [name for name in failed if name not in known]}


def _show(units: list[str]) -> list[dict[str, Any]]:
    """What `systemctl show` says, in the order asked for."""
    text = run("systemctl", "show", "--timestamp=us+utc", "-p", _PROPERTIES, *map(full_name, units))
    found = []
    for block in text.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        found.append(
            {
                "load": values.get("LoadState", ""),
                "active": values.get("ActiveState", ""),
                "sub": values.get("SubState", ""),
                "result": values.get("Result", ""),
                "enabled": values.get("UnitFileState", ""),
                "restarts": int(values.get("NRestarts") or 0),
                "since": moment(values.get("ExecMainStartTimestamp", "")),
            }
        )
    return found


def moment(text: str) -> float:
    """A time as `systemctl show --timestamp=us+utc` prints it, in seconds since the epoch; 0 for none."""
    try:
        return datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


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
    journal = run("journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", str(_LINES), "-u", full_name(unit))
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
