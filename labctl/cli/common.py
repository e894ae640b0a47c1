"""What verbs share: the selected lab, its lock and log, and options that several of them take."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from labctl.diagnostics import labs
from labctl.errors import LabError
from labctl.lab import lock, model, ownership
from labctl.lab.paths import LabPaths, lab_directory
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.diff import Plan
from labctl.lifecycle.preflight import preflight
from labctl.ui.progress import Progress

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to standard error.")]
Evict = Annotated[
    bool, typer.Option("--evict", help="Remove nodes even if they have servers, which are deleted: none can be moved.")
]


def lab_paths(context: typer.Context) -> LabPaths:
    """The files of the lab that the options before the verb select.

    Raises BadInput when --lab names none, or when the lab's directory is another user's.
    """
    selected: tuple[Path | None, str | None] = context.obj
    directory, name = selected
    paths = LabPaths(lab_directory(directory) if name is None else labs.directory_of(name))
    ownership.check(paths)
    return paths


def load(context: typer.Context) -> LabContext:
    """The lab as described, without a lock or progress."""
    paths = lab_paths(context)
    return LabContext.of(model.load(paths), paths)


@contextlib.contextmanager
def planned(context: LabContext, verb: str, *, evict: bool = False, remove: bool = False) -> Iterator[Plan]:
    """The plan for a lab whose lock is held. Raises BadInput when the plan is refused.

    Where there is no lab yet, this happens before the directory is touched.
    """
    if not context.paths.state.is_dir():
        preflight(context, evict=evict, remove=remove).check(context.paths)
    with lock.held(context.paths, verb):
        plan = preflight(context, evict=evict, remove=remove)
        plan.check(context.paths)
        yield plan


@contextlib.contextmanager
def working(context: LabContext, verb: str, *, quiet_output: bool = False) -> Iterator[LabContext]:
    """The same lab with its lock held and with progress, for a verb that changes something."""
    kind = (_age(context.paths),)
    with lock.held(context.paths, verb), logged(context, verb, kind, quiet_output=quiet_output) as lab:
        yield lab


@contextlib.contextmanager
def logged(
    context: LabContext, verb: str, kind: tuple[str, ...], *, quiet_output: bool = False
) -> Iterator[LabContext]:
    """The same lab with progress and a log; a failure ends with the name of the log.

    kind says which earlier runs took about as long. quiet_output keeps standard output for the result.
    """
    output = sys.stderr if quiet_output else sys.stdout
    log = log_path(context.paths, verb)
    try:
        with contextlib.redirect_stdout(output), Progress(log, verb, kind) as progress:
            if ended := lock.end_orphans(context.paths):
                progress.write(f"killed {ended} processes that an earlier run left")
            yield replace(context, progress=progress)
    except KeyboardInterrupt:
        typer.echo(f"\nlabctl: interrupted. `labctl {verb}` continues from here.\nLog: {log}", err=True)
        raise typer.Exit(130) from None
    except LabError as error:
        typer.echo(f"labctl: {error}\nLog: {log}", err=True)
        raise typer.Exit(error.exit_status) from None


def print_problems(problems: Mapping[str, str]) -> None:
    """Print the problems of nodes on standard error."""
    for name, problem in problems.items():
        sys.stderr.write(f"labctl: {name}: {problem}\n")


def log_path(paths: LabPaths, verb: str) -> Path:
    """The log of a run that starts now."""
    return paths.logs / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{verb.replace(' ', '-')}.log"


def kind_of(context: LabContext, *, due: bool) -> tuple[str, ...]:
    """What the duration of a run depends on: whether the nodes exist, whether there is work, and the kind of lab."""
    lab = context.lab
    age = _age(context.paths, due=due)
    return (age, "+".join(lab.features), lab.provider, lab.release, f"{len(lab.nodes)} nodes")


def _age(paths: LabPaths, *, due: bool = True) -> str:
    return ("again" if due else "unchanged") if paths.hosts_ini.is_file() else "new"
