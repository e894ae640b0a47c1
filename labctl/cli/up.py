"""labctl up: bring the lab up."""

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from labctl.cli.common import Evict, Json, lab_paths, load, working
from labctl.cli.plan import show
from labctl.errors import BadInput
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.lab.yaml_reader import read
from labctl.lifecycle import operations, transfer
from labctl.lifecycle.operations import Outcome

verb = typer.Typer(rich_markup_mode=None)


_UNCHANGED = "Nothing has changed since the last whole run of site.yaml; `labctl up --whole` runs it all the same."


@verb.command()
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
    """Bring the lab up: from nothing, from a half-made lab, after `labctl halt` or an edit of lab.yaml.

    It ends with a verification and prints what Nova itself says. Repeated on a running lab it changes nothing: when the
    nodes are as the last whole run has left them, it only compares and verifies.
    """
    if source is not None:
        if dry_run or evict or whole:
            raise BadInput("--from makes a new lab: --dry-run, --evict and --whole are for one that is there")
        _up_from(lab_paths(context), source, as_json=as_json)
        return
    paths, lab = load(context)

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

    manifest, lab = transfer.check_import(paths, source)
    with working(paths, "up", quiet_output=as_json) as progress:
        outcome = transfer.up(lab, paths, source, manifest, progress)
        services = operations.service_list(paths, lab, options="-f json") if as_json else ""
    typer.echo(
        json.dumps(_outcome(outcome, paths, lab, services), indent=2) if as_json else _farewell(outcome, paths, lab)
    )


def _outcome(outcome: Outcome, paths: LabPaths, lab: Lab, services: str) -> dict[str, Any]:
    return {
        "lab": lab.name,
        "directory": str(paths.directory),
        "seconds": round(outcome.seconds, 1),
        "unchanged": outcome.unchanged,
        "differences": list(outcome.differences),
        "ansible": asdict(outcome.results),
        "services": json.loads(services),
    }


def _farewell(outcome: Outcome, paths: LabPaths, lab: Lab) -> str:
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
    data = read(paths.clouds_yaml).data
    clouds = data.get("clouds", {}) if isinstance(data, dict) else {}
    return ", ".join(f"{name} ({cloud.get('auth', {}).get('auth_url', '')})" for name, cloud in clouds.items())
