"""The verbs that look at the lab."""

import json
import os
import shlex
import sys
from typing import Annotated

import typer

from labctl.commands.app import Json, app, load
from labctl.errors import LabError


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Show the nodes, and what Nova says about its services."""
    paths, lab = load(context)

    from labctl import operations

    states = operations.states(lab, paths)
    services, problem = "", None
    if states.get(lab.controller.name) == "running":
        try:
            services = operations.service_list(paths, lab, options="-f json" if as_json else "")
        except LabError as error:
            problem = error.message
    if as_json:
        rows = [{**node.model_dump(mode="json"), "state": states.get(node.name, "unknown")} for node in lab.nodes]
        document = {
            "lab": lab.name,
            "directory": str(paths.directory),
            "release": lab.release.value,
            "provider": lab.provider,
            "nodes": rows,
            "services": json.loads(services) if services else None,
            "problem": problem,
        }
        typer.echo(json.dumps(document, indent=2))
        return
    typer.echo(f"Lab {lab.name} in {paths.directory}: OpenStack {lab.release}, provider {lab.provider}")
    for node in lab.nodes:
        typer.echo(f"  {node.name:<12} {node.address!s:<15} {states.get(node.name, 'unknown').replace('_', ' ')}")
    if services:
        typer.echo(services)
    elif problem:
        typer.echo(f"Nova says nothing: {problem}")


@app.command(context_settings={"allow_interspersed_args": False})
def ssh(
    context: typer.Context,
    node: Annotated[str, typer.Argument(help="controller, compute1, compute2, ...")],
    command: Annotated[list[str] | None, typer.Argument(help="What to run there; without it, a shell.")] = None,
) -> None:
    """Log in to a node, or run a command on it.

    \b
      labctl ssh controller
      labctl ssh compute1 -- systemctl status nova-compute
      labctl ssh controller -- 'source admin-openrc && openstack hypervisor list'
    """
    paths, lab = load(context)

    from labctl import operations

    lab.node(node)
    host = operations.ssh_hosts(lab, paths).get(node)
    if host is None:
        raise LabError(f"{node} is not running", "Run `labctl up`.")
    # One word goes to the node's shell as it is, so that it can hold a pipe; several are one command with arguments.
    words = command or []
    words = words[1:] if words[:1] == ["--"] else words
    remote = words if len(words) == 1 else [shlex.join(words)] if words else []
    line = host.command(*(["-t"] if sys.stdin.isatty() and words else []))
    os.execvp(line[0], [*line, *remote])  # noqa: S606 (ssh takes the place of this process)


@app.command()
def describe(context: typer.Context, as_json: Json = False) -> None:
    """Show the lab as it is described, with every choice made. No secret is in it."""
    paths, lab = load(context)

    from labctl import operations

    description = operations.describe(lab, paths)
    if as_json:
        typer.echo(json.dumps(description, indent=2))
        return
    for key in (
        "name",
        "directory",
        "release",
        "provider",
        "engine",
        "network",
        "networking",
        "guest_network",
        "dashboard_url",
        "virt_type",
        "box",
    ):
        if description[key] is not None:
            typer.echo(f"{key + ':':<14} {description[key]}")
    size = "" if lab.provider == "docker" else "{cpus} processors, {memory} MiB"
    for node in description["nodes"]:
        typer.echo(f"  {node['name']:<12} {node['address']:<15} {size.format(**node)}".rstrip())


@app.command()
def schema() -> None:
    """Print the JSON schema of lab.yaml."""
    from labctl import labfile

    typer.echo(labfile.schema(), nl=False)
