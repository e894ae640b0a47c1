"""The records of what a lab was made as."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.lab import records

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths


def test_record_written_last_counts(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    records.remember(paths, make_lab(), "podman")
    records.remember(paths, make_lab(computes=3), "podman")
    assert records.nodes(paths) == ("controller", "compute1", "compute2", "compute3")
    assert (records.provider(paths), records.read(paths)["engine"]) == ("docker", "podman")


def test_nodes_that_are_to_leave_are_remembered(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    records.remember(paths, make_lab(), "podman", leaving=["compute3", "compute2"])
    assert records.nodes(paths) == ("controller", "compute1", "compute2", "compute3")
    assert records.names(records.read(paths), "leaving") == ("compute3", "compute2")
    records.remember(paths, make_lab(), "podman")
    assert records.nodes(paths) == ("controller", "compute1", "compute2")


def test_record_of_the_software_is_private_without_passwords(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    """No password is in the record, and it is private all the same."""
    paths.make_state()
    records.remember_software(paths, make_lab(dashboard=True, secrets={"keystone_admin": "hunter2"}))
    record = records.read_software(paths) or {}
    assert len(record.pop("roles")) == 12
    assert record == {"dashboard": True, "virt_type": "auto", "images": {}, "overrides": {}}
    assert (paths.state / "software.json").stat().st_mode & 0o777 == 0o600
    records.forget_software(paths)
    records.forget_software(paths)
    assert records.read_software(paths) is None


@pytest.mark.parametrize("record", [None, "", "{", "[]", '{"nodes": 3}'])
def test_a_missing_or_damaged_record_says_nothing(paths: LabPaths, record: str | None) -> None:
    paths.make_state()
    if record is not None:
        (paths.state / "made.json").write_text(record, encoding="utf-8")
    assert (records.nodes(paths), records.provider(paths)) == ((), None)
