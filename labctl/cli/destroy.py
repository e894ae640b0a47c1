"""labctl destroy: remove the lab."""

from typing import Annotated

import typer

from labctl.cli.common import load, working
from labctl.errors import BadInput
from labctl.lab import snapshot_store
from labctl.lifecycle import destroy as lifecycle_destroy


def destroy(
    context: typer.Context,
    keep_snapshots: Annotated[
        bool, typer.Option("--keep-snapshots", help="Keep them; `labctl snapshot restore` brings the lab back.")
    ] = False,
) -> None:
    """Remove the lab: nodes, network, inventory, secrets, snapshots. Images, logs and lab.yaml stay."""
    lab = load(context)
    snapshots = ", ".join(snapshot.name for snapshot in snapshot_store.every(lab.paths))
    if keep_snapshots and not lab.provider.keeps_snapshots:
        raise BadInput("Snapshots of virtual machines go with the machines; nothing was changed", "Halt them instead.")
    with working(lab, "destroy") as lab:
        removed = lifecycle_destroy.destroy(lab, keep_snapshots=keep_snapshots)
    typer.echo("The lab is removed." if removed else "There was nothing to remove.")
    if snapshots:
        typer.echo(f"Snapshots {'kept' if keep_snapshots else 'removed with it'}: {snapshots}")
