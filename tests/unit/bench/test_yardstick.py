"""The command that figures are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import yardstick
from bench.lab import BenchLab
from bench.results import Phase
from labctl.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path


def test_answer_gives_total_and_phases() -> None:
    output = 'nodes  3.0 s\n{"mode": "cold", "phases": {"nodes": 3.0, "packages": 90.5}, "total": 94}\n\n'
    assert yardstick.parse(output) == (
        94.0,
        [Phase(name="nodes", start=0.0, seconds=3.0), Phase(name="packages", start=3.0, seconds=90.5)],
    )
    assert yardstick.parse('{"total": 33.1}') == (33.1, [])


@pytest.mark.parametrize(
    "output", ["", "done in 33 s", '{"phases": {}}', "[33]", '{"total": "fast"}', '{"total": null}']
)
def test_what_is_no_answer_is_refused(output: str) -> None:
    with pytest.raises(LabError, match="The yardstick ended with the line"):
        yardstick.parse(output)


def program(folder: Path) -> str:
    """A yardstick that notes its calls."""
    path = folder / "yard stick.sh"
    path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\necho "{{\\"total\\": 5}}"\n', encoding="utf-8")
    path.chmod(0o755)
    return f"'{path}' --nodes 3"


def test_a_warm_run_is_prepared_by_one_cold_run(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "bench", "bench", "10.0.0.0/24")
    compared = yardstick.Yardstick(program(tmp_path), None)
    with lab.held():
        for _ in range(2):
            compared.prepare("warm", lab)
            assert compared.run("warm", lab).seconds == 5.0
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert calls == ["--nodes 3 cold", "--nodes 3 warm", "--nodes 3 warm"]
