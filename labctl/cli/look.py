"""The verbs that look at the lab."""

import json
import os
import shlex
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import completion
from labctl.cli.app import Json, app, load
from labctl.errors import BadInput, LabError

if TYPE_CHECKING:
    from collections.abc import Callable


@app.command()
def status(
    context: typer.Context,
    seconds: Annotated[
        float | None, typer.Argument(min=0.2, help="With --watch, how long to wait in between; 2 by default.")
    ] = None,
    units: Annotated[bool, typer.Option("--all", help="List every unit, also those that run.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Show the nodes, Nova's services and cells, servers, versions, what is used, and what is degraded since when.

    Exit status: 0 when nothing is degraded, also of a lab that is off, paused or not made; 1 when something is. With
    --watch and --json, each look is one line.

    \b
      labctl status --watch 5
      labctl status --json | jq .degraded
    """
    from labctl.cli import status_text
    from labctl.diagnostics import status as look

    paths, lab = load(context)
    if seconds is not None and not watch:
        raise BadInput(f"{seconds:g} is for --watch", f"Write: labctl status --watch {seconds:g}")
    if not watch:
        document = look.look(lab, paths)
        typer.echo(json.dumps(document, indent=2) if as_json else status_text.render(document, units=units))
        if document["degraded"]:
            raise typer.Exit(1)
        return

    def words() -> str:
        document = look.look(lab, paths)
        return json.dumps(document) if as_json else status_text.render(document, units=units)

    _repeat(words, 2.0 if seconds is None else seconds, live=not as_json)


def _repeat(words: "Callable[[], str]", seconds: float, *, live: bool) -> None:
    """Words again and again, on a terminal in the place of those before, until Ctrl-C."""
    try:
        if not (live and sys.stdout.isatty()):
            while True:
                typer.echo(words() + ("\n" if live else ""))
                sys.stdout.flush()
                time.sleep(seconds)
        from rich.live import Live
        from rich.text import Text

        with Live(Text("looking ..."), screen=True, auto_refresh=False) as shown:
            while True:
                shown.update(Text(words()), refresh=True)
                time.sleep(seconds)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command(context_settings={"allow_interspersed_args": False})
def ssh(
    context: typer.Context,
    node: Annotated[str, typer.Argument(help="controller, compute1, compute2, ...", autocompletion=completion.nodes)],
    command: Annotated[list[str] | None, typer.Argument(help="What to run there; without it, a shell.")] = None,
) -> None:
    """Log in to a node, or run a command on it.

    \b
      labctl ssh controller
      labctl ssh compute1 -- systemctl status nova-compute
      labctl ssh controller -- 'source admin-openrc && openstack hypervisor list'
    """
    paths, lab = load(context)

    from labctl.lifecycle import operations

    lab.node(node)
    host = operations.ssh_hosts(lab, paths, node).get(node)
    if host is None:
        raise LabError(f"{node} is not running", "Run `labctl up`.")
    # One word goes to the node's shell as it is, so that it can hold a pipe; several are one command with arguments.
    words = command or []
    words = words[1:] if words[:1] == ["--"] else words
    remote = words if len(words) == 1 else [shlex.join(words)] if words else []
    line = host.command(*(["-t"] if sys.stdin.isatty() and words else []))
    os.execvp(line[0], [*line, *remote])  # noqa: S606 (ssh takes the place of this process)


@app.command()
def describe(context: typer.Context, as_json: Json = False) -> None:
    """Show the lab as it is described, with every choice made. No secret is in it."""
    paths, lab = load(context)

    from labctl.lifecycle import operations

    description = operations.describe(lab, paths)
    if as_json:
        typer.echo(json.dumps(description, indent=2))
        return
    for key in (
        "name",
        "directory",
        "release",
        "provider",
        "engine",
        "network",
        "networking",
        "guest_network",
        "dashboard_url",
        "virt_type",
        "box",
    ):
        if description[key] is not None:
            typer.echo(f"{key + ':':<14} {description[key]}")
    size = "" if lab.provider == "docker" else "{cpus} processors, {memory} MiB"
    for node in description["nodes"]:
        typer.echo(f"  {node['name']:<12} {node['address']:<15} {size.format(**node)}".rstrip())


@app.command()
def schema() -> None:
    """Print the JSON schema of lab.yaml."""
    from labctl.lab import schema as labfile

    typer.echo(labfile.schema(), nl=False)
