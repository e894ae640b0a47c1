"""labctl up: bring the lab up."""

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from labctl.cli.common import Evict, Json, kind_of, lab_paths, load, logged, planned, working
from labctl.cli.plan import show
from labctl.errors import BadInput
from labctl.lab.yaml_reader import read
from labctl.lifecycle import archive_reader, transfer
from labctl.lifecycle import up as lifecycle_up
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.up import Outcome
from labctl.lifecycle.verify import service_list

_UNCHANGED = "Nothing has changed since the last full run, so site.yaml was skipped; `labctl up --full` runs it anyway."


def up(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, as `labctl plan`.")] = False,
    evict: Evict = False,
    source: Annotated[
        Path | None, typer.Option("--from", help="Build the lab from an archive that `labctl export-lab` wrote.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="With --from: refuse the archive if it has another SHA-256.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", "--whole", help="Run site.yaml even if nothing has changed since it last ran.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the lab up: from nothing, from an unfinished lab, after `labctl halt` or an edit of lab.yaml.

    It ends with a verification and prints Nova's own list of services. Repeated on a running lab it changes nothing: if
    nothing has drifted since the last full run, site.yaml is skipped; --full runs it anyway.
    """
    if source is not None:
        if dry_run or evict or full:
            raise BadInput("--from creates a new lab; --dry-run, --evict and --full are for one that exists")
        paths = lab_paths(context)
        with archive_reader.reading(source, sha256) as archive:
            lab = transfer.check_import(paths, archive)
            with working(lab, "up", quiet_output=as_json) as lab:
                outcome = transfer.up(lab, archive)
                services = service_list(lab, options="-f json") if as_json else "null"
        typer.echo(_document(outcome, lab, services) if as_json else _farewell(outcome, lab))
        return
    if sha256 is not None:
        raise BadInput("--sha256 is for an archive and needs --from")
    lab = load(context)
    if dry_run:
        show(lab, evict=evict, as_json=as_json)
        return
    with (
        planned(lab, "up", evict=evict, remove=True) as plan,
        logged(lab, "up", kind_of(lab, due=plan.due or full), quiet_output=as_json) as lab,
    ):
        for line in plan.lines() if plan.due else ():
            lab.progress.say(line)
        outcome = lifecycle_up.up(lab, plan, full=full)
        services = service_list(lab, options="-f json") if as_json else "null"
    changes = plan.document()["changes"]
    typer.echo(_document(outcome, lab, services, plan=changes) if as_json else _farewell(outcome, lab))


def _document(outcome: Outcome, context: LabContext, services: str, **more: object) -> str:
    """The result as JSON; services is JSON as well."""
    document = {
        "lab": context.lab.name,
        "directory": str(context.paths.directory),
        "seconds": round(outcome.seconds, 1),
        "unchanged": outcome.unchanged,
        "differences": list(outcome.differences),
        "ansible": asdict(outcome.results),
        "services": json.loads(services),
    }
    return json.dumps(document | more, indent=2)


def _farewell(outcome: Outcome, context: LabContext) -> str:
    """What Nova lists, and what the user can do next."""
    lab, paths = context.lab, context.paths
    where = "" if paths.directory == Path.cwd() else f" -C {shlex.quote(str(paths.directory))}"
    lines = [
        outcome.services,
        f"Lab {lab.name} is up after {outcome.seconds:.0f} s: OpenStack {lab.release} on {len(lab.nodes)} nodes.",
        *([_UNCHANGED] if outcome.unchanged else []),
        "",
        f"On the controller:  labctl{where} ssh controller, then: source admin-openrc",
    ]
    if paths.clouds_yaml.is_file():
        data = read(paths.clouds_yaml).data
        clouds = data.get("clouds", {}) if isinstance(data, dict) else {}
        names = ", ".join(f"{name} ({cloud.get('auth', {}).get('auth_url', '')})" for name, cloud in clouds.items())
        file = shlex.quote(str(paths.clouds_yaml))
        lines.append(f"From this host:     export OS_CLIENT_CONFIG_FILE={file}, then a cloud of: {names}")
    if lab.dashboard_url:
        lines.append(f"In a browser:       {lab.dashboard_url} as admin or demo; passwords are in {paths.secrets}")
    lines.append(f"Check, stop, remove: labctl{where} verify | halt | destroy")
    return "\n".join(lines)
