"""labctl halt: shut the nodes down."""

import typer

from labctl.cli.common import load, working
from labctl.lifecycle import destroy

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def halt(context: typer.Context) -> None:
    """Shut the nodes down cleanly. What is on them stays, and `labctl up` starts them again."""
    lab = load(context)

    with working(lab, "halt") as context_:
        destroy.halt(context_)
    typer.echo("The nodes are off. `labctl up` starts them again.")
