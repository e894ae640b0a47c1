"""What verbs share: the lab they are about, its lock and log, and options that several of them take."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from labctl.cli.app import Selection, complain
from labctl.diagnostics import labs
from labctl.errors import LabError
from labctl.lab import lock, model, orphans
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths, lab_directory
from labctl.lifecycle import operations
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


def load(context: typer.Context) -> tuple[LabPaths, Lab]:
    """The lab as it is described."""

    paths = lab_paths(context)
    return paths, model.load(paths)


def checked(context: typer.Context) -> tuple[LabPaths, Lab]:
    """The lab, when nothing speaks against making it; raises BadInput before anything is touched."""
    paths, lab = load(context)
    operations.preflight(lab, paths).check(paths)
    return paths, lab


@contextlib.contextmanager
def working(
    paths: LabPaths, verb: str, *, quiet_output: bool = False, lab: Lab | None = None, due: bool = True
) -> Iterator[Progress]:
    """Lock, log and progress of a verb that changes something; what goes wrong ends with the name of the log.

    With the lab, estimates of time come from runs for such labs first; due says whether anything is to be done to it.
    """

    output: contextlib.AbstractContextManager[Any] = (
        contextlib.redirect_stdout(sys.stderr) if quiet_output else contextlib.nullcontext()
    )
    with lock.held(paths, verb):
        log = operations.log_path(paths, verb)
        try:
            with output, Progress(log, verb, _kind(paths, lab, due=due)) as progress:
                if ended := orphans.end(paths):
                    progress.write(f"ended {ended} processes of a run that was killed")
                yield progress
        except KeyboardInterrupt:
            sys.stderr.write(f"\nlabctl: interrupted. `labctl {verb}` goes on from here.\nLog: {log}\n")
            raise typer.Exit(130) from None
        except LabError as error:
            complain(error)
            sys.stderr.write(f"Log: {log}\n")
            raise typer.Exit(error.exit_status) from None


def _kind(paths: LabPaths, lab: Lab | None, *, due: bool) -> tuple[str, ...]:
    """What a run's times depend on: whether the nodes are there already, and how the lab is made."""
    age = ("again" if due else "unchanged") if paths.hosts_ini.is_file() else "new"
    return (age, "+".join(lab.features), lab.provider, lab.release, f"{len(lab.nodes)} nodes") if lab else (age,)
