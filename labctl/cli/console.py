"""labctl console: show the screen of a server."""

import json
from typing import Annotated

import typer

from labctl.cli.common import Json, load
from labctl.errors import BadInput
from labctl.lifecycle import instances
from labctl.ui import text


def console(
    context: typer.Context,
    server: Annotated[str, typer.Argument(help="Name or id of a server, of any project.")],
    no_open: Annotated[bool, typer.Option("--no-open", "--print", help="Print the URL only.")] = False,
    log: Annotated[bool, typer.Option("--log", help="Print the output of the serial console.")] = False,
    lines: Annotated[int | None, typer.Option(min=1, help="With --log, the last lines only.", metavar="N")] = None,
    as_json: Json = False,
) -> None:
    """Show the screen of a server in a browser, or the output of its serial console.

    The URL is valid for ten minutes, on this machine. Without a display, it is only printed.

    \b
      labctl console demo-compute1
      labctl console demo-compute1 --log --lines 20
    """
    lab = load(context)
    if lines is not None and not log:
        raise BadInput("--lines is for --log", "Write: labctl console SERVER --log --lines N")
    instances.preflight(lab.lab, lab.paths)
    cloud = instances.Cloud(lab.lab, lab.paths)
    found = cloud.find(server)
    said = {"log": cloud.console_log(found, lines)} if log else {"url": cloud.console_url(found)}
    if as_json:
        typer.echo(json.dumps({"server": found.name, "id": found.id, **said}, indent=2))
    elif log:
        typer.echo(text.printable(said["log"]).rstrip("\n"))
    else:
        typer.echo(said["url"])
        if not no_open:
            instances.open_browser(said["url"])
