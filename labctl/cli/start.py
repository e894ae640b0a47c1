"""The verbs with which people begin: a description, files to go on by hand, completion in their shell."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from labctl.cli.app import app
from labctl.lab.paths import LabPaths


@app.command()
def init(
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="The lab's name; by default one that is free.")] = None,
) -> None:
    """Write a commented lab.yaml, with a name and a network that are free on this machine.

    A lab.yaml that is there is never overwritten.
    """
    from labctl.lifecycle import init as start

    paths: LabPaths = context.obj
    chosen = start.init(paths, name=name)
    values = ", ".join(f"{key} {value}" for key, value in chosen.items())
    typer.echo(f"Wrote {paths.lab_yaml}: {values or 'every key at its default'}.")


@app.command()
def eject(
    context: typer.Context,
    directory: Annotated[Path | None, typer.Argument(help="Where to; by default the lab's directory.")] = None,
    roles: Annotated[bool, typer.Option("--roles", help="Roles and modules as well, to be changed.")] = False,
) -> None:
    """Write playbooks, Vagrantfile and settings out, to go on by hand with Vagrant and Ansible.

    A README.md says how. Files that are there are never overwritten.
    """
    from labctl.ansible import eject as ejecting

    paths: LabPaths = context.obj if directory is None else LabPaths(directory)
    names = ejecting.eject(paths, roles=roles)
    typer.echo(f"Wrote into {paths.directory}: {', '.join(names)}.\nREADME.md says how to go on.")


@app.command()
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print what makes a shell complete verbs, options, nodes and labs.

    \b
      bash:  labctl completion bash >> ~/.bashrc
      zsh:   labctl completion zsh > a file `_labctl` in a directory of $fpath, before compinit
      fish:  labctl completion fish > ~/.config/fish/completions/labctl.fish
    """
    from labctl.cli import completion as complete

    typer.echo(complete.script(shell))
