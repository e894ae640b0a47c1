"""What all verbs have in common. Commands import what they need when they run, so that --help answers at once."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labctl.cli import completion
from labctl.errors import BadInput, LabError
from labctl.lab.paths import LabPaths, lab_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.lab.model import Lab
    from labctl.ui.progress import Progress


HELP = """A real multi-node OpenStack Nova lab on this machine.

A lab is a directory. It may hold a lab.yaml that says what the lab looks like; without one it is a controller and two
compute nodes. Every verb can be repeated at any time and goes on from where things are.

\b
Examples:
  labctl up                        everything: packages, nodes, OpenStack, verification
  labctl status --watch            nodes, services, servers, and what is degraded since when
  labctl logs --since 10m          what all services have said, in the order of time
  labctl ssh controller            a shell on a node
  labctl verify                    is the lab whole? says what is wrong where
  labctl doctor                    what is wrong with this machine or the lab, and what to do
  labctl demo                      an instance on each compute, and proof that they reach each other
  labctl console demo-compute1     the screen of an instance, in a browser
  labctl halt; labctl up           off and on again
  labctl destroy                   remove the lab, keep the images
  labctl -C ~/zed up               a lab in another directory
  labctl init                      a commented lab.yaml, to be edited
  labctl list                      every lab of this machine
  labctl --lab zed status          a lab by its name, from anywhere

Exit status: 0 when it worked, 1 when it did not, 2 when what was asked for cannot be and nothing was changed.
"""

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=HELP
)
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to standard error.")]


def complain(error: LabError) -> None:
    """What went wrong, on standard error."""
    sys.stderr.write(f"labctl: {error}\n")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"novalab {version('novalab')}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    directory: Annotated[
        Path | None,
        typer.Option("-C", "--directory", help="The lab's directory; by default LABCTL_DIR, or the current one."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--lab",
            help="A lab by its name instead, wherever it is; see `labctl list`.",
            autocompletion=completion.labs,
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 (its callback acts)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What all verbs have in common."""
    if name is not None:
        if directory is not None:
            raise BadInput("Both -C and --lab say which lab", "Leave one of the two out.")
        from labctl.diagnostics import labs

        directory = labs.directory_of(name)
    context.obj = LabPaths(lab_directory(directory))


def load(context: typer.Context) -> "tuple[LabPaths, Lab]":
    """The lab as it is described."""
    from labctl.lab import model

    paths: LabPaths = context.obj
    return paths, model.load(paths)


def checked(context: typer.Context) -> "tuple[LabPaths, Lab]":
    """The lab, when nothing speaks against making it; raises BadInput before anything is touched."""
    paths, lab = load(context)

    from labctl.lifecycle import operations

    operations.preflight(lab, paths).check(paths)
    return paths, lab


@contextlib.contextmanager
def working(
    paths: LabPaths, verb: str, *, quiet_output: bool = False, lab: "Lab | None" = None, due: bool = True
) -> "Iterator[Progress]":
    """Lock, log and progress of a verb that changes something; what goes wrong ends with the name of the log.

    With the lab, estimates of time come from runs for such labs first; due says whether anything is to be done to it.
    """
    from labctl.lab import lock, orphans
    from labctl.lifecycle import operations
    from labctl.ui.progress import Progress

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


def _kind(paths: LabPaths, lab: "Lab | None", *, due: bool) -> tuple[str, ...]:
    """What a run's times depend on: whether the nodes are there already, and how the lab is made."""
    age = ("again" if due else "unchanged") if paths.hosts_ini.is_file() else "new"
    return (age, "+".join(lab.features), lab.provider, lab.release, f"{len(lab.nodes)} nodes") if lab else (age,)
