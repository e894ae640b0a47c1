"""What a lab's nodes consist of, as group_vars says it: roles, and the units that must run."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, get_args

from labctl.lab.model import Group, Lab, Node
from labctl.lab.paths import assets
from labctl.lab.yaml_reader import read


def roles(lab: Lab, group: Group) -> list[str]:
    """The roles of a group's nodes in this lab, in the order in which they are run."""
    return _of(lab, group, "lab_roles")


def units(lab: Lab, node: Node) -> list[str]:
    """The systemd units that must run on a node, without .service; causes of failures come before consequences."""
    return _of(lab, node.group, "verify_units_by_feature")


def log_files(lab: Lab, node: Node) -> list[PurePosixPath]:
    """The log files that a node's roles name, beside which their directories may have more."""
    named = (value for name, value in _names(lab, node) if name.endswith("_log_files"))
    return [PurePosixPath(file) for files in named for file in files]


def configuration(lab: Lab, node: Node) -> list[str]:
    """The files and directories below /etc that hold what a node's roles configure.

    A file that a role names stands for its service's whole directory, except where services share one.
    """
    found = set()
    for _, value in _names(lab, node):
        if isinstance(value, str) and value.startswith("/etc/"):
            _, etc, first, *_ = PurePosixPath(value).parts
            found.add(value if first in ("default", "systemd") else f"/{etc}/{first}")
    return sorted(found)


def _names(lab: Lab, node: Node) -> Iterator[tuple[str, Any]]:
    """What the roles of a node say of packages, units and paths of its distribution."""
    for role in roles(lab, node.group):
        yield from (read(assets() / "roles" / role / "vars" / f"debian-{lab.release.debian}.yml").data or {}).items()


def reporting(lab: Lab) -> dict[str, list[str]]:
    """The services that must report to Nova, by node."""
    sets: dict[Group, list[str]] = {group: list(_read(group)["verify_reporting"]) for group in get_args(Group)}
    return {node.name: sets[node.group] for node in lab.nodes}


def _of(lab: Lab, group: Group, key: str) -> list[str]:
    sets = _read(group)[key]
    return [str(name) for feature in lab.features for name in sets.get(feature, ())]


def _read(group: Group) -> dict[str, Any]:
    data: dict[str, Any] = read(assets() / "group_vars" / f"{group}.yml").data
    return data
