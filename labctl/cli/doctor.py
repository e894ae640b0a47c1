"""labctl doctor: find out what is wrong."""

import json
from typing import Annotated, Any

import typer

from labctl.cli.common import Json, load
from labctl.diagnostics.doctor import runner
from labctl.diagnostics.doctor.finding import Severity
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.ui.console import PlainConsole

verb = typer.Typer(rich_markup_mode=None)

_AT_REST = {"not made": "there is no lab here yet", "halted": "its nodes are off", "paused": "its nodes are paused"}


@verb.command()
def doctor(
    context: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="Exit status 1 for warnings too.")] = False,
    as_json: Json = False,
) -> None:
    """Find out what is wrong with this machine or the lab, each with evidence and a remedy. Changes nothing.

    It can be asked before there is a lab, and in one that is broken in whatever way. Exit status 1 when it finds an
    error, 0 when it finds nothing or warnings only.
    """
    lab = load(context)

    console = PlainConsole(stderr=True, highlight=False)
    with console.status("looking at this machine") as status:
        report = runner.examine(lab, lambda text: status.update(text))
    if as_json:
        typer.echo(json.dumps(document(report, lab.lab, lab.paths), indent=2))
    else:
        typer.echo(text(report, lab.lab))
    worst = report.worst()
    if worst is not None and (strict or worst == "error"):
        raise typer.Exit(1)


def document(report: runner.Report, lab: Lab, paths: LabPaths) -> dict[str, Any]:
    """The report for scripts."""
    return {
        "lab": lab.name,
        "directory": str(paths.directory),
        "state": report.state,
        "seconds": round(report.seconds, 1),
        "worst": report.worst(),
        "findings": [
            {
                "check": diagnosis.check.id,
                "severity": diagnosis.finding.severity,
                "where": diagnosis.finding.where,
                "finding": diagnosis.finding.what,
                "evidence": diagnosis.finding.evidence,
                "remedy": diagnosis.finding.remedy,
                "consequences": diagnosis.consequences,
            }
            for diagnosis in report.found
        ],
        "checks": [
            {
                "id": check.id,
                "group": check.group,
                "looks_at": check.looks_at,
                "findings": sum(diagnosis.check is check for diagnosis in report.found),
            }
            for check in report.checks
        ],
    }


def text(report: runner.Report, lab: Lab) -> str:
    """The report for people."""
    lines = []
    for diagnosis in report.found:
        finding = diagnosis.finding
        lines.append(f"{finding.severity}: {finding.what}  [{diagnosis.check.id}]")
        lines += [f"    {line}" for line in finding.evidence]
        if diagnosis.consequences:
            lines.append(f"    leads to: {'; '.join(diagnosis.consequences)}")
        lines += ["  do: " + finding.remedy.replace("\n", "\n  "), ""]
    errors = sum(diagnosis.finding.severity is Severity.ERROR for diagnosis in report.found)
    summary = f"{errors} errors, {len(report.found) - errors} warnings" if report.found else "Nothing is wrong"
    rest = f"; {_AT_REST[report.state]}, so only this machine was examined" if report.state in _AT_REST else ""
    lines.append(f"Lab {lab.name}: {summary}, by {len(report.checks)} checks in {report.seconds:.1f} s{rest}.")
    return "\n".join(lines)
