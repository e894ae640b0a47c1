"""A command with which every figure is compared: it builds the same lab in another way, on the same machine.

It is called with one more argument, `cold` or `warm`, and prints as its last line a JSON object:
{"total": 183.2, "phases": {"packages": 92.1, "nodes": 3.0}}, all in seconds. Other members are not read.
"""

import json
import shlex
from typing import Literal

from bench.lab import BenchLab, Done
from bench.results import Phase
from bench.storage import Storage
from labctl.errors import LabError

Mode = Literal["cold", "warm"]


class Yardstick:
    """The command of a command line. storage is its own, None with Docker Engine."""

    def __init__(self, command: str, storage: Storage | None) -> None:
        self._command = shlex.split(command)
        self._storage = storage
        self._images = False

    def clear(self) -> None:
        """Remove what it has left running, also that of a killed run."""
        if self._storage is not None:
            self._storage.remove_containers()

    def prepare(self, mode: Mode, lab: BenchLab) -> None:
        """Nothing is there for a cold run; for a warm one, what a cold one has left. Raises LabError."""
        self.clear()
        if mode == "cold" and self._storage is not None:
            self._storage.empty()
        elif mode == "warm" and not self._images:
            self.run("cold", lab)

    def run(self, mode: Mode, lab: BenchLab) -> Done:
        """Run it; seconds is what it says itself. Raises LabError when it fails or says something else."""
        environment = self._storage.environment if self._storage else {}
        try:
            done = lab.run(*self._command, mode, environment=environment)
        finally:
            self.clear()
        total, phases = parse(done.output)
        self._images = True
        return Done(done.start, total, done.output, phases)


def parse(output: str) -> tuple[float, list[Phase]]:
    """Total and phases from what a yardstick printed. Raises LabError."""
    last = (output.strip().splitlines() or [""])[-1]
    try:
        said = json.loads(last)
        total = float(said["total"])
        lengths = {str(name): float(seconds) for name, seconds in said.get("phases", {}).items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LabError(
            f'The yardstick ended with the line {last[:200]!r}, expected JSON such as {{"total": 183.2}}'
        ) from error
    phases, at = [], 0.0
    for name, seconds in lengths.items():
        phases.append(Phase(name=name, start=round(at, 2), seconds=seconds))
        at += seconds
    return total, phases
