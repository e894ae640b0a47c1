"""The measuring itself: rounds through the cases, for each kind of networking, in turn with the yardstick."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import events, machine
from bench.cases import CASES, LAB_MEMORY, Case, changed, check_unchanged
from bench.lab import COMPUTES, BenchLab, Done
from bench.results import By, Networking, Sample, Task
from bench.storage import Storage
from bench.yardstick import Mode, Yardstick
from labctl.errors import LabError

Report = Callable[[str], None]
Keep = Callable[[Sample], None]


@dataclass(frozen=True)
class Moment:
    """When something began, in UTC, and what the machine did then: its load average, the share that was in use."""

    date: str
    load: float
    busy: float


class Rounds:
    """One bench on one machine.

    storage is None with Docker Engine, which has the one that it has. settle is how many seconds at most a quiet
    moment is waited for. keep gets each sample at once, so that a run that is killed has what it has measured.
    """

    def __init__(
        self,
        lab: BenchLab,
        storage: Storage | None,
        *,
        compared: Yardstick | None,
        settle: float,
        report: Report,
        keep: Keep,
    ) -> None:
        self._lab = lab
        self._storage = storage
        self._compared = compared
        self._settle = settle
        self._report = report
        self._keep = keep
        self._networking: Networking = "none"
        self._run = 0
        self._up = False
        self._images: set[Networking] = set()
        self.failed = 0

    def go(self, names: Sequence[str], networkings: Sequence[Networking], runs: int, *, after: int = 0) -> None:
        """Measure cases in so many rounds, after so many; what fails is kept as failed, and the rest goes on."""
        cases = [case for case in CASES if case.name in names and self._possible(case)]
        self.clear()
        for self._run in range(after + 1, after + runs + 1):
            for self._networking in networkings:
                # What the yardstick builds depends on neither, so once a round is enough.
                first = self._networking == networkings[0]
                for case in cases:
                    self._case(case, with_yardstick=first)
                self._destroy()

    def clear(self) -> None:
        """Remove the lab, also that of a killed run, and every container in the bench's storage."""
        self._lab.describe(self._networking)
        self._destroy()
        if self._storage is not None:
            self._storage.remove_containers()
        if self._compared is not None:
            self._compared.clear()
        self._lab.remove_clone()

    def _possible(self, case: Case) -> bool:
        if case.verb and not self._lab.has(*case.verb):
            self._report(f"{case.name}: left out, there is no `labctl {' '.join(case.verb)}`")
            return False
        return True

    def _case(self, case: Case, *, with_yardstick: bool) -> None:
        mode: Mode | None = "cold" if case.name == "cold" else "warm" if case.name == "warm" else None
        turns: list[Callable[[], None]] = [lambda: self._ours(case)]
        if mode is not None and self._compared is not None and with_yardstick:
            compared = self._compared
            turns.append(lambda: self._theirs(compared, mode))
        for turn in turns if self._run % 2 else reversed(turns):
            turn()

    def _ours(self, case: Case) -> None:
        try:
            self._need(case)
            machine.check_memory(case.memory)
        except LabError as error:
            self._sample(case.name, "novalab", self._moment(), error=f"before it: {error}")
            return
        for _ in range(case.times):
            self._measure(case)
        if case.name == "cold":
            self._destroy()  # by the clone's own labctl, with which it was made
            self._lab.remove_clone()

    def _need(self, case: Case) -> None:
        """Bring about what a case needs, unmeasured."""
        if case.need == "nothing":
            self._clear_all()
        elif case.need == "images":
            self._destroy()
            if self._networking not in self._images:
                self._report(f"{case.name}: images are made unless they are there")
                self._lab.describe(self._networking)
                self._lab.labctl("setup")
                self._images.add(self._networking)
                self._destroy()
            self._lab.describe(self._networking)
        elif case.need != "whatever" and (not self._up or self._other_computes(case)):
            self._report(f"{case.name}: the lab is brought up")
            self._destroy()
            machine.check_memory(LAB_MEMORY)
            self._lab.describe(self._networking)
            self._lab.labctl("up")
            self._up = True
            self._images.add(self._networking)

    def _other_computes(self, case: Case) -> bool:
        return case.need == "lab" and self._lab.computes != COMPUTES

    def _clear_all(self) -> None:
        """No lab, no image, no cache."""
        if self._storage is None:
            raise LabError("a cold run needs Podman: Docker Engine has one storage for all, and it is not emptied")
        self._destroy()
        self._lab.remove_clone()
        self._lab.empty_cache()
        self._storage.remove_containers()
        self._storage.empty()
        self._images.clear()
        self._lab.describe(self._networking)

    def _measure(self, case: Case) -> None:
        before = set(events.runs(self._lab.paths.runner))
        moment = self._quiet()
        start = time.time()
        try:
            done = case.measure(self._lab)
        except LabError as error:
            self._up = False  # nobody knows what it is like
            self._sample(case.name, "novalab", moment, error=str(error))
            return
        if case.need != "whatever":
            self._up = case.name not in ("destroy", "cold")
        if self._up or case.name == "cold":
            self._images.add(self._networking)
        tasks = self._tasks(case, before, start)
        changes = events.changed(tasks) if case.playbook else changed(done.output)
        try:
            check_unchanged(case.name, changes)
        except LabError as error:
            self._sample(case.name, "novalab", moment, error=str(error))
            return
        self._sample(case.name, "novalab", moment, done, tasks=tasks, changes=changes)

    def _tasks(self, case: Case, before: set[Path], start: float) -> list[Task]:
        if not case.playbook:
            return []
        new = [folder for folder in events.runs(self._lab.paths.runner) if folder not in before]
        return events.tasks(new, start)

    def _theirs(self, compared: Yardstick, mode: Mode) -> None:
        self._destroy()
        try:
            compared.prepare(mode, self._lab)
            moment = self._quiet()
            done = compared.run(mode, self._lab)
        except LabError as error:
            self._sample(mode, "yardstick", self._moment(), error=str(error))
        else:
            self._sample(mode, "yardstick", moment, done)

    def _destroy(self) -> None:
        """The lab gone. Whether there is one is not asked: a killed run may have left half of it."""
        self._lab.labctl("destroy")
        self._up = False

    def _quiet(self) -> Moment:
        """Wait for a quiet moment, and say when it is."""
        return self._moment(machine.settle(self._settle))

    def _moment(self, share: float = 0.0) -> Moment:
        return Moment(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", machine.load(), share)

    def _sample(
        self,
        case: str,
        by: By,
        moment: Moment,
        done: Done | None = None,
        *,
        tasks: Iterable[Task] = (),
        changes: int | None = None,
        error: str | None = None,
    ) -> None:
        self.failed += error is not None
        sample = Sample(
            case=case,
            networking=self._networking,
            by=by,
            run=self._run,
            date=moment.date,
            seconds=None if done is None else round(done.seconds, 2),
            error=error,
            load=moment.load,
            busy=moment.busy,
            loud=moment.busy > machine.LOUD,
            changed=changes,
            phases=tuple(done.phases) if done else (),
            tasks=tuple(tasks),
        )
        self._keep(sample)
        verdict = f"failed: {error}" if sample.seconds is None else f"{sample.seconds:.2f} s"
        mark = f" (the machine was busy: {moment.busy:.0%})" if sample.loud else ""
        self._report(f"{self._networking} {self._run} {by} {case}: {verdict}{mark}")
