"""What a lab's nodes consist of, as group_vars says it: roles, and the units that must run."""

from pathlib import PurePosixPath
from typing import Any, get_args

from labctl.description import Group, Lab, Node
from labctl.paths import assets
from labctl.yamlfile import read


def roles(lab: Lab, group: Group) -> list[str]:
    """The roles of a group's nodes in this lab, in the order in which they are run."""
    return _of(lab, group, "lab_roles")


def units(lab: Lab, node: Node) -> list[str]:
    """The systemd units that must run on a node, without .service; causes of failures come before consequences."""
    return _of(lab, node.group, "verify_units_by_feature")


def log_files(lab: Lab, node: Node) -> list[PurePosixPath]:
    """The log files that a node's roles name, beside which their directories may have more."""
    found: list[PurePosixPath] = []
    for role in roles(lab, node.group):
        path = assets() / "roles" / role / "vars" / f"debian-{lab.release.debian}.yml"
        for name, value in (read(path).data or {}).items():
            if name.endswith("_log_files"):
                found += [PurePosixPath(file) for file in value]
    return found


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
