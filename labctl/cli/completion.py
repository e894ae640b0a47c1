"""labctl completion: print a completion script for a shell."""

from typing import Annotated, Literal

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from labctl.cli.shell_completion import PROGRAM, VARIABLE


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print a script that lets a shell complete verbs, options, nodes and labs.

    \b
      bash:  labctl completion bash >> ~/.bashrc
      zsh:   labctl completion zsh > a file `_labctl` in a directory of $fpath, before compinit
      fish:  labctl completion fish > ~/.config/fish/completions/labctl.fish
    """
    typer.echo(get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell))
