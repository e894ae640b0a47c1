"""The roles' arguments: what meta/argument_specs.yml promises is what defaults, tasks and templates hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jinja2
import jinja2.meta
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.unit.local_play import run_play
from tools import role_docs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLES = sorted(role_docs.ROLES.iterdir())
NAMES = [role.name for role in ROLES]
TYPES = {"str", "int", "bool", "float", "list", "dict", "path"}
# What Ansible itself gives to tasks and templates.
ANSIBLES = {
    "ansible_check_mode",
    "ansible_facts",
    "ansible_managed",
    "inventory_hostname",
    "item",
    "query",
    "role_path",
}
# Facts of the role _common, which roles that run before it do without.
OPTIONAL = {"_common_installed", "_common_missing"}
# Keys of tasks that hold an expression without braces.
EXPRESSIONS = {"when", "until", "that", "changed_when", "failed_when"}
SECRET = "never-shown"


class Anything(dict[str, Any]):
    """Filters and tests of any name: Ansible's are not at hand here, and only the variables are of interest."""

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401, ARG002 (as a dict's)
        return str

    def __contains__(self, key: object) -> bool:
        return True


@pytest.fixture(params=ROLES, ids=NAMES)
def role(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def options(role: Path) -> dict[str, dict[str, Any]]:
    """The arguments of all entries together."""
    return {name: option for entry in role_docs.entries(role).values() for name, option in entry["options"].items()}


def loaded(role: Path) -> set[str]:
    """The names that the role's own vars/ give."""
    return {name for path in (role / "vars").glob("*.yml") for name in role_docs.load(path)}


def strings(value: Any, key: str = "") -> Iterator[str]:  # noqa: ANN401 (whatever a task holds)
    """Every string of a task, as a template."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from strings(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)
    elif isinstance(value, str):
        yield f"{{{{ {value} }}}}" if key in EXPRESSIONS else value


def texts(role: Path) -> Iterator[tuple[Path, str]]:
    """Everything of the role that is or may be a template, with its file."""
    for path in sorted([*role.glob("tasks/*.yml"), *role.glob("vars/*.yml")]):
        yield from ((path, text) for text in strings(role_docs.load(path)))
    for path in sorted(role.glob("templates/*")):
        yield path, path.read_text(encoding="utf-8")


def used(role: Path) -> dict[str, Path]:
    """Every variable that the role asks for, with a file that does."""
    environment = jinja2.Environment(autoescape=True)
    environment.filters = environment.tests = Anything()
    return {
        name: path
        for path, text in texts(role)
        for name in jinja2.meta.find_undeclared_variables(environment.parse(text))
    }


def tasks(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 (a file of tasks)
    for task in value:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks(task.get(part, []))


def passed(role: Path) -> list[set[str]]:
    """The names of the variables that the role passes to the role _common, for each import of it."""
    return [
        set(task.get("vars", {}))
        for path in role.glob("tasks/*.yml")
        for task in tasks(role_docs.load(path))
        if task.get("ansible.builtin.import_role", {}).get("name") == "novalab.openstack._common"
    ]


def made(role: Path) -> set[str]:
    """The names that the role's tasks register or set."""
    found = set()
    for path in role.glob("tasks/*.yml"):
        for task in tasks(role_docs.load(path)):
            found |= {task["register"]} if "register" in task else set()
            found |= set(task.get("ansible.builtin.set_fact", {}))
    return found


def test_defaults_documented_are_those_in_force(role: Path) -> None:
    """The defaults that are documented are those that hold; what is required has none."""
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert role_docs.load(role / "defaults" / "main.yml") == documented
    assert {name for name, option in options(role).items() if option.get("required")} == set(options(role)) - set(
        documented
    )


def test_every_option_is_typed_and_described(role: Path) -> None:
    for entry in role_docs.entries(role).values():
        assert entry["short_description"]
        assert entry["description"]
        for name, option in role_docs.variables(entry["options"]):
            assert option["type"] in TYPES, name
            assert option["description"], name
            assert option["type"] != "list" or option["elements"] in TYPES, name
            assert name.startswith(f"{role.name}_"), name


def test_every_variable_is_declared(role: Path) -> None:
    """A role uses its own variables and Ansible's, and nothing that only this lab's inventory has."""
    known = set(options(role)) | loaded(role) | made(role) | ANSIBLES | OPTIONAL
    assert {name: str(path) for name, path in used(role).items() if name not in known} == {}


def test_every_argument_is_used(role: Path) -> None:
    assert set(options(role)) - set(used(role)) == set()


def test_the_role_common_gets_what_it_takes(role: Path) -> None:
    """Ansible does not check it, because each check would be a task."""
    known = options(role_docs.ROLES / "_common")
    required = {name for name, option in known.items() if option.get("required")}
    assert [names for names in passed(role) if not required <= names <= set(known)] == []


def test_version_files_hold_what_differs(role: Path) -> None:
    """What differs between the releases is named for each of them, and nothing else is in these files."""
    files = {path.name: role_docs.load(path) for path in role.glob("vars/debian-*.yml")}
    assert sorted(files) in ([], ["debian-12.yml", "debian-13.yml"])
    old, new = files.get("debian-12.yml", {}), files.get("debian-13.yml", {})
    assert set(old) == set(new)
    assert [name for name in old if old[name] == new[name]] == []


def example_arguments(entry: dict[str, Any]) -> dict[str, Any]:
    """The variables that an entry's example gives."""
    (play,) = yaml.safe_load(entry["examples"])
    (call,) = play.get("roles") or play["tasks"]
    arguments: dict[str, Any] = call.get("vars", {})
    return arguments


def test_examples_are_valid(role: Path) -> None:
    for entry in role_docs.entries(role).values():
        result = ArgumentSpecValidator(entry["options"]).validate(example_arguments(entry))
        assert result.error_messages == []


def test_readme_of_a_role_is_up_to_date(role: Path) -> None:
    assert (role / "README.md").read_text(encoding="utf-8") == role_docs.readme(role), "run: make docs"


def test_readme_links_lead_somewhere(role: Path) -> None:
    text = (role / "README.md").read_text(encoding="utf-8")
    links = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert links
    assert [link for link in links if not (role / link).is_file()] == []


# --- Ansible itself, on this machine: the roles end at their first task ---


def wrong(option: dict[str, Any]) -> Any:  # noqa: ANN401 (a value of any wrong type)
    """A value that an argument must refuse; None where every value is text."""
    if "choices" in option:
        return "none of them"
    if option["type"] in ("int", "float", "bool"):
        return "many"
    if option.get("elements") == "dict":
        return [{"password": SECRET, "unknown": SECRET}]
    return {"a": 1} if option["type"] == "list" else None


def cases() -> dict[str, tuple[str, str, dict[str, Any], set[str]]]:
    """Role, entry, arguments and the variables to be named: once nothing is given, once everything is wrong."""
    found: dict[str, tuple[str, str, dict[str, Any], set[str]]] = {}
    for role in ROLES:
        for name, entry in role_docs.entries(role).items():
            required = {option: SECRET for option, spec in entry["options"].items() if spec.get("required")}
            bad = {option: value for option, spec in entry["options"].items() if (value := wrong(spec)) is not None}
            if required:
                found[f"{role.name}_{name}_missing"] = (role.name, name, {}, set(required))
            if bad:
                found[f"{role.name}_{name}_wrong"] = (role.name, name, {**required, **bad}, set(bad))
    return found


def run(folder: Path, wanted: dict[str, tuple[str, str, dict[str, Any], set[str]]]) -> tuple[dict[str, Any], str]:
    """One playbook over all cases: the task and the result with which each ended, and all that was printed."""
    steps: list[dict[str, Any]] = []
    for case, (role, entry, arguments, _) in wanted.items():
        call = {"name": f"novalab.openstack.{role}", "tasks_from": entry}
        ended = {"task": "{{ ansible_failed_task.name }}", "result": "{{ ansible_failed_result }}"}
        steps.append(
            {
                "block": [{"ansible.builtin.include_role": call, "vars": arguments}],
                "rescue": [{"ansible.builtin.set_fact": {case: ended}, "no_log": True}],
            }
        )
    content = "{{ dict(cases | zip(query('ansible.builtin.vars', *cases))) | to_json }}"
    steps.append({"ansible.builtin.copy": {"content": content, "dest": str(folder / "ended.json"), "mode": "0600"}})
    play = {"hosts": "localhost", "gather_facts": False, "vars": {"cases": list(wanted)}, "tasks": steps}
    printed = run_play(folder, play)
    return json.loads((folder / "ended.json").read_text(encoding="utf-8")), printed


def test_a_bad_argument_ends_a_role_at_its_first_task(tmp_path: Path) -> None:
    """The failure names every bad variable and says of each what it has to be; it shows no value of another one."""
    wanted = cases()
    ended, printed = run(tmp_path, wanted)
    problems = {}
    for case, (role, entry, _, names) in wanted.items():
        result = ended[case]["result"]
        told = {name: spec["description"] for name, spec in result.get("argument_spec_data", {}).items()}
        remedies = {
            name: spec["description"]
            for name, spec in role_docs.entries(role_docs.ROLES / role)[entry]["options"].items()
        }
        named = {name for name in names if name in result["msg"]}
        if "Validating arguments" not in ended[case]["task"] or named != names or told != remedies:
            problems[case] = (ended[case]["task"], result["msg"], sorted(names - named))
    assert problems == {}
    assert SECRET not in json.dumps(ended)
    assert SECRET not in printed
