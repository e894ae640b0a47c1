"""labctl support-bundle: collect what somebody needs who looks into a problem."""

import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from labctl.cli.common import Json, load, log_path, print_problems
from labctl.diagnostics import support_bundle as bundle
from labctl.ui.progress import Progress

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def support_bundle(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The archive; by default novalab-NAME-TIME.tar.gz in this directory."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Collect configuration, logs and states of all nodes in one archive, every secret redacted.

    Every secret is taken out: passwords in whatever form, private keys, tokens. Look into it all the same before you
    give it away. Nodes that do not answer are named in its manifest.json, and the exit status is 1.
    """
    lab = load(context)
    path = bundle.target(file, lab.lab)
    output = contextlib.redirect_stdout(sys.stderr)
    with output, Progress(log_path(lab.paths, "support-bundle")) as progress:
        made = bundle.make(replace(lab, progress=progress), path)
    missing = {name: node["problem"] for name, node in made["nodes"].items() if node["problem"]}
    typer.echo(json.dumps(made, indent=2) if as_json else str(path))
    print_problems(missing)
    if missing:
        raise typer.Exit(1)
