"""The verbs for parts of the lab, which `vagrant up` by hand and the tests of roles need."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from labctl.cli.app import app, load, working
from labctl.errors import BadInput
from labctl.remote import access

image = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(image, name="image", help="The images that nodes in containers start from.")


@app.command()
def inventory(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Option("--from", help="A JSON file with host, port, user and key by node, - for standard input."),
    ] = None,
) -> None:
    """Write hosts.ini from hosts.ini.j2 and `vagrant ssh-config`. `vagrant up` does this by itself."""
    from labctl.ansible import inventory as inventory_file
    from labctl.lifecycle import operations
    from labctl.providers.vagrant import Machines

    paths, lab = load(context)
    if source is None:
        engine = operations.engine_of(lab, paths)
        hosts = Machines(lab, paths, engine.environment if engine else {}, lambda _: None).ssh_hosts()
    else:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        try:
            hosts = access.from_json(text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"{source}: expected JSON with host, port, user and key by node, found {error!r}") from error
    paths.make_state()
    inventory_file.write(lab, paths, hosts)


@image.command("ensure")
def image_ensure(
    context: typer.Context,
    kind: Annotated[
        Literal["node", "controller", "compute"],
        typer.Option(help="A bare node, or one with the packages of a controller or compute."),
    ] = "node",
    release: Annotated[str | None, typer.Option(help="The OpenStack release; by default that of the lab.")] = None,
) -> None:
    """Make an image unless it is there, and print its name. Progress goes to standard error.

    \b
      labctl image ensure --kind controller --release zed
    """
    from labctl.lab import schema
    from labctl.lifecycle import operations

    paths, lab = load(context)
    if release is not None:
        lab = lab.model_copy(update={"release": schema.release(release)})
    with working(paths, "image", quiet_output=True) as progress:
        name = operations.image(lab, kind, paths, progress)
    typer.echo(name)
