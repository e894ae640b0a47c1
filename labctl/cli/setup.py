"""labctl setup: make what the nodes need."""

from typing import Annotated

import typer

from labctl.cli.common import checked, working
from labctl.lifecycle import operations

verb = typer.Typer(rich_markup_mode=None)


@verb.command()
def setup(
    context: typer.Context,
    nodes_only: Annotated[
        bool, typer.Option("--nodes-only", help="Only network, images and keys, no packages. `vagrant up` calls this.")
    ] = False,
) -> None:
    """Make what the nodes need: packages on this host, a network, node images, secrets and keys.

    `labctl up` does this too. By itself it prepares for `vagrant up` by hand:

    \b
      labctl setup
      vagrant up
      ansible-playbook -i hosts.ini site.yaml
    """
    paths, lab = checked(context)
    with working(paths, "setup", lab=lab) as progress:
        operations.setup(lab, paths, progress, packages=not nodes_only)
