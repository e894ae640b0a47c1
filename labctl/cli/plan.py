"""labctl plan: say what `up` would do."""

import json

import typer

from labctl.cli.common import Evict, Json, load
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.preflight import preflight


def show(context: LabContext, *, evict: bool, as_json: bool) -> None:
    """Print the plan for a lab. Raises BadInput for what is refused."""
    due = preflight(context, evict=evict, remove=True)
    if as_json:
        document = {"lab": context.lab.name, "directory": str(context.paths.directory), **due.document()}
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo("\n".join(due.lines()))
        if not due.due and not due.refusals:
            typer.echo("Nothing to do: the lab is as described in lab.yaml.")
    due.check(context.paths)


def plan(context: typer.Context, evict: Evict = False, as_json: Json = False) -> None:
    """Say what `labctl up` would create, start, change and remove after an edit of lab.yaml. Nothing is changed.

    Exit status 2 if part of it is not possible, with the reason and an alternative that works.
    """
    show(load(context), evict=evict, as_json=as_json)
