"""The roles' README.md, from what each says in meta and tasks/main.yml: python -m tools.role_docs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parent.parent / "roles"
COLLECTION = "novalab.openstack"
_OWN_ROLE = re.compile(rf"{re.escape(COLLECTION)}\.(\w+)")
_MARKUP = re.compile(r"\b[CVOM]\(([^()]*)\)")
_PLUGIN = re.compile(r"\bP\(([\w.]+)#(\w+)\)")


def load(path: Path) -> Any:  # noqa: ANN401 (whatever the file holds)
    """A YAML file's content."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def entries(role: Path) -> dict[str, dict[str, Any]]:
    """The role's entries and their arguments, from meta/argument_specs.yml."""
    specs: dict[str, dict[str, Any]] = load(role / "meta" / "argument_specs.yml")["argument_specs"]
    return specs


def variables(options: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every argument with its full name, those inside others after them, such as mariadb_users[].name."""
    for name, option in options.items():
        yield prefix + name, option
        inner = f"{prefix}{name}{'[]' if option['type'] == 'list' else ''}."
        yield from variables(option.get("options", {}), inner)


def paragraphs(description: str | list[str]) -> list[str]:
    """A description's paragraphs in Markdown."""
    return [markdown(text) for text in ([description] if isinstance(description, str) else description)]


def markdown(text: str) -> str:
    """Ansible's markup as Markdown; the collection's own roles become links."""
    return _MARKUP.sub(r"`\1`", _PLUGIN.sub(lambda match: plugin(match[1]), text.strip()))


def plugin(name: str) -> str:
    """The name of a role or module; a role of the collection with a link to its README."""
    own = _OWN_ROLE.fullmatch(name)
    return f"[{own[1]}](../{own[1]}/README.md)" if own else f"`{name}`"


def type_of(option: dict[str, Any]) -> str:
    """An argument's type in words."""
    return f"list of {option['elements']}" if option["type"] == "list" else str(option["type"])


def default_of(option: dict[str, Any]) -> str:
    """An argument's default as one would write it."""
    if "default" not in option:
        return ""
    text = yaml.safe_dump(option["default"], default_flow_style=True, width=1000).strip()
    return f"`{text.removesuffix('...').strip()}`"


def cell(text: str) -> str:
    """Text that fits into a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A table's lines."""
    lines = [head, ("---",) * len(head), *rows]
    return [re.sub(" +", " ", f"| {' | '.join(map(cell, line))} |") for line in lines]


def row(name: str, option: dict[str, Any]) -> tuple[str, ...]:
    """An argument's row."""
    words = " ".join(paragraphs(option["description"]))
    if "choices" in option:
        words += f" One of {', '.join(f'`{choice}`' for choice in option['choices'])}."
    return f"`{name}`", type_of(option), "yes" if option.get("required") else "no", default_of(option), words


def platforms(role: Path) -> str:
    """The distributions on which the role runs."""
    found = load(role / "meta" / "main.yml")["galaxy_info"]["platforms"]
    return "; ".join(f"{platform['name']} {', '.join(platform['versions'])}" for platform in found)


def stages(role: Path) -> list[tuple[str, ...]]:
    """The stages of tasks/main.yml: name, tags, and the file or the role with their tasks."""
    return [
        (task["name"], ", ".join(f"`{tag}`" for tag in task["tags"]), where)
        for task in load(role / "tasks" / "main.yml")
        if (where := _tasks_of(task))
    ]


def _tasks_of(task: dict[str, Any]) -> str:
    """A link to the tasks that a task imports or includes; empty if it does not."""
    file = task.get("ansible.builtin.import_tasks") or task.get("ansible.builtin.include_tasks")
    role = task.get("ansible.builtin.import_role", {}).get("name")
    return f"[{file}](tasks/{file})" if file else plugin(role) if role else ""


def entry(spec: dict[str, Any]) -> list[str]:
    """What an entry is given: an example and the table of its variables."""
    arguments = [row(name, option) for name, option in variables(spec["options"])]
    head = ("variable", "type", "required", "default", "description")
    return ["```yaml", *spec["examples"].strip().splitlines(), "```", "", *table(head, arguments), ""]


def readme(role: Path) -> str:
    """The role's README.md."""
    specs = entries(role)
    main = specs["main"]
    lines = ["<!-- Written by `make docs` from meta/argument_specs.yml; changes here are lost. -->", ""]
    lines += [f"# {COLLECTION}.{role.name}", "", main["short_description"] + ".", ""]
    lines += [line for text in paragraphs(main["description"]) for line in (text, "")]
    lines += ["## Before it", ""]
    lines += [f"- {platforms(role)}; facts (`gather_facts`), and root (`become`)."]
    lines += [f"- {plugin(need['plugin'])}: {markdown(need['description'])}" for need in main.get("seealso", [])]
    lines += ["", "## Use", "", *entry(main)]
    lines += ["## Stages", "", *table(("stage", "tags", "tasks"), stages(role)), ""]
    for name, spec in specs.items():
        if name != "main":
            lines += [
                f"## Entry `{name}`",
                "",
                *(line for text in paragraphs(spec["description"]) for line in (text, "")),
            ]
            lines += entry(spec)
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Write every role's README.md."""
    for role in sorted(ROLES.iterdir()):
        (role / "README.md").write_text(readme(role), encoding="utf-8")


if __name__ == "__main__":
    main()
