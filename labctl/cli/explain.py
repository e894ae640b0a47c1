"""labctl explain: say why a server does not come up."""

import json
from typing import Annotated

import typer

from labctl.cli.common import Json, load, working
from labctl.lifecycle import instances


def explain(
    context: typer.Context,
    server: Annotated[str, typer.Argument(help="Name or id of a server, of any project.")],
    as_json: Json = False,
) -> None:
    """Say why a server does not come up: which resource, filter, compute or image; quotes the logs."""
    lab = load(context)
    instances.preflight(lab.lab, lab.paths)
    found = instances.Cloud(lab.lab, lab.paths).find(server)
    with working(lab, "explain", quiet_output=True) as lab:
        result = instances.explain(found, lab)
    typer.echo(json.dumps(result, indent=2) if as_json else result["text"])
