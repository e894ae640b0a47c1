"""labctl setup: create what the nodes need."""

from typing import Annotated

import typer

from labctl.cli.common import kind_of, load, logged, planned
from labctl.lifecycle import up


def setup(
    context: typer.Context,
    nodes_only: Annotated[
        bool, typer.Option("--nodes-only", help="Only network, images and keys, no packages. `vagrant up` calls this.")
    ] = False,
) -> None:
    """Create what the nodes need: packages on this host, a network, node images, secrets and keys.

    `labctl up` does this too. Use it to prepare for `vagrant up` by hand:

    \b
      labctl setup
      vagrant up
      ansible-playbook -i hosts.ini site.yaml
    """
    lab = load(context)
    with planned(lab, "setup"), logged(lab, "setup", kind_of(lab, due=True)) as lab:
        up.setup(lab, packages=not nodes_only)
