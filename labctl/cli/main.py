"""The command line."""

import signal
import sys

from labctl.cli.app import app, complain
from labctl.cli.shell_completion import PROGRAM, prepare
from labctl.errors import LabError


def main() -> None:
    """Run the command line; the process ends with its exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends as cleanly as Ctrl-C
    prepare()
    try:
        app(prog_name=PROGRAM)
    except LabError as error:
        complain(error)
        sys.exit(error.exit_status)
