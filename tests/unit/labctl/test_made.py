"""What of a description cannot change while its nodes exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl import made
from labctl.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.description import Lab
    from labctl.paths import LabPaths


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"name": "other"}, "name was lab, now other"),
        ({"release": "zed"}, "release was 2025.1, now 2022.2"),
        ({"provider": "libvirt"}, "provider was docker, now libvirt"),
        ({"network": "192.168.57.0/24"}, "network was 192.168.56.0/24, now 192.168.57.0/24"),
        ({"networking": "none"}, "networking was neutron, now none"),
        ({"computes": 1}, "no longer described: compute2"),
        ({"name": "other", "computes": 1}, "name was lab, now other; no longer described: compute2"),
    ],
)
def test_refused(paths: LabPaths, make_lab: Callable[..., Lab], keys: dict[str, object], said: str) -> None:
    made.remember(paths, make_lab(), "podman")
    with pytest.raises(BadInput) as caught:
        made.check(paths, make_lab(**keys))
    assert caught.value.message.endswith(f"than lab.yaml says: {said}")


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"computes": 3},
        {"dashboard": True},
        {"virt_type": "qemu"},
        {"secrets": {"keystone_admin": "x"}},
        {"engine": "docker"},
    ],
)
def test_allowed(paths: LabPaths, make_lab: Callable[..., Lab], keys: dict[str, object]) -> None:
    made.remember(paths, make_lab(), "podman")
    made.check(paths, make_lab(**keys))


def test_the_dashboard_stays(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    made.remember(paths, make_lab(dashboard=True), "podman")
    made.check(paths, make_lab(dashboard=True))
    with pytest.raises(BadInput, match="dashboard was true, now false"):
        made.check(paths, make_lab())


@pytest.mark.parametrize("record", [None, "", "{", "[]", '{"nodes": 3}'])
def test_a_missing_or_damaged_record_says_nothing(
    paths: LabPaths, make_lab: Callable[..., Lab], record: str | None
) -> None:
    paths.make_state()
    if record is not None:
        (paths.state / "made.json").write_text(record, encoding="utf-8")
    made.check(paths, make_lab())


def test_the_last_one_counts(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    made.remember(paths, make_lab(), "podman")
    made.remember(paths, make_lab(computes=3), "podman")
    with pytest.raises(BadInput, match="no longer described: compute3"):
        made.check(paths, make_lab())
