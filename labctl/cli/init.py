"""labctl init: start a lab with a commented lab.yaml."""

from typing import Annotated

import typer

from labctl.cli.common import lab_paths
from labctl.lifecycle import init as lifecycle_init


def init(
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="The lab's name; by default one that is free.")] = None,
) -> None:
    """Write a commented lab.yaml, with a name and a network that are free on this machine.

    An existing lab.yaml is never overwritten.
    """
    paths = lab_paths(context)
    chosen = lifecycle_init.init(paths, name=name)
    values = ", ".join(f"{key} {value}" for key, value in chosen.items())
    typer.echo(f"Wrote {paths.lab_yaml}: {values or 'every key at its default'}.")
