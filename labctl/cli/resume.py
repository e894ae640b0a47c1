"""labctl resume: let paused nodes run again."""

import typer

from labctl.cli.common import load, working
from labctl.lifecycle import pause


def resume(context: typer.Context) -> None:
    """Let the nodes run again after `labctl pause`. Nova's services report again within seconds."""
    lab = load(context)
    pause.preflight(lab)
    with working(lab, "resume") as lab:
        held = pause.resume(lab)
    typer.echo("The nodes run again." if held else "No node was paused.")
