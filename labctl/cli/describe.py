"""labctl describe: show the lab with every choice made."""

import json

import typer

from labctl.cli.common import Json, load
from labctl.lifecycle import operations

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def describe(context: typer.Context, as_json: Json = False) -> None:
    """Show the lab as it is described, with every choice made. No secret is in it."""
    paths, lab = load(context)

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
