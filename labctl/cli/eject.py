"""labctl eject: write playbooks and Vagrantfile out."""

from pathlib import Path
from typing import Annotated

import typer

from labctl.ansible import eject as ejecting
from labctl.cli.common import lab_paths
from labctl.lab.paths import LabPaths

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def eject(
    context: typer.Context,
    directory: Annotated[Path | None, typer.Argument(help="Where to; by default the lab's directory.")] = None,
    roles: Annotated[bool, typer.Option("--roles", help="Roles and modules as well, to be changed.")] = False,
) -> None:
    """Write playbooks, Vagrantfile and settings out, to go on by hand with Vagrant and Ansible.

    A README.md says how. Files that are there are never overwritten.
    """
    paths = lab_paths(context) if directory is None else LabPaths(directory)
    names = ejecting.eject(paths, roles=roles)
    typer.echo(f"Wrote into {paths.directory}: {', '.join(names)}.\nREADME.md says how to go on.")
