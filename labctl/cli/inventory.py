"""labctl inventory: write hosts.ini."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from labctl.ansible import inventory as ansible_inventory
from labctl.cli.common import load
from labctl.errors import BadInput
from labctl.remote import access


def inventory(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Option("--from", help="A JSON file with host, port, user and key by node, - for standard input."),
    ] = None,
) -> None:
    """Write hosts.ini from hosts.ini.j2 and `vagrant ssh-config`. `vagrant up` does this by itself."""
    lab = load(context)
    if source is None:
        hosts = lab.provider.ssh_hosts()
    else:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        try:
            hosts = access.from_json(text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"{source}: expected JSON with host, port, user and key by node, found {error!r}") from error
    lab.paths.make_state()
    ansible_inventory.write(lab.lab, lab.paths, hosts)
