"""labctl ssh: log in to a node."""

import os
import shlex
import sys
from typing import Annotated

import typer

from labctl.cli import shell_completion
from labctl.cli.common import load
from labctl.errors import LabError
from labctl.lifecycle.verify import ssh_hosts

verb = typer.Typer(rich_markup_mode=None)


@verb.command(context_settings={"allow_interspersed_args": False})
def ssh(
    context: typer.Context,
    node: Annotated[
        str, typer.Argument(help="controller, compute1, compute2, ...", autocompletion=shell_completion.nodes)
    ],
    command: Annotated[list[str] | None, typer.Argument(help="What to run there; by default a shell.")] = None,
) -> None:
    """Log in to a node, or run a command on it.

    \b
      labctl ssh controller
      labctl ssh compute1 -- systemctl status nova-compute
      labctl ssh controller -- 'source admin-openrc && openstack hypervisor list'
    """
    lab = load(context)
    lab.lab.node(node)
    host = ssh_hosts(lab, node).get(node)
    if host is None:
        raise LabError(f"{node} is not running", "Run `labctl up`.")
    # One word goes to the node's shell unchanged, so that it can have a pipe; several are one command with arguments.
    words = command or []
    words = words[1:] if words[:1] == ["--"] else words
    remote = words if len(words) == 1 else [shlex.join(words)] if words else []
    line = host.command(*(["-t"] if sys.stdin.isatty() and words else []))
    os.execvp(line[0], [*line, *remote])  # noqa: S606 (ssh takes the place of this process)
