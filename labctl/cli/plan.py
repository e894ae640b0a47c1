"""labctl plan: say what `up` would do."""

import json

import typer

from labctl.cli.common import Evict, Json, load
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.lifecycle import operations
from labctl.lifecycle.plan import Plan

verb = typer.Typer(rich_markup_mode=None)


def show(due: Plan, lab: Lab, paths: LabPaths, *, as_json: bool) -> None:
    """Print a plan; raises BadInput for what is refused."""
    if as_json:
        typer.echo(json.dumps({"lab": lab.name, "directory": str(paths.directory), **due.document()}, indent=2))
    else:
        typer.echo("\n".join(due.lines()))
        if not due.due and not due.refusals:
            typer.echo("Nothing is to be done: the lab is as lab.yaml says.")
    due.check(paths)


@verb.command()
def plan(context: typer.Context, evict: Evict = False, as_json: Json = False) -> None:
    """Say what `labctl up` would create, start, change and remove after an edit of lab.yaml. Nothing is changed.

    Exit status 2 when something of it cannot be done, with the reason and the way that works.
    """
    paths, lab = load(context)

    show(operations.preflight(lab, paths, evict=evict, remove=True), lab, paths, as_json=as_json)
