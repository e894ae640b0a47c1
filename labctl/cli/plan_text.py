"""How a plan is shown."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths
    from labctl.lifecycle.plan import Plan

Evict = Annotated[
    bool, typer.Option("--evict", help="Nodes may leave with servers on them, which are deleted; they cannot be moved.")
]


def show(due: "Plan", lab: "Lab", paths: "LabPaths", *, as_json: bool) -> None:
    """Print a plan; raises BadInput for what is refused."""
    if as_json:
        typer.echo(json.dumps({"lab": lab.name, "directory": str(paths.directory), **due.document()}, indent=2))
    else:
        typer.echo("\n".join(due.lines()))
        if not due.due and not due.refusals:
            typer.echo("Nothing is to be done: the lab is as lab.yaml says.")
    due.check(paths)
