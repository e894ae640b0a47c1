"""What the doctor finds out about this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.diagnostics.doctor import host_facts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("made", "expected"), [(["cgroup.controllers"], True), (["systemd/"], True), (["memory/"], False)]
)
def test_cgroups_for_systemd_are_recognised(tmp_path: Path, made: list[str], expected: bool) -> None:
    for name in made:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    assert host_facts.cgroups(tmp_path) is expected
