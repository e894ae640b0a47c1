"""What is measured, in the order in which one round goes through it."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.lab import COMPUTES, SCRIPTS, BenchLab, Done
from bench.results import CHECKOUT, Phase
from labctl.errors import LabError

# What must be there before a case: nothing at all; images, and no lab; the usual lab; that or one with computes added;
# or whatever there is.
Need = Literal["nothing", "images", "lab", "any lab", "whatever"]
Measure = Callable[[BenchLab], Done]
# Of a cold run, what depends on the machine and on PyPI more than on the lab.
ENVIRONMENT = "Python environment"
HOST_PACKAGES = "Host packages"
MANY = 10
LAB_MEMORY = 3.0  # GiB that the usual lab takes, with Neutron
_SNAPSHOT = "bench"
_CHANGED = re.compile(r"\bchanged=(\d+)")


@dataclass(frozen=True)
class Case:
    """One thing that is measured. verb is what labctl must know for it; times is how often a round repeats it.

    count divides the seconds in tables: how many things the case makes. playbook says that Ansible's events tell tasks.
    memory is what must be available for what the case itself starts, in GiB.
    """

    name: str
    title: str
    need: Need
    measure: Measure
    verb: tuple[str, ...] = ()
    times: int = 1
    count: int = 1
    playbook: bool = False
    memory: float = 0


def _cold(lab: BenchLab) -> Done:
    """From a fresh clone: its environment, then `labctl up` with no image and no cache. `prepare_cold` went before."""
    clone = lab.run("git", "clone", "--quiet", str(CHECKOUT), str(lab.clone))
    made = lab.run("make", "setup", cwd=lab.clone, environment=fresh_shell())
    lab.labctl_program = lab.clone / ".venv" / "bin" / "labctl"
    up = lab.labctl("up")
    before = clone.seconds + made.seconds
    phases = [
        Phase(name="Clone", start=0.0, seconds=round(clone.seconds, 1)),
        Phase(name=ENVIRONMENT, start=round(clone.seconds, 1), seconds=round(made.seconds, 1)),
        *(phase.model_copy(update={"start": round(phase.start + before, 1)}) for phase in up.phases),
    ]
    return Done(clone.start, before + up.seconds, up.output, phases)


def fresh_shell() -> dict[str, str]:
    """What differs in a shell in which nobody has activated this checkout, or called `make`."""
    folders = [folder for folder in os.get_exec_path() if Path(folder) != SCRIPTS]
    return {"PATH": os.pathsep.join(folders), "VIRTUAL_ENV": "", "MAKEFLAGS": "", "MAKELEVEL": ""}


def _up(lab: BenchLab) -> Done:
    return lab.labctl("up")


def _resume(lab: BenchLab) -> Done:
    lab.labctl("pause")
    return lab.labctl("resume")


def _restore(lab: BenchLab) -> Done:
    """To fresh reports of all services; the verification after it is that of every other verb."""
    lab.labctl("snapshot", "save", _SNAPSHOT)
    done = lab.labctl("snapshot", "restore", "--no-verify", _SNAPSHOT)
    lab.labctl("snapshot", "delete", _SNAPSHOT)  # after a failure it goes with the lab
    return done


def _playbook(lab: BenchLab) -> Done:
    return lab.run(str(SCRIPTS / "ansible-playbook"), "-i", str(lab.paths.hosts_ini), "site.yaml")


def _adding(count: int) -> Measure:
    def measure(lab: BenchLab) -> Done:
        described = json.loads(lab.paths.lab_yaml.read_text(encoding="utf-8"))
        lab.describe(described["networking"], lab.computes + count)
        return lab.labctl("up")

    return measure


def _status(lab: BenchLab) -> Done:
    return lab.labctl("status")


def _help(lab: BenchLab) -> Done:
    return lab.run(str(lab.labctl_program), "--help")


def _destroy(lab: BenchLab) -> Done:
    return lab.labctl("destroy")


CASES = (
    Case(
        "cold",
        "from a fresh clone and no images to the verified lab",
        "nothing",
        _cold,
        playbook=True,
        memory=LAB_MEMORY,
    ),
    Case("warm", "`labctl up`, images there", "images", _up, playbook=True, memory=LAB_MEMORY),
    Case("unchanged", "`labctl up` again, nothing to do", "lab", _up, playbook=True),
    Case("playbook", "`ansible-playbook -i hosts.ini site.yaml`, nothing to do", "lab", _playbook),
    Case("status", "`labctl status`", "lab", _status, times=3),
    Case("help", "`labctl --help`", "whatever", _help, times=3),
    Case("resume", "`labctl resume` after `labctl pause`", "lab", _resume, verb=("resume",)),
    Case(
        "restore",
        "`labctl snapshot restore --no-verify`, to fresh reports",
        "lab",
        _restore,
        verb=("snapshot", "restore"),
    ),
    Case(
        "add-one", f"`labctl up` that adds one compute to {COMPUTES}", "any lab", _adding(1), playbook=True, memory=0.5
    ),
    Case(
        *("add-ten", f"each of {MANY} computes that one `labctl up` adds", "any lab", _adding(MANY)),
        count=MANY,
        playbook=True,
        memory=0.4 * MANY,
    ),
    Case("destroy", "`labctl destroy`", "any lab", _destroy),
)
NAMES = tuple(case.name for case in CASES)


def changed(output: str) -> int | None:
    """Ansible's count of changes in a playbook's recap, None when there is no recap."""
    recap = output.partition("PLAY RECAP")[2]
    return sum(int(number) for number in _CHANGED.findall(recap)) if recap else None


def check_unchanged(case: str, changes: int | None) -> None:
    """Refuse the measurement of a run that should have changed nothing. Raises LabError."""
    if case in ("unchanged", "playbook") and changes:
        raise LabError(f"{case}: {changes} tasks changed something, expected none")
