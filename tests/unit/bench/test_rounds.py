"""The order of what is measured, and what becomes of failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import cases, machine
from bench.lab import SCRIPTS, BenchLab, Done
from bench.rounds import Rounds
from bench.yardstick import Yardstick
from labctl.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.results import Sample

UP_AGAIN = "PLAY RECAP ***\ncontroller : ok=90 changed={changed} failed=0\n"


class PretendedLab(BenchLab):
    """A lab whose commands are only noted; broken names those that fail, unknown the verbs that are not there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "bench", "10.0.0.0/24")
        self.paths.directory.mkdir(parents=True)
        self.cache.mkdir()
        self.calls: list[str] = []
        self.broken: set[str] = set()
        self.unknown: set[str] = set()
        self.changed = 0

    def labctl(self, *arguments: str) -> Done:
        return self.note(" ".join(arguments) + (f" {self.computes}" if arguments == ("up",) else ""))

    def has(self, *verb: str) -> bool:
        return " ".join(verb) not in self.unknown

    def run(self, *command: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> Done:
        del cwd, environment
        return self.note(" ".join([command[0].rpartition("/")[2], *command[1:2]]))

    def note(self, call: str) -> Done:
        self.calls.append(call)
        if call in self.broken:
            raise LabError(f"{call} is broken")
        output = UP_AGAIN.format(changed=self.changed) if call.startswith("ansible-playbook") else '{"total": 30}'
        return Done(0.0, 10.0, output)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PretendedLab:
    monkeypatch.setattr(machine, "settle", lambda _: 0.4)
    monkeypatch.setattr(machine, "check_memory", lambda _: None)
    return PretendedLab(tmp_path)


def measure(lab: PretendedLab, *names: str, runs: int = 1, compared: bool = False) -> list[Sample]:
    samples: list[Sample] = []
    yardstick = Yardstick("bare", None) if compared else None
    rounds = Rounds(lab, None, compared=yardstick, settle=0, report=lambda _: None, keep=samples.append)
    rounds.go(names, ["none"], runs)
    assert rounds.failed == sum(sample.error is not None for sample in samples)
    return samples


def test_warm_begins_with_images_and_no_lab(lab: PretendedLab) -> None:
    (sample,) = measure(lab, "warm")
    assert lab.calls == ["destroy", "destroy", "setup", "destroy", "up 2", "destroy"]
    assert (sample.case, sample.seconds, sample.loud, sample.busy) == ("warm", 10.0, True, 0.4)


def test_images_are_made_once(lab: PretendedLab) -> None:
    measure(lab, "warm", runs=3)
    assert lab.calls.count("setup") == 1


def test_one_lab_serves_all_cases_of_a_round(lab: PretendedLab) -> None:
    samples = measure(lab, *cases.NAMES[1:], runs=1)
    assert [sample.case for sample in samples] == [
        *("warm", "unchanged", "playbook", "status", "status", "status", "help", "help", "help"),
        *("resume", "restore", "add-one", "add-ten", "destroy"),
    ]
    assert lab.calls == [
        *("destroy", "destroy", "setup", "destroy", "up 2"),
        *("up 2", "ansible-playbook -i", "status", "status", "status", "labctl --help", "labctl --help"),
        *("labctl --help", "pause", "resume"),
        *("snapshot save bench", "snapshot restore --no-verify bench", "snapshot delete bench"),
        *("up 3", "up 13", "destroy", "destroy"),
    ]


def test_the_usual_lab_comes_back_for_the_next_round(lab: PretendedLab) -> None:
    measure(lab, "unchanged", "add-one", runs=2)
    ups = [call for call in lab.calls if call.startswith("up")]
    assert ups == ["up 2", "up 2", "up 3"] * 2


def test_a_failure_is_kept_and_the_rest_goes_on(lab: PretendedLab) -> None:
    lab.broken = {"snapshot restore --no-verify bench"}
    failed, added = measure(lab, "restore", "add-one")
    assert (failed.case, failed.seconds, failed.error) == (
        "restore",
        None,
        "snapshot restore --no-verify bench is broken",
    )
    assert (added.case, added.seconds) == ("add-one", 10.0)
    # After a failure nobody knows what the lab is like, so it is made anew; the snapshot goes with it.
    assert lab.calls[-5:] == ["snapshot restore --no-verify bench", "destroy", "up 2", "up 3", "destroy"]


def test_help_needs_no_lab(lab: PretendedLab) -> None:
    measure(lab, "help")
    assert lab.calls == ["destroy", *["labctl --help"] * 3, "destroy"]


def test_what_cannot_be_prepared_is_a_failure_too(lab: PretendedLab) -> None:
    lab.broken = {"up 2"}
    (sample,) = measure(lab, "status")
    assert sample.error == "before it: up 2 is broken"


def test_a_change_where_nothing_should_change_is_a_failure(lab: PretendedLab) -> None:
    lab.changed = 2
    (sample,) = measure(lab, "playbook")
    assert (sample.seconds, sample.error) == (None, "playbook: 2 tasks changed something, expected none")


def test_verbs_that_are_not_there_are_left_out(lab: PretendedLab) -> None:
    lab.unknown = {"snapshot restore", "resume"}
    assert [sample.case for sample in measure(lab, "resume", "restore", "destroy")] == ["destroy"]


def test_the_yardstick_goes_first_in_every_second_round(lab: PretendedLab) -> None:
    samples = measure(lab, "warm", runs=2, compared=True)
    assert [(s.run, s.by, s.seconds) for s in samples] == [
        *((1, "novalab", 10.0), (1, "yardstick", 30.0)),
        *((2, "yardstick", 30.0), (2, "novalab", 10.0)),
    ]
    assert [call for call in lab.calls if call.startswith("bare")] == ["bare cold", "bare warm", "bare warm"]


def test_a_yardstick_that_fails_costs_only_itself(lab: PretendedLab) -> None:
    lab.broken = {"bare warm"}
    ours, theirs = measure(lab, "warm", compared=True)
    assert ours.seconds == 10.0
    assert (theirs.by, theirs.error) == ("yardstick", "bare warm is broken")


def test_ten_computes_are_left_out_where_they_have_no_room(lab: PretendedLab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(needed: float) -> None:
        if needed > 3:
            raise LabError("no room")

    monkeypatch.setattr(machine, "check_memory", refuse)
    failed, gone = measure(lab, "add-ten", "destroy")
    assert (failed.error, gone.seconds) == ("before it: no room", 10.0)
    assert "up 12" not in lab.calls


def test_cold_needs_a_storage_that_can_be_emptied(lab: PretendedLab) -> None:
    (sample,) = measure(lab, "cold")
    assert sample.error is not None
    assert "a cold run needs Podman" in sample.error


def test_a_recap_of_all_nodes() -> None:
    assert cases.changed("changed=9\nPLAY RECAP **\na : ok=1 changed=2\nb : ok=1 changed=1\n") == 3
    assert cases.changed("Nodes: done in 3 s") is None


def test_a_fresh_clone_finds_nothing_of_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{SCRIPTS}:/usr/bin:/bin")
    assert cases.fresh_shell()["PATH"] == "/usr/bin:/bin"
