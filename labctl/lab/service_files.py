"""What runs in a lab and what belongs to it, as each role says in vars/services.yml.

These files are the one description of the services: status, doctor, logs, support bundle, plan and, through the lookup
plugin novalab.openstack.services, the verification read them. docs/services.md explains the keys.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from labctl.errors import LabError
from labctl.lab.paths import assets

Group = Literal["controller_nodes", "compute_nodes"]
Where = Literal["the controller", "every node"]
Clients = Literal["controller", "nodes", "host"]  # programs on the controller; on all nodes; on this machine too
# A secret is named after what keeps it, and listed in this order; others come last.
_KEEPERS = ("mariadb", "rabbitmq", "keystone")

Path_ = Annotated[str, Field(pattern="^/")]
Names = tuple[str, ...]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Unit(_Part):
    """A systemd unit that must run, without .service.

    port is a TCP port at the node's address, or at the loopback address if its clients are on the controller only;
    clients may also be on other nodes, or on this machine too. user is the one whose settings it reads; needs the units
    that it does not work without, here or on the controller; feature that of labs which have it; reports whether Nova
    lists it.
    """

    name: str
    port: int | None = None
    clients: Clients | None = None
    user: str = ""
    needs: Names = ()
    feature: str | None = None
    reports: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.port is None) != (self.clients is None):
            raise ValueError("a port and its clients belong together")
        return self


class Port(_Part):
    """A port, or a range as FIRST-LAST, that belongs to no unit of the role, who connects to it, and what it is for."""

    port: int | Annotated[str, Field(pattern="^[0-9]+-[0-9]+$")]
    protocol: Literal["tcp", "udp"] = "tcp"
    clients: Clients | Literal["anybody"]
    use: str


class ConfigFile(_Part):
    """A configuration file, whose it is and who may read it; format oslo is oslo.config's.

    namespaces are those of the options that its service reads; aliases has sections whose names the file may choose,
    each with one that has the same options.
    """

    path: Path_
    owner: str = "root"
    group: str = "root"
    mode: Annotated[str, Field(pattern="^0[0-7]{3}$")] = "0644"
    format: Literal["oslo"] | None = None
    namespaces: Names = ()
    aliases: dict[str, str] = {}


class Database(_Part):
    """The databases of a user of MariaDB, and the sections of a file with the URLs to them."""

    user: str
    names: Names
    file: Path_
    sections: Names


class Account(_Part):
    """A user of RabbitMQ or Keystone, and the file that has the password."""

    user: str
    file: Path_


class Cache(_Part):
    """The option that names the servers of memcached."""

    file: Path_
    section: str
    option: str


class Catalog(_Part):
    """An entry of Keystone's catalog. The API is at the port of its unit; probe is a path that answers to anybody."""

    name: str
    type: str
    unit: str
    path: str = ""
    probe: str = "/"


class Secret(_Part):
    """What a new value of a secret means, in words, and where."""

    effect: str
    where: Where = "the controller"


class _Files(_Part):
    files: tuple[ConfigFile, ...] = ()
    logs: tuple[Path_, ...] = ()


class Services(_Files):
    """What a role brings.

    ports are those that belong to none of its units; directories have configuration by the user that reads all of it;
    data is where services write; versions has the packages that have the version of a component, whichever of them is
    installed.
    """

    units: tuple[Unit, ...] = ()
    ports: tuple[Port, ...] = ()
    directories: dict[Path_, str] = {}
    data: tuple[Path_, ...] = ()
    versions: dict[str, Names] = {}
    database: Database | None = None
    queue: Account | None = None
    identity: Account | None = None
    cache: Cache | None = None
    catalog: Catalog | None = None
    secrets: dict[str, Secret] = {}
    debian_12: Annotated[_Files, Field(alias="debian-12")] = _Files()
    debian_13: Annotated[_Files, Field(alias="debian-13")] = _Files()

    def of(self, debian: int, features: Names) -> "Services":
        """The services of a lab: on a release of Debian, with features."""
        more: _Files = {12: self.debian_12, 13: self.debian_13}[debian]
        units = tuple(unit for unit in self.units if unit.feature is None or unit.feature in features)
        return self.model_copy(update={"units": units, "files": self.files + more.files, "logs": self.logs + more.logs})


def of_role(role: str) -> Services:
    """What a role brings; nothing where it says nothing. Raises LabError when the file is not as it should be."""
    path = assets() / "roles" / role / "vars" / "services.yml"
    return _services(path, path.stat().st_mtime_ns) if path.is_file() else Services()


def lab_roles(group: Group) -> dict[str, list[str]]:
    """The roles of a group's nodes by feature, in the order in which they run, as group_vars says."""
    found: dict[str, list[str]] = _load(assets() / "group_vars" / f"{group}.yml")["lab_roles"]
    return found


def common_roles() -> dict[str, list[str]]:
    """The roles that run on every node before its own, by feature."""
    found: dict[str, list[str]] = _load(assets() / "group_vars" / "all" / "lab.yml")["lab_common_roles"]
    return found


def secrets() -> dict[str, Secret]:
    """Every secret of a lab, whatever it is made of, by name."""
    sets = [roles for group in get_args(Group) for roles in lab_roles(group).values()]
    found = {name: secret for roles in sets for role in roles for name, secret in of_role(role).secrets.items()}
    keepers = {keeper: rank for rank, keeper in enumerate(_KEEPERS)}
    return dict(sorted(found.items(), key=lambda item: keepers.get(item[0].partition("_")[0], len(keepers))))


@cache
def _services(path: Path, changed: int) -> Services:
    try:
        return Services.model_validate(_parsed(path, changed))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise LabError(f"{path} does not describe services:\n" + "\n".join(lines)) from error


def _load(path: Path) -> Any:  # noqa: ANN401 (YAML)
    return _parsed(path, path.stat().st_mtime_ns)


@cache
def _parsed(path: Path, _changed: int) -> Any:  # noqa: ANN401 (YAML)
    try:
        # Compiled, and ten times as fast as what reads lab.yaml: every verb needs these files.
        return yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (is safe)
    except (OSError, yaml.YAMLError) as error:
        raise LabError(f"{path} cannot be read: {error}", "Install novalab again.") from error
