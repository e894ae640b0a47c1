"""The verbs for snapshots, and for a lab that is carried elsewhere."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from labctl.cli import completion
from labctl.cli.app import Json, app, load, working

snapshot = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(snapshot, name="snapshot", help="Keep the state of all nodes, and come back to it.")
Name = Annotated[str, typer.Argument(help="Up to 40 lower-case letters, digits and hyphens.")]
Kept = Annotated[str, typer.Argument(help="The name of a snapshot.", autocompletion=completion.snapshots)]


@snapshot.command("save")
def save(context: typer.Context, name: Name) -> None:
    """Keep the state of all nodes at one moment, for which they stand still. The lab goes on as it was.

    The lab's secrets are kept with it, in .labctl/snapshots.
    """
    from labctl.lifecycle import snapshot as snapshots

    paths, lab = load(context)
    snapshots.check_save(lab, paths, name)
    with working(paths, "snapshot save") as progress:
        snapshots.save(lab, paths, name, progress)
    typer.echo(f"Snapshot {name} is kept. `labctl snapshot restore {name}` brings the lab back to it.")


@snapshot.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """The snapshots of this lab, the oldest first."""
    from labctl.lab import snapshot_store

    found = snapshot_store.every(context.obj)
    if as_json:
        typer.echo(json.dumps([asdict(item) for item in found], indent=2))
        return
    for item in found:
        typer.echo(f"{item.name:<20} {item.created}  OpenStack {item.release}, {len(item.nodes)} nodes")
    if not found:
        typer.echo("There are no snapshots.")


@snapshot.command("restore")
def restore(
    context: typer.Context,
    name: Kept,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="End when all services have reported.")] = False,
    as_json: Json = False,
) -> None:
    """Bring all nodes back to what they were, and the lab's own files with them. What was done since is lost.

    It ends when every service has reported since the restore, and then verifies the lab.
    """
    from labctl.lifecycle import operations
    from labctl.lifecycle import snapshot as snapshots

    paths = context.obj
    lab = snapshots.check_restore(paths, name)
    with working(paths, "snapshot restore", quiet_output=as_json) as progress:
        seconds = snapshots.restore(lab, paths, name, progress)
        if not no_verify:
            operations.verify(paths, progress)
    if as_json:
        typer.echo(json.dumps({"snapshot": name, "seconds": round(seconds, 1), "verified": not no_verify}, indent=2))
    else:
        typer.echo(f"The lab is back at {name}: all services had reported after {seconds:.0f} s.")


@snapshot.command("delete")
def delete(context: typer.Context, name: Kept) -> None:
    """Remove a snapshot. Nodes that were restored from it go on."""
    from labctl.lifecycle import snapshot as snapshots

    paths, lab = load(context)
    snapshots.check_delete(lab, paths, name)
    with working(paths, "snapshot delete") as progress:
        snapshots.delete(lab, paths, name, progress)
    typer.echo(f"Snapshot {name} is gone.")


@app.command("export-lab")
def export_lab(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The archive to write; it must not be there yet.")],
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="The finished nodes, with every password and key of the lab.")
    ] = False,
) -> None:
    """Write the lab into a file, from which `labctl up --from FILE` makes it on another machine without a network.

    Without secrets it holds lab.yaml and the images with packages: the other lab is configured anew, with passwords of
    its own. The nodes' own configuration is full of passwords, so the finished nodes go with --with-secrets only.
    """
    from labctl.lifecycle import transfer

    paths, lab = load(context)
    transfer.check_export(lab, paths, file, with_secrets=with_secrets)
    with working(paths, "export-lab") as progress:
        size = transfer.export(lab, paths, file, progress, with_secrets=with_secrets)
    kind = "with its secrets: keep it as closely as a password" if with_secrets else "without secrets"
    typer.echo(f"{file} has the lab {kind} ({size / 1e6:.0f} MB). Elsewhere: labctl up --from {file.name}")
