"""labctl resume: let the nodes go on."""

import typer

from labctl.cli.common import load, working
from labctl.lifecycle import pause as pausing

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def resume(context: typer.Context) -> None:
    """Let the nodes run again after `labctl pause`. Nova's services report again within seconds."""
    lab = load(context)
    pausing.preflight(lab)
    with working(lab, "resume") as context_:
        held = pausing.resume(context_)
    typer.echo("The nodes run again." if held else "No node was paused.")
