"""labctl completion: print what makes a shell complete."""

from typing import Annotated, Literal

import typer

from labctl.cli import shell_completion

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print what makes a shell complete verbs, options, nodes and labs.

    \b
      bash:  labctl completion bash >> ~/.bashrc
      zsh:   labctl completion zsh > a file `_labctl` in a directory of $fpath, before compinit
      fish:  labctl completion fish > ~/.config/fish/completions/labctl.fish
    """
    typer.echo(shell_completion.script(shell))
