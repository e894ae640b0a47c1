"""The verbs that hold the lab still, and let it go on."""

import typer

from labctl.cli.app import app, load, working


@app.command()
def pause(context: typer.Context) -> None:
    """Hold all nodes still, at one moment. They keep their memory and use no processor; `labctl resume` ends it."""
    from labctl.lifecycle import pause as pausing

    paths, lab = load(context)
    pausing.preflight(lab, paths)
    with working(paths, "pause") as progress:
        pausing.pause(lab, paths, progress)
    typer.echo("The nodes are held. `labctl resume` lets them go on.")


@app.command()
def resume(context: typer.Context) -> None:
    """Let the nodes go on after `labctl pause`. Nova's services report again within seconds."""
    from labctl.lifecycle import pause as pausing

    paths, lab = load(context)
    pausing.preflight(lab, paths)
    with working(paths, "resume") as progress:
        held = pausing.resume(lab, paths, progress)
    typer.echo("The nodes go on." if held else "No node was held.")
