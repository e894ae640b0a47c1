"""labctl demo: boot an instance on each compute."""

import json
from typing import Annotated

import typer

from labctl.cli.common import Json, load, working
from labctl.lifecycle import instances


def demo(
    context: typer.Context,
    delete: Annotated[bool, typer.Option("--delete", help="Remove it, and check that nothing is left.")] = False,
    as_json: Json = False,
) -> None:
    """Boot an instance on each compute, in the project demo, and show that they reach each other.

    Repeated, it keeps what exists, starts what is shut off and replaces what is in status ERROR.
    """
    lab = load(context)
    instances.preflight(lab.lab, lab.paths)
    with working(lab, "demo", quiet_output=as_json) as lab:
        result = {"servers": []} if delete else instances.demo(lab)
        if delete:
            instances.delete(lab)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    elif delete:
        typer.echo("The demonstration is removed.")
    else:
        lines = [f"{action[:1].upper()}{action[1:]}" for action in result["actions"]]
        typer.echo("\n".join([*lines, instances.table(result["servers"]), "Each server reaches all the others."]))
