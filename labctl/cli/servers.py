"""The verbs for instances."""

import json
from typing import Annotated

import typer

from labctl.cli.app import Json, app, load, working
from labctl.errors import BadInput


@app.command()
def demo(
    context: typer.Context,
    delete: Annotated[bool, typer.Option("--delete", help="Remove it, and look whether anything is left.")] = False,
    as_json: Json = False,
) -> None:
    """Boot an instance on each compute, in the project demo, and show that they reach each other.

    Repeated, it keeps what is there, starts what is shut off and replaces what is in status ERROR.
    """
    from labctl.lifecycle import instances

    paths, lab = load(context)
    instances.preflight(lab, paths)
    with working(paths, "demo", quiet_output=as_json) as progress:
        result = {"servers": []} if delete else instances.demo(paths, progress)
        if delete:
            instances.delete(paths, progress)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    elif delete:
        typer.echo("Nothing of the demonstration is left.")
    else:
        lines = [f"{action[:1].upper()}{action[1:]}" for action in result["actions"]]
        typer.echo("\n".join([*lines, instances.table(result["servers"]), "Each has reached all the others."]))


@app.command()
def console(
    context: typer.Context,
    server: Annotated[str, typer.Argument(help="Name or id of a server, of any project.")],
    no_open: Annotated[bool, typer.Option("--no-open", "--print", help="Print the URL only.")] = False,
    log: Annotated[bool, typer.Option("--log", help="Print what the guest has said on its serial console.")] = False,
    lines: Annotated[
        int | None, typer.Option("--lines", min=1, help="With --log, the last lines only.", metavar="N")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the screen of a server in a browser, or what it has said on its serial console.

    The URL is good for ten minutes, from this machine. Where there is no display, it is only printed.

    \b
      labctl console demo-compute1
      labctl console demo-compute1 --log --lines 20
    """
    from labctl.lifecycle import instances
    from labctl.ui import text

    paths, lab = load(context)
    if lines is not None and not log:
        raise BadInput("--lines is for --log", "Write: labctl console SERVER --log --lines N")
    instances.preflight(lab, paths)
    cloud = instances.Cloud(lab, paths)
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


@app.command()
def explain(
    context: typer.Context,
    server: Annotated[str, typer.Argument(help="Name or id of a server, of any project.")],
    as_json: Json = False,
) -> None:
    """Say why a server does not come up: which resource, filter, compute or image, with the lines of the logs."""
    from labctl.lifecycle import instances

    paths, lab = load(context)
    instances.preflight(lab, paths)
    found = instances.Cloud(lab, paths).find(server)
    with working(paths, "explain", quiet_output=True) as progress:
        result = instances.explain(found, paths, progress)
    typer.echo(json.dumps(result, indent=2) if as_json else result["text"])
