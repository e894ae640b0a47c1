"""labctl export-lab: write the lab into a file."""

from pathlib import Path
from typing import Annotated

import typer

from labctl.cli.common import load, working
from labctl.lifecycle import transfer

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def export_lab(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The archive to write; it must not be there yet.")],
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="The finished nodes, with every password and key of the lab.")
    ] = False,
) -> None:
    """Write the lab to a file; `labctl up --from FILE` makes it on another machine, without a network.

    Without secrets it holds lab.yaml and the images with packages: the other lab is configured anew, with passwords of
    its own. The nodes' own configuration is full of passwords, so the finished nodes go with --with-secrets only.
    """
    lab = load(context)
    transfer.check_export(lab, file, with_secrets=with_secrets)
    with working(lab, "export-lab") as context_:
        size = transfer.export(context_, file, with_secrets=with_secrets)
    kind = "with its secrets: keep it as closely as a password" if with_secrets else "without secrets"
    typer.echo(f"{file} has the lab {kind} ({size / 1e6:.0f} MB). Elsewhere: labctl up --from {file.name}")
