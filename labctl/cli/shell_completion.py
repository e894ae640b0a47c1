"""Completion of values in a shell, beside verbs and options. It must be quick: a person has pressed the Tab key."""

from pathlib import Path

import typer

from labctl.files import read_json
from labctl.lab.paths import LabPaths, lab_directory

PROGRAM = "labctl"
VARIABLE = "_LABCTL_COMPLETE"  # typer's name for it: in the environment when a shell asks


def labs(incomplete: str) -> list[str]:
    """Names of labs."""
    from labctl.lab import registry

    return sorted({entry.name for entry in registry.entries() if entry.there and entry.name.startswith(incomplete)})


def nodes(context: typer.Context, incomplete: str) -> list[str]:
    """Names of the nodes that exist."""
    names = read_json(_paths(context).made).get("nodes")
    return [name for name in names if str(name).startswith(incomplete)] if isinstance(names, list) else []


def snapshots(context: typer.Context, incomplete: str) -> list[str]:
    """Names of the lab's snapshots."""
    found = (item.name for item in _paths(context).snapshots.glob("*"))
    return sorted(name for name in found if not name.startswith(".") and name.startswith(incomplete))


def _paths(context: typer.Context) -> LabPaths:
    """The lab that the words before select; the program's own options are in the outermost context."""
    from labctl.lab import registry

    given = context.find_root().params
    if given.get("name"):
        places = [entry.directory for entry in registry.entries() if entry.name == given["name"] and entry.there]
        return LabPaths(Path(places[0]) if places else Path("/nowhere"))
    return LabPaths(lab_directory(Path(given["directory"]) if given.get("directory") else None))
