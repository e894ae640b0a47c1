"""labctl halt: shut the nodes down."""

import typer

from labctl.cli.common import load, working
from labctl.lifecycle import destroy


def halt(context: typer.Context) -> None:
    """Shut the nodes down cleanly. Their disks stay, and `labctl up` starts them again."""
    with working(load(context), "halt") as lab:
        destroy.halt(lab)
    typer.echo("The nodes are off. `labctl up` starts them again.")
