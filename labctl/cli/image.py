"""labctl image: the images that nodes in containers start from."""

from typing import Annotated, Literal

import typer

from labctl.cli.common import load, working
from labctl.lab import schema
from labctl.lifecycle import up
from labctl.lifecycle.context import LabContext

verb = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@verb.callback()
def image() -> None:
    """The images that nodes in containers start from."""


@verb.command()
def ensure(
    context: typer.Context,
    kind: Annotated[
        Literal["node", "controller", "compute"],
        typer.Option(help="A bare node, or one with the packages of a controller or compute."),
    ] = "node",
    release: Annotated[str | None, typer.Option(help="The OpenStack release; by default that of the lab.")] = None,
) -> None:
    """Build an image unless it exists, and print its name. Progress goes to standard error.

    \b
      labctl image ensure --kind controller --release zed
    """
    lab = load(context)
    if release is not None:
        lab = LabContext.of(lab.lab.model_copy(update={"release": schema.release(release)}), lab.paths)
    with working(lab, "image", quiet_output=True) as lab:
        name = up.make_image(lab, kind)
    typer.echo(name)
