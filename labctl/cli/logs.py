"""The verbs that show and collect what a lab has said."""

import contextlib
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from labctl.cli.app import Json, app, load

_LINES, _LINES_BEFORE = 100, 10  # without --since and --lines; with --follow


@app.command()
def logs(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NODE|SERVICE]", help="A node, a unit such as nova-api, or a component such as nova."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="From then on: 30s, 10m, 2h, 1d ago, or a time in UTC.", metavar="TIME")
    ] = None,
    lines: Annotated[int | None, typer.Option(min=1, help="The last lines only.", metavar="N")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="The whole journal, not only that of the lab's units.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each line as a JSON object.")] = False,
) -> None:
    """Show the journals and the services' log files of all nodes, or of one node or service, in the order of time.

    Without --since and --lines, the last 100 lines. Exit status: 1 when a node cannot be asked; the others are shown.

    \b
      labctl logs --since 10m
      labctl logs nova-compute --follow
      labctl logs compute1 --lines 20
    """
    from labctl.diagnostics import logs as log

    paths, lab = load(context)
    wanted = replace(
        log.select(lab, name),
        since=None if since is None else log.moment(since, time.time()),
        lines=lines or (None if since is not None else _LINES_BEFORE if follow else _LINES),
        everything=everything,
    )
    width = max(len(node.name) for node in wanted.nodes)
    problems: dict[str, str] = {}

    def show(line: log.Line) -> None:
        typer.echo(line.as_json() if as_json else line.for_people(width))

    if follow:
        try:
            for line in log.follow(lab, paths, wanted, problems):
                show(line)
        except KeyboardInterrupt:
            log.complaints(problems)
            raise typer.Exit(130) from None
    else:
        found, problems = log.read(lab, paths, wanted)
        for line in found:
            show(line)
    log.complaints(problems)
    if problems:
        raise typer.Exit(1)


@app.command("support-bundle")
def support_bundle(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The archive; by default novalab-NAME-TIME.tar.gz in this directory."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Collect configuration, logs and states of all nodes in one archive, for somebody who looks into a trouble.

    Every secret is taken out: passwords in whatever form, private keys, tokens. Look into it all the same before you
    give it away. Nodes that do not answer are named in its manifest.json, and the exit status is 1.
    """
    from labctl.diagnostics import support_bundle as bundle
    from labctl.lifecycle.operations import log_path
    from labctl.ui.progress import Progress

    paths, lab = load(context)
    path = bundle.target(file, lab)
    output = contextlib.redirect_stdout(sys.stderr)
    with output, Progress(log_path(paths, "support-bundle")) as progress:
        made = bundle.make(lab, paths, path, progress)
    missing = {name: node["problem"] for name, node in made["nodes"].items() if node["problem"]}
    typer.echo(json.dumps(made, indent=2) if as_json else str(path))
    for name, problem in missing.items():
        sys.stderr.write(f"labctl: {name}: {problem}\n")
    if missing:
        raise typer.Exit(1)
