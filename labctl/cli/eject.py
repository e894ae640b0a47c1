"""labctl eject: write playbooks and Vagrantfile out."""

from pathlib import Path
from typing import Annotated

import typer

from labctl.ansible import eject as ansible_eject
from labctl.cli.common import lab_paths
from labctl.lab.paths import LabPaths


def eject(
    context: typer.Context,
    directory: Annotated[Path | None, typer.Argument(help="Where to; by default the lab's directory.")] = None,
    roles: Annotated[bool, typer.Option("--roles", help="Also roles and modules, for you to change.")] = False,
) -> None:
    """Write playbooks, Vagrantfile and settings out, to continue by hand with Vagrant and Ansible.

    A README.md explains how. Existing files are never overwritten.
    """
    paths = lab_paths(context) if directory is None else LabPaths(directory)
    names = ansible_eject.eject(paths, roles=roles)
    typer.echo(f"Wrote into {paths.directory}: {', '.join(names)}.\nREADME.md explains how to continue.")
