"""labctl status: show what a lab is like right now."""

import json
import sys
import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.live import Live
from rich.text import Text

from labctl.cli import status_text
from labctl.cli.common import Json, load
from labctl.diagnostics import status as look
from labctl.errors import BadInput
from labctl.ui.console import PlainConsole

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def status(
    context: typer.Context,
    seconds: Annotated[
        float | None, typer.Argument(min=0.2, help="With --watch, how long to wait in between; 2 by default.")
    ] = None,
    units: Annotated[bool, typer.Option("--all", help="List every unit, also those that run.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Show nodes, services, cells, servers, versions and usage, and what is degraded since when.

    Exit status: 0 when nothing is degraded, also of a lab that is off, paused or not made; 1 when something is. With
    --watch and --json, each look is one line.

    \b
      labctl status --watch 5
      labctl status --json | jq .degraded
    """
    lab = load(context)
    if seconds is not None and not watch:
        raise BadInput(f"{seconds:g} is for --watch", f"Write: labctl status --watch {seconds:g}")
    if not watch:
        document = look.look(lab)
        typer.echo(json.dumps(document, indent=2) if as_json else status_text.render(document, units=units))
        if document["degraded"]:
            raise typer.Exit(1)
        return

    def words() -> str:
        document = look.look(lab)
        return json.dumps(document) if as_json else status_text.render(document, units=units)

    _repeat(words, 2.0 if seconds is None else seconds, live=not as_json)


def _repeat(words: Callable[[], str], seconds: float, *, live: bool) -> None:
    """Words again and again, on a terminal in the place of those before, until Ctrl-C."""
    try:
        if not (live and sys.stdout.isatty()):
            while True:
                typer.echo(words() + ("\n" if live else ""))
                sys.stdout.flush()
                time.sleep(seconds)

        with Live(Text("looking ..."), console=PlainConsole(), screen=True, auto_refresh=False) as shown:
            while True:
                shown.update(Text(words()), refresh=True)
                time.sleep(seconds)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
