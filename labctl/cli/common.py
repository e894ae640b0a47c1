"""What verbs share: the lab they are about, its lock and log, and options that several of them take."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from labctl.cli.app import Selection, complain
from labctl.diagnostics import labs
from labctl.errors import LabError
from labctl.lab import lock, model, orphans
from labctl.lab.paths import LabPaths, lab_directory
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.plan import Plan
from labctl.lifecycle.preflight import preflight
from labctl.ui.progress import Progress

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to standard error.")]
Evict = Annotated[
    bool, typer.Option("--evict", help="Nodes may leave with servers on them, which are deleted; they cannot be moved.")
]


def lab_paths(context: typer.Context) -> LabPaths:
    """The files of the lab that the options before the verb select. Raises BadInput when --lab names none."""
    selection: Selection = context.obj
    if selection.name is not None:
        return LabPaths(labs.directory_of(selection.name))
    return LabPaths(lab_directory(selection.directory))


def load(context: typer.Context) -> LabContext:
    """The lab as it is described, to look at it."""
    paths = lab_paths(context)
    return LabContext.of(model.load(paths), paths)


@contextlib.contextmanager
def planned(context: LabContext, verb: str, *, evict: bool = False, remove: bool = False) -> Iterator[Plan]:
    """The plan for a lab, made while its lock is held and with nothing refused. Raises BadInput otherwise.

    Where there is no lab yet, a refusal comes before the directory is touched.
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
    with (
        lock.held(context.paths, verb),
        logged(context, verb, (_age(context.paths),), quiet_output=quiet_output) as lab,
    ):
        yield lab


@contextlib.contextmanager
def logged(
    context: LabContext, verb: str, kind: tuple[str, ...], *, quiet_output: bool = False
) -> Iterator[LabContext]:
    """The same lab with progress and a log; a failure ends with the name of the log.

    kind says which earlier runs took as long. quiet_output keeps standard output for the result.
    """
    output: contextlib.AbstractContextManager[Any] = (
        contextlib.redirect_stdout(sys.stderr) if quiet_output else contextlib.nullcontext()
    )
    log = log_path(context.paths, verb)
    try:
        with output, Progress(log, verb, kind) as progress:
            if ended := orphans.end(context.paths):
                progress.write(f"ended {ended} processes of a run that was killed")
            yield replace(context, progress=progress)
    except KeyboardInterrupt:
        sys.stderr.write(f"\nlabctl: interrupted. `labctl {verb}` continues from here.\nLog: {log}\n")
        raise typer.Exit(130) from None
    except LabError as error:
        complain(error)
        sys.stderr.write(f"Log: {log}\n")
        raise typer.Exit(error.exit_status) from None


def print_problems(problems: Mapping[str, str]) -> None:
    """Print the problems of nodes on standard error."""
    for name, problem in problems.items():
        sys.stderr.write(f"labctl: {name}: {problem}\n")


def log_path(paths: LabPaths, verb: str) -> Path:
    """The log of a run that starts now."""
    return paths.logs / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{verb.replace(' ', '-')}.log"


def kind_of(context: LabContext, *, due: bool) -> tuple[str, ...]:
    """What a run's times depend on: whether the nodes exist and anything is to be done, and how the lab is made."""
    lab = context.lab
    nodes = f"{len(lab.nodes)} nodes"
    return (_age(context.paths, due=due), "+".join(lab.features), lab.provider, lab.release, nodes)


def _age(paths: LabPaths, *, due: bool = True) -> str:
    return ("again" if due else "unchanged") if paths.hosts_ini.is_file() else "new"
