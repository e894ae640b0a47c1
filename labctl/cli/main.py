"""The command line."""

import contextlib
import os
import signal
import sys

import typer

from labctl.cli.app import app
from labctl.cli.shell_completion import PROGRAM, VARIABLE
from labctl.errors import LabError
from labctl.ui.terminal import plain


def main() -> None:
    """Run the command line; the process ends with its exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends as cleanly as Ctrl-C
    if VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    with contextlib.redirect_stdout(plain(sys.stdout)), contextlib.redirect_stderr(plain(sys.stderr)):
        try:
            app(prog_name=PROGRAM)
        except LabError as error:
            typer.echo(f"labctl: {error}", err=True)
            sys.exit(error.exit_status)
