"""The program's own options, and its verbs: a module for each, which is imported when the verb is used."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from labctl.cli import shell_completion
from labctl.errors import BadInput

HELP = """A real multi-node OpenStack Nova lab on this machine.

A lab is a directory. It may have a lab.yaml that describes the lab; without one it is a controller and two compute
nodes. Every verb can be repeated at any time and continues from the current state.

\b
Examples:
  labctl up                        everything: packages, nodes, OpenStack, verification
  labctl status --watch            nodes, services, servers, and what is degraded since when
  labctl logs --since 10m          what all services have logged, in chronological order
  labctl ssh controller            a shell on a node
  labctl verify                    is the lab complete and healthy? if not, what is wrong and where
  labctl doctor                    what is wrong with this machine or the lab, and how to fix it
  labctl demo                      an instance on each compute, and a test that they reach each other
  labctl console demo-compute1     the screen of an instance, in a browser
  labctl halt; labctl up           off and on again
  labctl destroy                   remove the lab, keep the images
  labctl -C ~/zed up               a lab in another directory
  labctl init                      a commented lab.yaml to edit
  labctl list                      every lab on this machine
  labctl --lab zed status          a lab by its name, from any directory

Exit status: 0 for success, 1 for a failure, 2 when the request was refused and nothing was changed.
"""

# In the order of --help, each with the first sentence of its help. A verb's module is named after it.
VERBS = {
    "setup": "Create what the nodes need: packages on this host, a network, node images, secrets and keys.",
    "up": "Bring the lab up: from nothing, from an unfinished lab, after `labctl halt` or an edit of lab.yaml.",
    "plan": "Say what `labctl up` would create, start, change and remove after an edit of lab.yaml.",
    "verify": "Check the running lab: units, services, cells, hosts, placement, the console.",
    "halt": "Shut the nodes down cleanly.",
    "destroy": "Remove the lab: nodes, network, inventory, secrets, snapshots.",
    "init": "Write a commented lab.yaml, with a name and a network that are free on this machine.",
    "eject": "Write playbooks, Vagrantfile and settings out, to continue by hand with Vagrant and Ansible.",
    "completion": "Print a script that lets a shell complete verbs, options, nodes and labs.",
    "list": "List every lab of this user and machine, wherever its directory is.",
    "logs": "Show the journals and log files of all nodes, or of one node or service, in order of time.",
    "support-bundle": "Collect configuration, logs and states of all nodes in one archive, every secret redacted.",
    "status": "Show nodes, services, cells, servers, versions and usage, and what is degraded since when.",
    "ssh": "Log in to a node, or run a command on it.",
    "describe": "Show the description of the lab, with every default filled in.",
    "schema": "Print the JSON schema of lab.yaml.",
    "inventory": "Write hosts.ini from hosts.ini.j2 and `vagrant ssh-config`.",
    "image": "The images that nodes in containers start from.",
    "demo": "Boot an instance on each compute, in the project demo, and show that they reach each other.",
    "console": "Show the screen of a server in a browser, or the output of its serial console.",
    "explain": "Say why a server does not come up: which resource, filter, compute or image; quotes the logs.",
    "snapshot": "Save the state of all nodes, and restore it.",
    "export-lab": "Write the lab to a file; `labctl up --from FILE` builds it on another machine, without a network.",
    "pause": "Freeze all nodes at the same moment.",
    "resume": "Let the nodes run again after `labctl pause`.",
    "doctor": "Find out what is wrong with this machine or the lab, each with evidence and a remedy.",
}


class Verbs(TyperGroup):
    """The verbs. Listing and completing them imports none of their modules, so --help is fast."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 (click's signature)
        """The names of all verbs."""
        return list(VERBS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | None:  # noqa: ARG002
        """A verb as it is listed."""
        return TyperCommand(cmd_name, help=VERBS[cmd_name]) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 (click's)
        """The verb itself, to run it or to complete what follows it."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load_verb(name) if name and listed else listed, rest


def load_verb(name: str) -> Any:  # noqa: ANN401 (typer keeps the types of click to itself)
    """Import one of VERBS, as a command of click's.

    Its module has a function with the verb's name, or a Typer named `verb` if it needs settings or has verbs itself.
    """
    word = name.replace("-", "_")
    module = import_module(f"labctl.cli.{word}")
    verb = getattr(module, "verb", None)
    if verb is None:
        verb = typer.Typer(rich_markup_mode=None)
        verb.command()(getattr(module, word))
    command = typer.main.get_command(verb)
    command.name = name
    return command


app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=HELP,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"novalab {version('novalab')}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    directory: Annotated[
        Path | None,
        typer.Option("-C", "--directory", help="The lab's directory; by default LABCTL_DIR, or the current one."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--lab",
            help="A lab by its name instead, wherever its directory is; see `labctl list`.",
            autocompletion=shell_completion.labs,
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 (its callback acts)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The options before the verb."""
    if name is not None and directory is not None:
        raise BadInput("Both -C and --lab say which lab", "Leave out one of the two.")
    context.obj = (directory, name)  # see labctl.cli.common.lab_paths
