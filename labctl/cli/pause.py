"""labctl pause: freeze all nodes."""

import typer

from labctl.cli.common import load, working
from labctl.lifecycle import pause as lifecycle_pause


def pause(context: typer.Context) -> None:
    """Freeze all nodes at the same moment. They keep their memory and use no processor, until `labctl resume`."""
    lab = load(context)
    lifecycle_pause.preflight(lab)
    with working(lab, "pause") as lab:
        lifecycle_pause.pause(lab)
    typer.echo("The nodes are paused. `labctl resume` lets them run again.")
