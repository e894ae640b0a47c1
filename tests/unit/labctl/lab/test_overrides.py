"""The user's own options: where they may lie, what they are for, and what has changed of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.errors import BadInput
from labctl.lab import overrides

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths

OPTION = "[DEFAULT]\ndebug = true\n"


def put(paths: LabPaths, name: str, text: str | bytes = OPTION) -> None:
    path = paths.overrides / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize(
    ("name", "nodes", "units"),
    [
        ("nova.conf", ["controller", "compute1", "compute2"], {"nova-api", "nova-scheduler", "nova-compute"}),
        ("nova-compute.conf", ["compute1", "compute2"], {"nova-compute"}),
        ("compute_nodes/nova.conf", ["compute1", "compute2"], {"nova-compute"}),
        ("compute2/nova.conf", ["compute2"], {"nova-compute"}),
        ("placement.conf", ["controller"], {"placement-api"}),
    ],
)
def test_override_is_for_the_nodes_that_have_the_file(
    paths: LabPaths, make_lab: Callable[..., Lab], name: str, nodes: list[str], units: set[str]
) -> None:
    put(paths, name)
    (override,) = overrides.read(make_lab(), paths)
    assert [target.node.name for target in override.targets] == nodes
    assert units <= {unit for target in override.targets for unit in target.restarts}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("nova.cnf", OPTION, "nova.cnf: found the name nova.cnf, expected one of .*; did you mean nova.conf?"),
        ("compute_node/nova.conf", OPTION, "found the directory compute_node.*did you mean compute_nodes?"),
        ("compute7/nova.conf", OPTION, "found the directory compute7"),
        ("compute1/placement.conf", OPTION, "found the name placement.conf, expected one of .* for compute1"),
        ("a/b/nova.conf", OPTION, "found the directory a/b"),
        ("nova.conf", b"[DEFAULT]\nx = \xff\n", "nova.conf: line 2: found a byte that is not UTF-8"),
        ("nova.conf", "debug = 1", "nova.conf, line 1: found the option debug before any section"),
    ],
)
def test_override_that_cannot_be_is_refused_with_its_place(
    paths: LabPaths, make_lab: Callable[..., Lab], name: str, text: str | bytes, said: str
) -> None:
    put(paths, name, text)
    with pytest.raises(BadInput, match=said) as caught:
        overrides.read(make_lab(), paths)
    assert "Nothing was changed" in caught.value.message


def test_override_of_a_service_that_the_lab_lacks_is_refused(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    put(paths, "neutron.conf")
    assert overrides.read(make_lab(), paths)
    with pytest.raises(BadInput, match=r"found the name neutron\.conf"):
        overrides.read(make_lab(networking="none"), paths)


def test_facts_hold_no_value(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    put(paths, "nova.conf", "[DEFAULT]\ntransport_url = rabbit://nova:hunter2@here\n")
    assert "hunter2" not in str(overrides.facts(overrides.read(make_lab(), paths)))


def test_changes_name_each_option(paths: LabPaths, make_lab: Callable[..., Lab]) -> None:
    put(paths, "nova.conf", "[DEFAULT]\na = 1\nb = 1\n")
    before = overrides.facts(overrides.read(make_lab(), paths))
    assert overrides.changes({}, before) == {"nova.conf": ["DEFAULT/a set", "DEFAULT/b set"]}
    assert overrides.changes(before, before) == {}
    put(paths, "nova.conf", "[DEFAULT]\na = 2\nc = 1\n")
    assert overrides.changes(before, overrides.facts(overrides.read(make_lab(), paths))) == {
        "nova.conf": ["DEFAULT/a changed", "DEFAULT/c set", "DEFAULT/b back to what the role writes"]
    }
    assert overrides.changes(before, {})["nova.conf"][0] == "DEFAULT/a back to what the role writes"
