"""labctl schema: print the JSON schema of lab.yaml."""

import typer

from labctl.lab import schema as labfile


def schema() -> None:
    """Print the JSON schema of lab.yaml."""
    typer.echo(labfile.schema(), nl=False)
