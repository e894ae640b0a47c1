"""The user's own options for services: files beside lab.yaml that are merged last into what the roles write.

overrides/NAME is for every node that has the file, overrides/GROUP/NAME for a group of nodes, overrides/NODE/NAME for
one. NAME is that of the file on the node, such as nova.conf.
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
        """The name that its overrides have."""
        return Path(self.file.path).name


@dataclass(frozen=True)
class Override:
    """A file of overrides. name is its path below overrides/, targets what it is merged into."""

    name: str
    text: str
    targets: tuple[Target, ...]

    @property
    def options(self) -> list[oslo_ini.Option]:
        """What it sets."""
        found: list[oslo_ini.Option] = oslo_ini.options(self.text)
        return found


def read(lab: Lab, paths: LabPaths) -> list[Override]:
    """The overrides of a lab. Raises BadInput with everything that is wrong with their places and their syntax."""
    overrides, wrong = [], []
    for path in sorted(paths.overrides.rglob("*")) if paths.overrides.is_dir() else ():
        if path.is_dir() or path.name.startswith("."):
            continue
        try:
            override = _read(lab, path, path.relative_to(paths.overrides))
            _ = override.options
            overrides.append(override)
        except oslo_ini.IniSyntaxError as problem:
            wrong.append(f"{path}, {problem}")
        except (OSError, ValueError) as problem:
            wrong.append(f"{path}: {problem}")
    if wrong:
        raise BadInput("\n".join([*wrong, "Nothing was changed"]), "docs/overrides.md says what overrides can be.")
    return overrides


def _read(lab: Lab, path: Path, name: Path) -> Override:
    scopes = {*get_args(Group), *(node.name for node in lab.nodes)}
    if len(name.parts) > 2 or (len(name.parts) == 2 and name.parts[0] not in scopes):
        raise ValueError(_expected(f"the directory {name.parent}", str(name.parent), sorted(scopes)))
    wanted = targets(lab, str(name))
    if not wanted:
        names = sorted({target.name for target in _in_scope(lab, name)})
        where = f" for {name.parts[0]}" if len(name.parts) == 2 else ""
        raise ValueError(_expected(f"the name {name.name}", name.name, names, where))
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line}: found a byte that is not UTF-8, expected text in UTF-8") from error
    return Override(str(name), text, tuple(wanted))


def _expected(found: str, word: str, names: list[str], where: str = "") -> str:
    near = difflib.get_close_matches(word, names, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"found {found}, expected one of {', '.join(names)}{where}{meant}"


def targets(lab: Lab, name: str) -> list[Target]:
    """What an override of a name below overrides/ is merged into, whether there is one or not."""
    return [target for target in _in_scope(lab, Path(name)) if target.name == Path(name).name]


def _in_scope(lab: Lab, name: Path) -> Iterator[Target]:
    """Every file that can have overrides, on the nodes that a name is for."""
    scope = name.parts[0] if len(name.parts) == 2 else None
    for node in lab.nodes:
        if scope not in (None, node.name, node.group):
            continue
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
        found[override.name] = {
            name: hashlib.sha256("\0".join(given).encode()).hexdigest()[:16] for name, given in values.items()
        }
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
