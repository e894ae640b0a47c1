"""labctl snapshot: save the state of all nodes, and restore it."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from labctl.cli import shell_completion
from labctl.cli.common import Json, lab_paths, load, working
from labctl.lab import snapshot_store
from labctl.lifecycle import snapshot, verify

verb = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Save the state of all nodes, and restore it.")
Name = Annotated[str, typer.Argument(help="Up to 40 lower-case letters, digits and hyphens.")]
Kept = Annotated[str, typer.Argument(help="The name of a snapshot.", autocompletion=shell_completion.snapshots)]


@verb.command("save")
def save(context: typer.Context, name: Name) -> None:
    """Save the state of all nodes, which are paused for it. The lab then continues as it was.

    The lab's secrets are saved as well, in .labctl/snapshots.
    """
    lab = load(context)
    snapshot.check_save(lab, name)
    with working(lab, "snapshot save") as lab:
        snapshot.save(lab, name)
    typer.echo(f"Snapshot {name} is saved. `labctl snapshot restore {name}` brings the lab back to it.")


@verb.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the snapshots of this lab, the oldest first."""
    found = snapshot_store.every(lab_paths(context))
    if as_json:
        typer.echo(json.dumps([asdict(item) for item in found], indent=2))
        return
    for item in found:
        typer.echo(f"{item.name:<20} {item.created}  OpenStack {item.release}, {len(item.nodes)} nodes")
    if not found:
        typer.echo("There are no snapshots.")


@verb.command("restore")
def restore(
    context: typer.Context,
    name: Kept,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="End when all services have reported.")] = False,
    as_json: Json = False,
) -> None:
    """Restore all nodes and the lab's own files. Changes since the snapshot are lost.

    It waits until every service has reported again, and then verifies the lab.
    """
    paths = lab_paths(context)
    lab = snapshot.check_restore(paths, name)
    with working(lab, "snapshot restore", quiet_output=as_json) as lab:
        seconds = snapshot.restore(lab, name)
        if not no_verify:
            verify.verify(lab)
    if as_json:
        typer.echo(json.dumps({"snapshot": name, "seconds": round(seconds, 1), "verified": not no_verify}, indent=2))
    else:
        typer.echo(f"The lab is back at {name}: all services had reported after {seconds:.0f} s.")


@verb.command("delete")
def delete(context: typer.Context, name: Kept) -> None:
    """Remove a snapshot. Nodes that were restored from it stay."""
    lab = load(context)
    snapshot.check_delete(lab, name)
    with working(lab, "snapshot delete") as lab:
        snapshot.delete(lab, name)
    typer.echo(f"Snapshot {name} is removed.")
