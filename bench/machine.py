"""The machine: what it is, and how much of it others use."""

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

from bench.results import Machine
from labctl.errors import LabError
from labctl.providers.engine import Engine

# The share of the processors above which a measurement is marked: a lab that idles uses less.
LOUD = 0.25
_LOOK = 2.0  # seconds
_PROC = Path("/proc")


def describe(engine: Engine) -> Machine:
    """This machine."""
    words = dict(_pairs(_PROC / "cpuinfo", ":"))
    memory = dict(_pairs(_PROC / "meminfo", ":")).get("MemTotal", "0 kB")
    said = engine.run("version", "--format", "{{.Client.Version}}").strip()
    return Machine(
        processor=words.get("model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory=round(int(memory.split()[0]) / 2**20, 1),
        kernel=platform.release(),
        system=platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        engine=f"{engine.kind} {said}",
        python=platform.python_version(),
        ansible=version("ansible-core"),
    )


def _pairs(path: Path, separator: str) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    parts = (line.partition(separator) for line in lines if separator in line)
    return [(name.strip(), value.strip()) for name, _, value in parts]


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def check_memory(needed: float, meminfo: Path = _PROC / "meminfo") -> None:
    """Refuse what would leave the machine without memory. needed is in GiB. Raises LabError."""
    free = int(dict(_pairs(meminfo, ":")).get("MemAvailable", "0 kB").split()[0]) / 2**20
    if free < needed:
        raise LabError(
            f"{free:.1f} GiB of memory are available, expected {needed:g} GiB: the machine would stand still"
        )


def busy(seconds: float = _LOOK, stat: Path = _PROC / "stat") -> float:
    """The share of the processors (0 to 1) that is in use, or stolen by other machines, during some seconds."""
    before = _times(stat)
    time.sleep(seconds)
    passed = [now - then for then, now in zip(before, _times(stat), strict=True)]
    total = sum(passed)
    idle = passed[3] + passed[4]  # idle and waiting for the disk, see proc_stat(5)
    return round(1 - idle / total, 2) if total > 0 else 0.0


def _times(stat: Path) -> list[int]:
    # user, nice, system, idle, iowait, irq, softirq, steal; what guests use is part of user.
    first = stat.read_text(encoding="ascii").splitlines()[0]
    return [int(word) for word in first.split()[1:9]]


def settle(limit: float) -> float:
    """Wait until the machine is quiet, at most limit seconds, and return the share that is in use then."""
    end = time.monotonic() + limit
    share = busy()
    while share > LOUD and time.monotonic() < end:
        share = busy()
    return share
