"""labctl up: labs that it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.lab import lock, records, registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths


def test_up_of_a_lab_that_differs_is_refused(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.make_state()
    (paths.state / "made.json").write_text('{"release": "2022.2", "nodes": ["compute9"]}', encoding="utf-8")
    monkeypatch.setenv("LABCTL_DIR", str(paths.directory))
    status, output, errors = labctl("up")
    assert (status, output) == (2, "")
    assert "  release was 2022.2, now 2025.1: " in errors
    assert "  computes was 3, now 2: " in errors
    assert lock.holder(paths) is None


def test_up_beside_a_lab_with_defaults_proposes_free_ones(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    """Without a lab.yaml: what to write into one."""
    records.remember(paths, make_lab(), None)
    registry.remember(paths, make_lab())
    status, _, errors = labctl("-C", tmp_path, "up")
    assert (status, list(tmp_path.iterdir())) == (2, [paths.directory])
    assert f"The name 'lab' is taken: the lab lab belongs to the lab in {paths.directory}; " in errors
    assert f"Network 192.168.56.0/24 is taken by the lab lab in {paths.directory}" in errors
    assert errors.endswith("destroy`:\n  name: lab2\n  network: 192.168.57.0/24\n")
