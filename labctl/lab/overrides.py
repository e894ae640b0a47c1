"""The user's own options for services: files beside lab.yaml that are merged last into the files that the roles write.

overrides/NAME is for every node that has the file, overrides/GROUP/NAME for a group of nodes, overrides/NODE/NAME for
one node. NAME is the name of the file on the node, such as nova.conf.
"""

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ansible_collections.novalab.openstack.plugins.module_utils import oslo_ini

from labctl.errors import BadInput
from labctl.lab import service_files
from labctl.lab.model import Group, Lab, Node
from labctl.lab.paths import LabPaths

Facts = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Target:
    """A file on nodes into which overrides are merged; restarts has the units that read it."""

    node: Node
    file: service_files.ConfigFile
    restarts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of its overrides."""
        return Path(self.file.path).name


@dataclass(frozen=True)
class Override:
    """A file of overrides. name is its path below overrides/, targets are the files into which it is merged."""

    name: str
    text: str
    targets: tuple[Target, ...]
    options: tuple[oslo_ini.Option, ...]


def read(lab: Lab, paths: LabPaths) -> list[Override]:
    """The overrides of a lab. Raises BadInput with everything that is wrong with their places and their syntax."""
    overrides, wrong = [], []
    files = (path for path in paths.overrides.rglob("*") if not path.is_dir() and not path.name.startswith("."))
    for path in sorted(files):
        try:
            overrides.append(_read(lab, path, path.relative_to(paths.overrides)))
        except oslo_ini.IniSyntaxError as problem:
            wrong.append(f"{path}, {problem}")
        except (OSError, ValueError) as problem:
            wrong.append(f"{path}: {problem}")
    if wrong:
        raise BadInput("\n".join([*wrong, "Nothing was changed"]), "docs/overrides.md explains overrides.")
    return overrides


def _read(lab: Lab, path: Path, name: Path) -> Override:
    scope = str(name.parent)
    scopes = [".", *sorted({*get_args(Group), *(node.name for node in lab.nodes)})]
    if scope not in scopes:
        raise ValueError(_expected("the directory", scope, scopes[1:]))
    wanted = targets(lab, str(name))
    if not wanted:
        names = sorted({target.name for target in _in_scope(lab, name)})
        raise ValueError(_expected("the name", name.name, names, "" if scope == "." else f" for {scope}"))
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line}: found a byte that is not UTF-8, expected text in UTF-8") from error
    return Override(str(name), text, tuple(wanted), tuple(oslo_ini.options(text)))


def _expected(what: str, found: str, names: list[str], where: str = "") -> str:
    near = difflib.get_close_matches(found, names, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"found {what} {found}, expected one of {', '.join(names)}{where}{meant}"


def targets(lab: Lab, name: str) -> list[Target]:
    """The files into which an override with a name below overrides/ would be merged."""
    return [target for target in _in_scope(lab, Path(name)) if target.name == Path(name).name]


def _in_scope(lab: Lab, name: Path) -> Iterator[Target]:
    """Every file that can have overrides, on the nodes that a name is for."""
    nodes = (node for node in lab.nodes if str(name.parent) in (".", node.name, node.group))
    for node in nodes:
        roles = service_files.lab_roles(node.group)
        for role in (role for feature in lab.features for role in roles.get(feature, ())):
            services = service_files.of_role(role).of(lab.release.debian, lab.features)
            for file in services.files:
                if file.format == "oslo" and file.namespaces:
                    yield Target(node, file, tuple(unit.name for unit in services.units))


def facts(overrides: list[Override]) -> Facts:
    """What is recorded of overrides: a digest of each option's values, by file and option. Values may be secret."""
    found: Facts = {}
    for override in overrides:
        values: dict[str, list[str]] = {}
        for option in override.options:
            values.setdefault("/".join(option.name), []).append(option.value)
        digests = {name: hashlib.sha256("\0".join(given).encode()).hexdigest() for name, given in values.items()}
        found[override.name] = {name: digest[:16] for name, digest in digests.items()}
    return found


def changes(before: Mapping[str, Mapping[str, str]], now: Facts) -> dict[str, list[str]]:
    """The options that differ, by file, in words."""
    found: dict[str, list[str]] = {}
    for name in sorted({*before, *now}):
        old, new = before.get(name, {}), now.get(name, {})
        words = [f"{key} {'set' if key not in old else 'changed'}" for key in new if old.get(key) != new[key]]
        words += [f"{key} back to what the role writes" for key in old if key not in new]
        if words:
            found[name] = words
    return found
