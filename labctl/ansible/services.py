"""The services of a lab's nodes: the roles from group_vars, and what their vars/services.yml says."""

from pathlib import PurePosixPath

from labctl.lab import service_files
from labctl.lab.model import Group, Lab, Node
from labctl.lab.service_files import Catalog, Services, Unit


def roles(lab: Lab, group: Group) -> list[str]:
    """The roles of a group's nodes in this lab: those of every node, then the others in the order in which they run."""
    sets = (service_files.common_roles(), service_files.lab_roles(group))
    return [role for roles in sets for feature in lab.features for role in roles.get(feature, ())]


def of(lab: Lab, node: Node) -> list[Services]:
    """The services of each role of a node; causes of failures come before consequences."""
    own, common = service_files.lab_roles(node.group), service_files.common_roles()
    names = [role for feature in lab.features for role in (*common.get(feature, ()), *own.get(feature, ()))]
    return [service_files.of_role(name).of(lab.release.debian, lab.features) for name in names]


def unit_facts(lab: Lab, node: Node) -> dict[str, Unit]:
    """The systemd units that must run on a node, by name."""
    return {unit.name: unit for role in of(lab, node) for unit in role.units}


def units(lab: Lab, node: Node) -> list[str]:
    """The names of the systemd units that must run on a node, without .service."""
    return list(unit_facts(lab, node))


def log_files(lab: Lab, node: Node) -> list[PurePosixPath]:
    """The log files of a node's services; their directories may have others."""
    return [PurePosixPath(file) for role in of(lab, node) for file in role.logs]


def log_directories(lab: Lab, node: Node) -> list[str]:
    """The directories of the log files of a node's services."""
    return sorted({str(path.parent) for path in log_files(lab, node)})


def configuration(lab: Lab, node: Node) -> list[str]:
    """The files and directories with the configuration of a node's services.

    A file below /etc stands for the directory of its service, except where services share one.
    """
    found = set()
    for file in (file for role in of(lab, node) for file in role.files):
        root, *parts = PurePosixPath(file.path).parts
        shared = parts[0] != "etc" or parts[1] in ("default", "systemd")
        found.add(file.path if shared else f"{root}{parts[0]}/{parts[1]}")
    return sorted(found)


def reporting(lab: Lab) -> dict[str, list[str]]:
    """The services that must report to Nova, by node."""
    return {node.name: [unit.name for unit in unit_facts(lab, node).values() if unit.reports] for node in lab.nodes}


def versions(lab: Lab) -> dict[str, tuple[str, ...]]:
    """The packages that have the version of a component, whichever of them is installed, by component."""
    return {name: packages for node in lab.nodes for role in of(lab, node) for name, packages in role.versions.items()}


def catalog(lab: Lab) -> list[Catalog]:
    """The APIs of the lab."""
    return [role.catalog for node in lab.nodes for role in of(lab, node) if role.catalog]
