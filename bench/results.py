"""What a run has measured, and the files that keep it: one for each run, named after its start and its commit."""

import json
import subprocess
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from labctl.errors import BadInput

CHECKOUT = Path(__file__).resolve().parent.parent
RESULTS = CHECKOUT / "bench" / "results"

Networking = Literal["none", "neutron"]
By = Literal["novalab", "yardstick"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Phase(_Part):
    """A step as labctl prints it, or a phase of the yardstick. Times in seconds, start counted from the sample's."""

    name: str
    start: float
    seconds: float


class Task(_Part):
    """A task of Ansible on one node. Times as in Phase; status is Ansible's word: ok, changed, skipped, failed."""

    node: str
    role: str
    name: str
    start: float
    seconds: float
    status: str

    @property
    def title(self) -> str:
        """The name after the role's."""
        return f"{self.role}: {self.name}" if self.role else self.name


class Sample(_Part):
    """One measurement.

    seconds is None when the case failed; error then says why. date is the start, in UTC, ISO 8601. load is the load
    average of one minute, and busy the share of the processors (0 to 1) that others used before it began; loud says
    that this was too much. changed counts Ansible's changes, None when no playbook ran. tasks is empty in all samples
    of a case but the median one.
    """

    case: str
    networking: Networking
    by: By
    run: int
    date: str
    seconds: float | None
    error: str | None = None
    load: float
    busy: float
    loud: bool
    changed: int | None = None
    phases: tuple[Phase, ...] = ()
    tasks: tuple[Task, ...] = ()


class Machine(_Part):
    """Where it was measured. memory is in GiB."""

    processor: str
    cores: int
    memory: float
    kernel: str
    system: str
    engine: str
    python: str
    ansible: str


class Result(_Part):
    """A run of the bench. dirty says that files differed from the commit; load is the load average before it began."""

    commit: str
    dirty: bool
    date: str
    machine: Machine
    load: float
    yardstick: bool = False
    samples: tuple[Sample, ...] = ()

    @property
    def name(self) -> str:
        """The name of its file, which sorts by time."""
        moment = self.date.replace("-", "").replace(":", "")[:15]
        return f"{moment}-{self.commit[:12]}{'-dirty' if self.dirty else ''}.json"


class Growing:
    """A result to which samples are added, each time written into a folder.

    Which sample is the median changes, so all tasks stay here, and the file has those that matter so far.
    """

    def __init__(self, result: Result, folder: Path) -> None:
        self._result = result
        self._folder = folder

    def add(self, sample: Sample) -> None:
        self._result = self._result.model_copy(update={"samples": (*self._result.samples, sample)})
        write(self._result.model_copy(update={"samples": slim(self._result.samples)}), self._folder)


def slim(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """The samples, with tasks for one of each case only, as the others differ in their times alone.

    It is the one nearest to the median: a result that is taken in parts may have lost the median's own.
    """
    samples = tuple(samples)
    kept = {id(sample) for group in grouped(samples).values() if (sample := _typical(group))}
    return tuple(s if id(s) in kept or not s.tasks else s.model_copy(update={"tasks": ()}) for s in samples)


def grouped(samples: Iterable[Sample]) -> dict[tuple[Networking, str, By], list[Sample]]:
    """Samples by networking, case and whose they are, in the order in which these come first."""
    groups: dict[tuple[Networking, str, By], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.networking, sample.case, sample.by), []).append(sample)
    return groups


def median(samples: Iterable[Sample]) -> Sample | None:
    """The sample in the middle, the faster one of two; None when none succeeded."""
    good = sorted((sample for sample in samples if sample.seconds is not None), key=lambda sample: sample.seconds or 0)
    return good[(len(good) - 1) // 2] if good else None


def _typical(samples: Sequence[Sample]) -> Sample | None:
    """Of those that have tasks."""
    middle = median(samples)
    told = [sample for sample in samples if sample.tasks and sample.seconds is not None]
    if middle is None or middle.seconds is None or not told:
        return None
    return min(told, key=lambda sample: abs((sample.seconds or 0) - (middle.seconds or 0)))


def write(result: Result, folder: Path) -> Path:
    """Write a result into a folder, a sample a line, and return the file. A run that goes on replaces its own file."""
    folder.mkdir(parents=True, exist_ok=True)
    head = result.model_dump(mode="json", exclude={"samples"})
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    samples = [f"    {json.dumps(sample.model_dump(mode='json', exclude_defaults=True))}" for sample in result.samples]
    text = ",\n".join([*lines, '  "samples": [\n' + ",\n".join(samples) + "\n  ]"])
    path = folder / result.name
    partial = path.with_suffix(".partial")
    partial.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")
    partial.replace(path)
    return path


def read(path: Path) -> Result:
    """A result from its file. Raises BadInput when it is none."""
    try:
        return Result.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"{path} is no result of the bench: {where or 'the file'}: {first['msg']}",
            "Results are written by `python -m bench run`.",
        ) from error


def continued(begun: Result, now: Result) -> Result:
    """A result to which a later run adds. Raises BadInput when that would mix two labs or two machines."""
    for what in ("commit", "dirty", "machine"):
        if getattr(begun, what) != getattr(now, what):
            raise BadInput(
                f"{begun.name} has {what} {getattr(begun, what)}, and now it is {getattr(now, what)}",
                "Measure all of it anew, without --go-on.",
            )
    return begun.model_copy(update={"yardstick": begun.yardstick or now.yardstick})


def runs(result: Result, cases: Collection[str], networkings: Collection[Networking]) -> int:
    """How many rounds a result has of any of these cases."""
    return max((s.run for s in result.samples if s.case in cases and s.networking in networkings), default=0)


def find(wanted: str | None, folder: Path = RESULTS) -> Result:
    """The result of a file or of a commit (any prefix or name that git knows), by default the newest one.

    Raises BadInput with the results that are there.
    """
    if wanted is not None and Path(wanted).is_file():
        return read(Path(wanted))
    files = sorted(folder.glob("*.json"))
    matching = files if wanted is None else _of_commit(files, wanted)
    if not matching:
        there = ", ".join(path.name for path in files) or "none"
        raise BadInput(
            f"There is no result {f'of {wanted} ' if wanted else ''}in {folder} (there: {there})",
            "`make bench` measures; name a file of results, or a commit that has one.",
        )
    return read(matching[-1])


def _of_commit(files: Sequence[Path], wanted: str) -> list[Path]:
    commit = git("rev-parse", "--verify", "--quiet", f"{wanted}^{{commit}}") or wanted
    return [path for path in files if path.name.partition("-")[2].startswith(commit[:12])]


def git(*arguments: str) -> str:
    """What git says of the checkout; empty when it fails."""
    done = subprocess.run(
        ["git", "-C", str(CHECKOUT), *arguments], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return done.stdout.strip() if done.returncode == 0 else ""
