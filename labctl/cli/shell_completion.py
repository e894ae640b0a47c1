"""What shells complete, beside verbs and options. It must be quick: a person waits with a finger on the Tab key."""

import json
import os
from pathlib import Path

import typer

from labctl.lab.paths import LabPaths, lab_directory

PROGRAM = "labctl"
VARIABLE = "_LABCTL_COMPLETE"  # typer's name for it: in the environment when a shell asks


def prepare() -> None:
    """Have typer answer a shell, when it is one that asks."""
    if VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()


def script(shell: str) -> str:
    """What a shell must read."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    return str(get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell))


def labs(incomplete: str) -> list[str]:
    """Names of labs."""
    from labctl.lab import registry

    return sorted({entry.name for entry in registry.entries() if entry.there and entry.name.startswith(incomplete)})


def nodes(context: typer.Context, incomplete: str) -> list[str]:
    """Names of the nodes that were made."""
    try:
        made = json.loads(_paths(context).made.read_text(encoding="utf-8"))
        return [name for name in made["nodes"] if name.startswith(incomplete)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def snapshots(context: typer.Context, incomplete: str) -> list[str]:
    """Names of the lab's snapshots."""
    folder = _paths(context).snapshots
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(item.name for item in found if not item.name.startswith(".") and item.name.startswith(incomplete))


def _paths(context: typer.Context) -> LabPaths:
    """The lab that the words before say; options of the program itself are in the outermost context."""
    from labctl.lab import registry

    given = context.find_root().params
    if given.get("name"):
        places = [entry.directory for entry in registry.entries() if entry.name == given["name"] and entry.there]
        return LabPaths(Path(places[0]) if places else Path("/nowhere"))
    return LabPaths(lab_directory(Path(given["directory"]) if given.get("directory") else None))
