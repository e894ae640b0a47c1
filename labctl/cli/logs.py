"""labctl logs: show journals and log files of all nodes."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from labctl.cli.common import load, print_problems
from labctl.diagnostics import logs as log
from labctl.ui import text

verb = typer.Typer(rich_markup_mode=None)


_LINES, _LINES_BEFORE = 100, 10  # without --since and --lines; with --follow


@verb.command()
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
    """Show the journals and log files of all nodes, or of one node or service, in order of time.

    Without --since and --lines, the last 100 lines. Exit status: 1 when a node cannot be asked; the others are shown.

    \b
      labctl logs --since 10m
      labctl logs nova-compute --follow
      labctl logs compute1 --lines 20
    """
    lab = load(context)
    wanted = replace(
        log.select(lab.lab, name),
        since=None if since is None else log.moment(since, time.time()),
        lines=lines or (None if since is not None else _LINES_BEFORE if follow else _LINES),
        everything=everything,
    )
    width = max(len(node.name) for node in wanted.nodes)
    problems: dict[str, str] = {}

    def show(line: log.Line) -> None:
        typer.echo(line_as_json(line) if as_json else line_as_text(line, width))

    if follow:
        try:
            for line in log.follow(lab, wanted, problems):
                show(line)
        except KeyboardInterrupt:
            print_problems(problems)
            raise typer.Exit(130) from None
    else:
        found, problems = log.read(lab, wanted)
        for line in found:
            show(line)
    print_problems(problems)
    if problems:
        raise typer.Exit(1)


def line_as_json(line: log.Line) -> str:
    """One line of JSON."""
    moment = datetime.fromtimestamp(line.moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": moment, "node": line.node, "unit": line.unit, "source": line.source, "text": line.text})


def line_as_text(line: log.Line, width: int) -> str:
    """One line, with the node's name as wide as the widest; without the day if that is today."""
    moment, now = datetime.fromtimestamp(line.moment, UTC), datetime.now(UTC)
    day = "" if moment.date() == now.date() else f"{moment:%Y-%m-%d} "
    clock = moment.isoformat(timespec="milliseconds")[11:23]
    return f"{day}{clock} {line.node:<{width}} {line.unit}: {text.printable(line.text)}"
