"""labctl pause: hold all nodes still."""

import typer

from labctl.cli.common import load, working
from labctl.lifecycle import pause as pausing

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def pause(context: typer.Context) -> None:
    """Freeze all nodes at one moment. They keep their memory and use no processor; `labctl resume` ends it."""
    lab = load(context)
    pausing.preflight(lab)
    with working(lab, "pause") as context_:
        pausing.pause(context_)
    typer.echo("The nodes are paused. `labctl resume` lets them run again.")
