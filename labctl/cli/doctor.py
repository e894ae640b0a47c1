"""labctl doctor: find out what is wrong."""

import json
from typing import Annotated

import typer
from rich.console import Console

from labctl.cli.common import Json, load
from labctl.diagnostics.doctor import runner

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def doctor(
    context: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="Exit status 1 for warnings too.")] = False,
    as_json: Json = False,
) -> None:
    """Find out what is wrong with this machine or the lab, each with evidence and a remedy. Changes nothing.

    It can be asked before there is a lab, and in one that is broken in whatever way. Exit status 1 when it finds an
    error, 0 when it finds nothing or warnings only.
    """
    lab = load(context)

    console = Console(stderr=True, highlight=False)
    with console.status("looking at this machine") as status:
        report = runner.examine(lab, lambda text: status.update(text))
    if as_json:
        typer.echo(json.dumps(runner.as_json(report, lab.lab, lab.paths), indent=2))
    else:
        typer.echo(runner.as_text(report, lab.lab))
    worst = report.worst()
    if worst is not None and (strict or worst == "error"):
        raise typer.Exit(1)
