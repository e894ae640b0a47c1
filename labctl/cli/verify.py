"""labctl verify: check the running lab."""

import json

import typer

from labctl.cli.common import Json, load, working
from labctl.lifecycle import pause
from labctl.lifecycle import verify as lifecycle_verify


def verify(context: typer.Context, as_json: Json = False) -> None:
    """Check the running lab: units, services, cells, hosts, placement, the console.

    Each check says what it compared. Exit status 1 when one fails, with what is broken and where.
    """
    lab = load(context)
    pause.refuse_held(lab)
    verified = False
    try:
        with working(lab, "verify", quiet_output=as_json) as lab:
            lifecycle_verify.verify(lab)
        verified = True
    finally:
        if as_json:
            typer.echo(json.dumps({"verified": verified, "checks": lifecycle_verify.checks(lab.paths)}, indent=2))
    if not as_json:
        typer.echo("The lab is complete and healthy.")
