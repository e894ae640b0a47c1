"""labctl snapshot: keep the state of all nodes, and come back to it."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from labctl.cli import shell_completion
from labctl.cli.common import Json, lab_paths, load, working
from labctl.lab import snapshot_store
from labctl.lifecycle import snapshot, verify

verb = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Keep the state of all nodes, and come back to it."
)
Name = Annotated[str, typer.Argument(help="Up to 40 lower-case letters, digits and hyphens.")]
Kept = Annotated[str, typer.Argument(help="The name of a snapshot.", autocompletion=shell_completion.snapshots)]


@verb.command("save")
def save(context: typer.Context, name: Name) -> None:
    """Keep the state of all nodes at one moment, for which they stand still. The lab goes on as it was.

    The lab's secrets are kept with it, in .labctl/snapshots.
    """
    lab = load(context)
    snapshot.check_save(lab, name)
    with working(lab, "snapshot save") as context_:
        snapshot.save(context_, name)
    typer.echo(f"Snapshot {name} is kept. `labctl snapshot restore {name}` brings the lab back to it.")


@verb.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """The snapshots of this lab, the oldest first."""
    found = snapshot_store.every(lab_paths(context))
    if as_json:
        typer.echo(json.dumps([asdict(item) for item in found], indent=2))
        return
    for item in found:
        typer.echo(f"{item.name:<20} {item.created}  OpenStack {item.release}, {len(item.nodes)} nodes")
    if not found:
        typer.echo("There are no snapshot.")


@verb.command("restore")
def restore(
    context: typer.Context,
    name: Kept,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="End when all services have reported.")] = False,
    as_json: Json = False,
) -> None:
    """Bring all nodes back to what they were, and the lab's own files with them. What was done since is lost.

    It ends when every service has reported since the restore, and then verifies the lab.
    """
    paths = lab_paths(context)
    lab = snapshot.check_restore(paths, name)
    with working(lab, "snapshot restore", quiet_output=as_json) as context_:
        seconds = snapshot.restore(context_, name)
        if not no_verify:
            verify.verify(context_)
    if as_json:
        typer.echo(json.dumps({"snapshot": name, "seconds": round(seconds, 1), "verified": not no_verify}, indent=2))
    else:
        typer.echo(f"The lab is back at {name}: all services had reported after {seconds:.0f} s.")


@verb.command("delete")
def delete(context: typer.Context, name: Kept) -> None:
    """Remove a snapshot. Nodes that were restored from it go on."""
    lab = load(context)
    snapshot.check_delete(lab, name)
    with working(lab, "snapshot delete") as context_:
        snapshot.delete(context_, name)
    typer.echo(f"Snapshot {name} is gone.")
