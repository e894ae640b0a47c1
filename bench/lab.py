"""The lab that is measured: its files, the commands that are run on it, and the one that runs right now."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.results import CHECKOUT, Networking, Phase
from labctl.errors import LabError
from labctl.lab import lock
from labctl.lab.paths import LabPaths

SCRIPTS = Path(sys.executable).parent
COMPUTES = 2  # of the usual lab
_STEP = re.compile(r"^(?P<name>\S.*): done in (?P<seconds>[\d.]+) s\b")


@dataclass
class Done:
    """A command that has ended well. seconds is how long it took; start is in seconds since 1970."""

    start: float
    seconds: float
    output: str
    phases: list[Phase] = field(default_factory=list)


class BenchLab:
    """A lab of its own in a folder of the bench; always the same, so that a killed run's leftovers are found."""

    def __init__(self, folder: Path, name: str, network: str) -> None:
        self.folder = folder.resolve()
        self.paths = LabPaths(self.folder / "lab")
        self.clone = self.folder / "clone"
        self.cache = self.folder / "cache"
        self.computes = COMPUTES
        self.labctl_program = SCRIPTS / "labctl"
        self._name = name
        self._network = network
        self._child = self.folder / "child.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and hold it against another bench; end what a killed one has left running."""
        for path in (self.paths.directory, self.cache):
            path.mkdir(parents=True, exist_ok=True)
        os.environ["XDG_CACHE_HOME"] = str(self.cache)
        for name in ("PIP_CACHE_DIR", "UV_CACHE_DIR"):  # would go before
            os.environ.pop(name, None)
        os.environ["LC_ALL"] = "C.UTF-8"
        with lock.held(self.paths_of_bench, "bench"):
            self._end_child()
            yield

    @property
    def paths_of_bench(self) -> LabPaths:
        """The bench's own lock and logs, which are not those of the lab."""
        return LabPaths(self.folder)

    def describe(self, networking: Networking, computes: int = COMPUTES) -> None:
        """Write lab.yaml (JSON is YAML)."""
        self.computes = computes
        keys = {"name": self._name, "network": self._network, "networking": networking, "computes": computes}
        self.paths.lab_yaml.write_text(json.dumps(keys) + "\n", encoding="utf-8")

    def labctl(self, *arguments: str) -> Done:
        """Run a verb of labctl."""
        return self.run(str(self.labctl_program), "-C", str(self.paths.directory), *arguments)

    def has(self, *verb: str) -> bool:
        """Whether labctl knows a verb."""
        program = [str(self.labctl_program), *verb, "--help"]
        return subprocess.run(program, check=False, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0

    def run(self, *command: str, cwd: Path = CHECKOUT, environment: Mapping[str, str] | None = None) -> Done:
        """Run a command to its end and take its time. Raises LabError with its last lines when it fails."""
        phases: list[Phase] = []
        output: list[str] = []
        start, began = time.time(), time.monotonic()
        with subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            self._remember_child(process.pid)
            try:
                assert process.stdout is not None  # noqa: S101 (it is a pipe)
                for line in process.stdout:
                    output.append(line)
                    if step := _STEP.match(line):
                        seconds = float(step["seconds"])
                        at = max(0.0, time.monotonic() - began - seconds)
                        phases.append(Phase(name=step["name"], start=round(at, 1), seconds=seconds))
            except BaseException:
                os.killpg(process.pid, signal.SIGINT)
                raise
        took = time.monotonic() - began
        self._child.unlink(missing_ok=True)
        if process.returncode != 0:
            raise LabError(
                f"`{' '.join(command)}` ended with {process.returncode} after {took:.0f} s:\n{_last(output)}"
            )
        return Done(start, took, "".join(output), phases)

    def _remember_child(self, process: int) -> None:
        self._child.write_text(json.dumps({"process": process, "began": _began(process)}), encoding="utf-8")

    def _end_child(self) -> None:
        """End the process group that a killed bench was waiting for; labctl ends Ansible's, which is not in it."""
        try:
            child = json.loads(self._child.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if _began(child["process"]) == child["began"]:
            os.killpg(child["process"], signal.SIGKILL)
        self._child.unlink()

    def remove_clone(self) -> None:
        """Remove the fresh clone of a cold run."""
        shutil.rmtree(self.clone, ignore_errors=True)
        self.labctl_program = SCRIPTS / "labctl"

    def empty_cache(self) -> None:
        """Remove what labctl, pip and uv have kept."""
        shutil.rmtree(self.cache, ignore_errors=True)
        self.cache.mkdir()


def _began(process: int) -> str | None:
    """When a process began, as the kernel counts it (proc_pid_stat(5)); None when it is not there."""
    try:
        return Path("/proc", str(process), "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return None


def _last(lines: Sequence[str]) -> str:
    return "".join(lines[-15:]).rstrip()
