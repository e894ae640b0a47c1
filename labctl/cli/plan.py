"""labctl plan: say what `up` would do."""

import json

import typer

from labctl.cli.common import Evict, Json, load
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.diff import Plan
from labctl.lifecycle.preflight import preflight

verb = typer.Typer(rich_markup_mode=None)


def show(due: Plan, context: LabContext, *, as_json: bool) -> None:
    """Print a plan; raises BadInput for what is refused."""
    if as_json:
        document = {"lab": context.lab.name, "directory": str(context.paths.directory), **due.document()}
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo("\n".join(due.lines()))
        if not due.due and not due.refusals:
            typer.echo("Nothing to do: the lab is as lab.yaml says.")
    due.check(context.paths)


@verb.command()
def plan(context: typer.Context, evict: Evict = False, as_json: Json = False) -> None:
    """Say what `labctl up` would create, start, change and remove after an edit of lab.yaml. Nothing is changed.

    Exit status 2 when something of it cannot be done, with the reason and the way that works.
    """
    lab = load(context)

    show(preflight(lab, evict=evict, remove=True), lab, as_json=as_json)
