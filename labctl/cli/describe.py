"""labctl describe: show the lab with every choice made."""

import contextlib
import json
from collections.abc import Mapping  # noqa: TC003 (typer reads annotations)

import typer

from labctl.cli.common import Json, load
from labctl.errors import LabError
from labctl.providers.vagrant import describe as describe_lab

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def describe(context: typer.Context, as_json: Json = False) -> None:
    """Show the lab as it is described, with every choice made. No secret is in it."""
    lab = load(context)

    environment: Mapping[str, str] = {}
    with contextlib.suppress(LabError):  # without an engine the rest can be said all the same
        lab.provider.connect()
        environment = lab.provider.environment
    description = describe_lab(lab.lab, lab.paths, lab.provider, environment)
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
    size = "" if lab.lab.traits.containers else "{cpus} processors, {memory} MiB"
    for node in description["nodes"]:
        typer.echo(f"  {node['name']:<12} {node['address']:<15} {size.format(**node)}".rstrip())
