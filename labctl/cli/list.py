"""labctl list: list every lab of this machine."""

import json
from dataclasses import asdict

import typer

from labctl.cli.common import Json
from labctl.diagnostics import labs
from labctl.ui import text

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def list_labs(as_json: Json = False) -> None:
    """List every lab of this user and machine, wherever its directory is.

    All verbs take a lab by its name, from any directory: `labctl --lab NAME VERB`.
    """
    found = labs.everything()
    if as_json:
        typer.echo(json.dumps({"labs": [asdict(lab) for lab in found]}, indent=2))
        return
    if not found:
        typer.echo("There is no lab. `labctl up` builds one in the current directory.")
        return
    rows = [("NAME", "STATE", "NETWORK", "SINCE (UTC)", "DIRECTORY")]
    for lab in found:
        since = (lab.since or "").replace("T", " ").removesuffix("Z")[:16]
        rows.append((lab.name, lab.state, lab.network or "", since, lab.directory))
    typer.echo(text.table(rows))
    for lab in found:
        if lab.note:
            typer.echo(f"{lab.name}: {lab.note}")
