"""labctl plan, and labctl up --dry-run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.paths import LabPaths


@pytest.mark.parametrize("verb", [["plan"], ["up", "--dry-run"]])
def test_plan_is_printed_and_changes_nothing(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, verb: list[str]
) -> None:
    """Nothing is changed, whether it can be done or not."""
    status, output, errors = labctl("-C", paths.directory, *verb)
    assert (status, errors, list(paths.directory.iterdir())) == (0, "", [])
    assert output.splitlines()[:2] == [
        "+ network novalab-lab: 192.168.56.0/24",
        "+ node controller: 192.168.56.11, installed",
    ]
    said = json.loads(labctl("-C", paths.directory, *verb, "--json")[1])
    assert [change["action"] for change in said["changes"]] == ["create"] * 4
    paths.make_state()
    (paths.state / "made.json").write_text('{"release": "2022.2", "nodes": ["controller"]}', encoding="utf-8")
    status, output, errors = labctl("-C", paths.directory, *verb, "--json")
    assert (status, [refusal["key"] for refusal in json.loads(output)["refused"]]) == (2, ["release"])
    assert "nothing was changed" in errors
