"""labctl export-lab: write the lab to a file."""

from pathlib import Path
from typing import Annotated

import typer

from labctl.cli.common import load, working
from labctl.lifecycle import transfer


def export_lab(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The archive to write; it must not exist yet.")],
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="The finished nodes, with every password and key of the lab.")
    ] = False,
) -> None:
    """Write the lab to a file; `labctl up --from FILE` builds it on another machine, without a network.

    Without secrets the file has lab.yaml and the images with packages, and the new lab gets its own passwords. The
    configuration of finished nodes is full of passwords, so they are exported with --with-secrets only.
    """
    lab = load(context)
    transfer.check_export(lab, file, with_secrets=with_secrets)
    with working(lab, "export-lab") as lab:
        size, sha256 = transfer.export(lab, file, with_secrets=with_secrets)
    kind = "with its secrets: keep it as safe as a password" if with_secrets else "without secrets"
    typer.echo(f"{file} has the lab {kind} ({size / 1e6:.0f} MB).")
    typer.echo(f"Elsewhere: labctl up --from {file.name} --sha256 {sha256}")
