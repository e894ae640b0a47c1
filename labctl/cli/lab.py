"""The verbs that make, check and remove the lab."""

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labctl.cli.app import Json, app, checked, load, working
from labctl.cli.plan_text import Evict, show
from labctl.errors import BadInput
from labctl.lab.paths import LabPaths

if TYPE_CHECKING:
    from labctl.lab.model import Lab
    from labctl.lifecycle.operations import Outcome

_UNCHANGED = "Nothing has changed since the last whole run of site.yaml; `labctl up --whole` runs it all the same."


@app.command()
def setup(
    context: typer.Context,
    nodes_only: Annotated[
        bool, typer.Option("--nodes-only", help="Only network, images and keys, no packages. `vagrant up` calls this.")
    ] = False,
) -> None:
    """Make what the nodes need: packages on this host, a network, node images, secrets and keys.

    `labctl up` does this too. By itself it prepares for `vagrant up` by hand:

    \b
      labctl setup
      vagrant up
      ansible-playbook -i hosts.ini site.yaml
    """
    from labctl.lifecycle import operations

    paths, lab = checked(context)
    with working(paths, "setup", lab=lab) as progress:
        operations.setup(lab, paths, progress, packages=not nodes_only)


@app.command()
def up(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, as `labctl plan`.")] = False,
    evict: Evict = False,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Make the lab of an archive that `labctl export-lab` wrote."),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Run all of site.yaml, also where nothing has changed since it last ran.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the lab up: from an empty machine, from a half-made lab, after `labctl halt`, or after an edit of lab.yaml.

    It ends with a verification and prints what Nova itself says. Repeated on a running lab it changes nothing: when the
    nodes are as the last whole run has left them, it only compares and verifies.
    """
    if source is not None:
        if dry_run or evict or whole:
            raise BadInput("--from makes a new lab: --dry-run, --evict and --whole are for one that is there")
        _up_from(context.obj, source, as_json=as_json)
        return
    paths, lab = load(context)

    from labctl.lifecycle import operations

    plan = operations.preflight(lab, paths, evict=evict, remove=True)
    if dry_run:
        show(plan, lab, paths, as_json=as_json)
        return
    plan.check(paths)
    with working(paths, "up", quiet_output=as_json, lab=lab, due=plan.due or whole) as progress:
        for line in plan.lines() if plan.due else ():
            progress.say(line)
        outcome = operations.up(lab, paths, progress, plan, all_of_it=whole)
        services = operations.service_list(paths, lab, options="-f json") if as_json else ""
    if as_json:
        document = {**_outcome(outcome, paths, lab, services), "plan": plan.document()["changes"]}
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo(_farewell(outcome, paths, lab))


def _up_from(paths: LabPaths, source: Path, *, as_json: bool) -> None:
    from labctl.lifecycle import operations, transfer

    manifest, lab = transfer.check_import(paths, source)
    with working(paths, "up", quiet_output=as_json) as progress:
        outcome = transfer.up(lab, paths, source, manifest, progress)
        services = operations.service_list(paths, lab, options="-f json") if as_json else ""
    typer.echo(
        json.dumps(_outcome(outcome, paths, lab, services), indent=2) if as_json else _farewell(outcome, paths, lab)
    )


@app.command()
def plan(context: typer.Context, evict: Evict = False, as_json: Json = False) -> None:
    """Say what `labctl up` would create, start, change and remove after an edit of lab.yaml. Nothing is changed.

    Exit status 2 when something of it cannot be done, with the reason and the way that works.
    """
    paths, lab = load(context)

    from labctl.lifecycle import operations

    show(operations.preflight(lab, paths, evict=evict, remove=True), lab, paths, as_json=as_json)


@app.command()
def verify(context: typer.Context, as_json: Json = False) -> None:
    """Check the running lab: units, services, cells, hosts, placement, the console.

    Each check says what it compared. Exit status 1 when one fails, with what is broken and where.
    """
    paths, lab = load(context)

    from labctl.lifecycle import operations, pause

    pause.refuse_held(lab, paths)
    verified = False
    try:
        with working(paths, "verify", quiet_output=as_json) as progress:
            operations.verify(paths, progress)
        verified = True
    finally:
        if as_json:
            typer.echo(json.dumps({"verified": verified, "checks": operations.checks(paths)}, indent=2))
    if not as_json:
        typer.echo("The lab is whole.")


@app.command()
def halt(context: typer.Context) -> None:
    """Shut the nodes down cleanly. What is on them stays, and `labctl up` starts them again."""
    paths, lab = load(context)

    from labctl.lifecycle import operations

    with working(paths, "halt") as progress:
        operations.halt(lab, paths, progress)
    typer.echo("The nodes are off. `labctl up` starts them again.")


@app.command()
def destroy(
    context: typer.Context,
    keep_snapshots: Annotated[
        bool, typer.Option("--keep-snapshots", help="Keep them; `labctl snapshot restore` brings the lab back.")
    ] = False,
) -> None:
    """Remove the lab: nodes, network, inventory, secrets, snapshots. Images, logs and lab.yaml stay."""
    paths, lab = load(context)

    from labctl.lab import snapshot_store
    from labctl.lifecycle import operations

    snapshots = snapshot_store.every(paths)
    if keep_snapshots and lab.provider != "docker":
        raise BadInput("Snapshots of virtual machines go with the machines; nothing was changed", "Halt them instead.")
    with working(paths, "destroy") as progress:
        removed = operations.destroy(lab, paths, progress, keep_snapshots=keep_snapshots)
    typer.echo("The lab is gone." if removed else "There was nothing to remove.")
    if snapshots:
        names = ", ".join(snapshot.name for snapshot in snapshots)
        typer.echo(f"Snapshots {'kept' if keep_snapshots else 'removed with it'}: {names}")


def _outcome(outcome: "Outcome", paths: LabPaths, lab: "Lab", services: str) -> dict[str, Any]:
    return {
        "lab": lab.name,
        "directory": str(paths.directory),
        "seconds": round(outcome.seconds, 1),
        "unchanged": outcome.unchanged,
        "differences": list(outcome.differences),
        "ansible": asdict(outcome.results),
        "services": json.loads(services),
    }


def _farewell(outcome: "Outcome", paths: LabPaths, lab: "Lab") -> str:
    """What the cloud says, and how to go on."""
    where = "" if paths.directory == Path.cwd() else f" -C {shlex.quote(str(paths.directory))}"
    lines = [
        outcome.services,
        f"Lab {lab.name} is up after {outcome.seconds:.0f} s: OpenStack {lab.release} on {len(lab.nodes)} nodes.",
        *([_UNCHANGED] if outcome.unchanged else []),
        "",
        f"On the controller:  labctl{where} ssh controller, then: source admin-openrc",
    ]
    if paths.clouds_yaml.is_file():
        clouds = shlex.quote(str(paths.clouds_yaml))
        lines.append(f"From this host:     export OS_CLIENT_CONFIG_FILE={clouds}, then a cloud of: {_clouds(paths)}")
    if lab.dashboard_url:
        lines.append(f"In a browser:       {lab.dashboard_url} as admin or demo; passwords are in {paths.secrets}")
    lines.append(f"Check, stop, remove: labctl{where} verify | halt | destroy")
    return "\n".join(lines)


def _clouds(paths: LabPaths) -> str:
    """The clouds in clouds.yaml with their addresses."""
    from labctl.lab.yaml_reader import read

    data = read(paths.clouds_yaml).data
    clouds = data.get("clouds", {}) if isinstance(data, dict) else {}
    return ", ".join(f"{name} ({cloud.get('auth', {}).get('auth_url', '')})" for name, cloud in clouds.items())
