"""What the roles say of their services is what they do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import jinja2
import pytest
import yaml

from labctl.errors import LabError
from labctl.lab import service_files
from labctl.lab.paths import assets
from labctl.lab.service_files import Group

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLES = sorted(path.name for path in (assets() / "roles").iterdir() if (path / "tasks" / "main.yml").is_file())
CLOCK = "node"  # whose unit runs in machines only, where the doctor asks for the clock itself
WITHOUT_UNITS = {"_common", "guest_image", CLOCK}
DEBIANS = (12, 13)
FEATURES = ("nova", "neutron", "dashboard")
TEMPLATES = re.compile(r"(template|templates|template_files)$")


def load(path: Path) -> Any:  # noqa: ANN401 (YAML)
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None


def variables(role: str, debian: int) -> dict[str, Any]:
    """The role's own variables on a release of Debian."""
    folder = assets() / "roles" / role
    files = ("defaults/main.yml", "vars/main.yml", f"vars/debian-{debian}.yml")
    return {name: value for file in files for name, value in (load(folder / file) or {}).items()}


def described(role: str, debian: int) -> service_files.Services:
    return service_files.of_role(role).of(debian, FEATURES)


def tasks(role: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every task of a role as its module's name and arguments."""

    def below(found: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for task in found:
            yield from below(task.get("block", []))
            yield from ((name, value) for name, value in task.items() if "." in name and isinstance(value, dict))

    for path in sorted((assets() / "roles" / role / "tasks").glob("*.yml")):
        yield from below(load(path) or [])


def configured(role: str, debian: int) -> Iterator[tuple[str, str, str, str]]:
    """The files that a role's tasks write below /etc: path, owner, group and mode."""
    known = variables(role, debian)

    def render(text: object) -> str:
        return str(jinja2.Template(str(text), undefined=jinja2.StrictUndefined).render(known))

    for module, arguments in tasks(role):
        for file in arguments.get("files", [arguments]) if TEMPLATES.search(module) else ():
            if render(file.get("wanted", True)) == "True":
                path, group = render(file["dest"]), render(file.get("group", "root"))
                yield path, file.get("owner", "root"), group, file.get("mode", "0644")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_runs_a_unit_describes_it(role: str) -> None:
    runs = any(name.endswith((".unit", ".systemd_unit")) for name, _ in tasks(role))
    assert bool(service_files.of_role(role).units) == (runs and role != CLOCK)


@pytest.mark.parametrize("debian", DEBIANS)
@pytest.mark.parametrize("role", ROLES)
def test_units_are_those_that_the_role_runs(role: str, debian: int) -> None:
    named = {unit for name, value in variables(role, debian).items() if name.endswith("_units") for unit in value}
    named -= {unit for name, value in variables(role, debian).items() if "unwanted" in name for unit in value}
    named |= {unit for _, task in tasks(role) if isinstance(task.get("name"), list) for unit in task["name"]}
    assert {unit.name for unit in described(role, debian).units} <= named


@pytest.mark.parametrize("debian", DEBIANS)
@pytest.mark.parametrize("role", ROLES)
def test_ports_are_those_that_the_role_waits_for(role: str, debian: int) -> None:
    listen = [text for _, task in tasks(role) for text in task.get("listen", ())]
    ports = {unit.port for unit in described(role, debian).units if unit.port}
    assert ports == {int(str(text).rpartition(":")[2]) for text in listen}


@pytest.mark.parametrize("role", ROLES)
def test_ports_for_the_controller_only_are_on_the_loopback_address(role: str) -> None:
    """In a lab: by the role's default, unless group_vars has something else."""
    given = dict.fromkeys(load(assets() / "group_vars" / "all" / "roles.yml"), "a node's address")
    known = variables(role, 13) | given
    places = {}
    for text in (text for _, task in tasks(role) for text in task.get("listen", ())):
        address, _, port = jinja2.Template(str(text), undefined=jinja2.StrictUndefined).render(known).rpartition(":")
        places[int(port)] = address
    units = {unit.port: unit.clients for unit in described(role, 13).units if unit.port}
    assert {port: places[port] == "127.0.0.1" for port in units} == {
        port: clients == "controller" for port, clients in units.items()
    }


@pytest.mark.parametrize("debian", DEBIANS)
@pytest.mark.parametrize("role", sorted(set(ROLES) - WITHOUT_UNITS))
def test_files_are_those_that_the_role_writes(role: str, debian: int) -> None:
    found = {(file.path, file.owner, file.group, file.mode) for file in described(role, debian).files}
    written = set(configured(role, debian))
    if role == "neutron_agent" and debian == 13:  # a template by itself, with a condition on the task
        written = {file for file in written if "bridge-mappings" not in file[0]}
    assert found == written


@pytest.mark.parametrize("debian", DEBIANS)
@pytest.mark.parametrize("role", ROLES)
def test_logs_are_those_that_the_role_names(role: str, debian: int) -> None:
    named = {file for name, value in variables(role, debian).items() if name.endswith("_log_files") for file in value}
    assert set(described(role, debian).logs) == named


def test_secrets_are_those_that_the_roles_get() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((assets() / "group_vars").rglob("*.yml")))
    known = service_files.secrets()
    assert set(re.findall(r"lab_secrets\.(\w+)", text)) <= set(known)
    for role in map(service_files.of_role, ROLES):
        accounts = {"mariadb": role.database, "rabbitmq": role.queue, "keystone": role.identity}
        assert {f"{keeper}_{account.user}" for keeper, account in accounts.items() if account} <= set(known)
    for role_name in ROLES:
        options = load(assets() / "roles" / role_name / "meta" / "argument_specs.yml")["argument_specs"]
        arguments = {name for entry in options.values() for name in entry.get("options", {})}
        arguments = {name for name in arguments if name.endswith(("_password", "_secret", "_secret_key"))}
        for name in arguments:
            (given,) = re.findall(rf"^{name}: .*\{{\{{ lab_(?:secrets\.)?(\w+?)(?:_password)? ", text, re.MULTILINE)
            assert given in known


def test_what_is_referred_to_exists() -> None:
    everything = {unit.name for role in map(service_files.of_role, ROLES) for unit in role.units}
    for role in map(service_files.of_role, ROLES):
        units = {unit.name for unit in role.units}
        files = {file.path for file in role.files}
        assert {need for unit in role.units for need in unit.needs} <= everything
        assert {role.catalog.unit if role.catalog else ""} <= {*units, ""}
        options = (role.database, role.queue, role.identity, role.cache)
        assert {option.file for option in options if option} <= files


def test_roles_of_the_lab_exist() -> None:
    sets = [*service_files.common_roles().values()]
    sets += [roles for group in get_args(Group) for roles in service_files.lab_roles(group).values()]
    assert {role for roles in sets for role in roles} == set(ROLES) - {"_common"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("units: [{name: a, prot: 1}]", r"units\.0\.prot: Extra inputs"),
        ("files: [{path: /etc/a, mode: 0640}]", r"files\.0\.mode: Input should be a valid string"),
        ("files: [{path: etc/a}]", r"files\.0\.path: String should match"),
        ("secrets: {a: {effect: b, where: nowhere}}", r"secrets\.a\.where: Input should be 'the controller' or"),
        ("units: [", "cannot be read"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str) -> None:
    path = tmp_path / "roles" / "some" / "vars" / "services.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(service_files, "assets", lambda: tmp_path)
    with pytest.raises(LabError, match=problem) as error:
        service_files.of_role("some")
    assert str(path) in str(error.value)
