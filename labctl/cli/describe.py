"""labctl describe: show the lab with every default filled in."""

import contextlib
import json

import typer

from labctl.cli.common import Json, load
from labctl.errors import LabError
from labctl.providers.vagrant import describe as describe_lab


def describe(context: typer.Context, as_json: Json = False) -> None:
    """Show the description of the lab, with every default filled in. It contains no secrets."""
    lab = load(context)
    environment: dict[str, str] = {}
    with contextlib.suppress(LabError):  # the rest is known even without an engine
        lab.provider.connect()
        environment = dict(lab.provider.environment)
    description = describe_lab(lab.lab, lab.paths, lab.provider, environment)
    if as_json:
        typer.echo(json.dumps(description, indent=2))
        return
    keys = ["name", "directory", "release", "provider", "engine", "network", "networking", "guest_network"]
    for key in (*keys, "dashboard_url", "virt_type", "box"):
        if description[key] is not None:
            typer.echo(f"{key + ':':<14} {description[key]}")
    size = "" if lab.lab.traits.containers else "{cpus} processors, {memory} MiB"
    for node in description["nodes"]:
        typer.echo(f"  {node['name']:<12} {node['address']:<15} {size.format(**node)}".rstrip())
