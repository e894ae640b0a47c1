"""Which nodes of a lab can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.remote import nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(computes=1)


def test_hosts_without_a_note(lab: Lab, make_lab: Callable[..., Lab], paths: LabPaths) -> None:
    assert nodes.hosts(lab, paths, ["compute1"])["compute1"].host == "192.168.56.21"
    assert nodes.hosts(make_lab(provider="libvirt"), paths, ["compute1"]) == {}
