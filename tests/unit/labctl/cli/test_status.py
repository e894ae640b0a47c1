"""labctl status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.paths import LabPaths


def test_status_without_a_lab(labctl: Callable[..., tuple[int, str, str]], paths: LabPaths) -> None:
    status, output, _ = labctl("-C", paths.directory, "status", "--json")
    assert status == 0
    said = json.loads(output)
    assert {node["name"]: node["state"] for node in said["nodes"]} == dict.fromkeys(
        ("controller", "compute1", "compute2"), "not_created"
    )
    assert (said["services"], list(paths.directory.iterdir())) == (None, [])
