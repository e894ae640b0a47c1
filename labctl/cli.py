"""The command line. Commands import what they need when they run, so that --help answers at once."""

import contextlib
import json
import os
import shlex
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from labctl.errors import BadInput, LabError
from labctl.paths import LabPaths, lab_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.description import Lab
    from labctl.operations import Outcome
    from labctl.progress import Progress

HELP = """A real multi-node OpenStack Nova lab on this machine.

A lab is a directory. It may hold a lab.yaml that says what the lab looks like; without one it is a controller and two
compute nodes. Every verb can be repeated at any time and goes on from where things are.

\b
Examples:
  labctl up                        everything: packages, nodes, OpenStack, verification
  labctl status                    the nodes, and what Nova says about its services
  labctl ssh controller            a shell on a node
  labctl verify                    is the lab whole? says what is wrong where
  labctl demo                      an instance on each compute, and proof that they reach each other
  labctl console demo-compute1     the screen of an instance, in a browser
  labctl halt; labctl up           off and on again
  labctl destroy                   remove the lab, keep the images
  labctl -C ~/zed up               a lab in another directory

Exit status: 0 when it worked, 1 when it did not, 2 when what was asked for cannot be and nothing was changed.
"""

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=HELP
)
image = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(image, name="image", help="The images that nodes in containers start from.")
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to standard error.")]


def main() -> None:
    """Run the command line; the process ends with its exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends as cleanly as Ctrl-C
    try:
        app(prog_name="labctl")
    except LabError as error:
        _complain(error)
        sys.exit(error.exit_status)


def _complain(error: LabError) -> None:
    sys.stderr.write(f"labctl: {error}\n")


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
    version: Annotated[  # noqa: ARG001 (its callback acts)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What all verbs have in common."""
    context.obj = LabPaths(lab_directory(directory))


@app.command()
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
    from labctl import operations

    paths, lab = _checked(context)
    with _working(paths, "setup") as progress:
        operations.setup(lab, paths, progress, packages=not nodes_only)


@app.command()
def up(context: typer.Context, as_json: Json = False) -> None:
    """Bring the lab up: from an empty machine, from a half-made lab, or after `labctl halt`.

    It ends with a verification and prints what Nova itself says. Repeated on a running lab it changes nothing.
    """
    paths, lab = _checked(context)

    from labctl import operations

    with _working(paths, "up", quiet_output=as_json) as progress:
        outcome = operations.up(lab, paths, progress)
        services = operations.service_list(paths, lab, options="-f json") if as_json else ""
    if as_json:
        typer.echo(json.dumps(_outcome(outcome, paths, lab, services), indent=2))
    else:
        typer.echo(_farewell(outcome, paths, lab))


@app.command()
def verify(context: typer.Context, as_json: Json = False) -> None:
    """Check the running lab: units, services, cells, hosts, placement, the console.

    Each check says what it compared. Exit status 1 when one fails, with what is broken and where.
    """
    paths, _ = _load(context)

    from labctl import operations

    verified = False
    try:
        with _working(paths, "verify", quiet_output=as_json) as progress:
            operations.verify(paths, progress)
        verified = True
    finally:
        if as_json:
            typer.echo(json.dumps({"verified": verified, "checks": operations.checks(paths)}, indent=2))
    if not as_json:
        typer.echo("The lab is whole.")


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Show the nodes, and what Nova says about its services."""
    paths, lab = _load(context)

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
    paths, lab = _load(context)

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
def demo(
    context: typer.Context,
    delete: Annotated[bool, typer.Option("--delete", help="Remove it, and look whether anything is left.")] = False,
    as_json: Json = False,
) -> None:
    """Boot an instance on each compute, in the project demo, and show that they reach each other.

    Repeated, it keeps what is there, starts what is shut off and replaces what is in status ERROR.
    """
    from labctl import instances

    paths, lab = _load(context)
    instances.preflight(lab, paths)
    with _working(paths, "demo", quiet_output=as_json) as progress:
        result = {"servers": []} if delete else instances.demo(paths, progress)
        if delete:
            instances.delete(paths, progress)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    elif delete:
        typer.echo("Nothing of the demonstration is left.")
    else:
        lines = [f"{action[:1].upper()}{action[1:]}" for action in result["actions"]]
        typer.echo("\n".join([*lines, instances.table(result["servers"]), "Each has reached all the others."]))


@app.command()
def console(
    context: typer.Context,
    server: Annotated[str, typer.Argument(help="Name or id of a server, of any project.")],
    no_open: Annotated[bool, typer.Option("--no-open", "--print", help="Print the URL only.")] = False,
    log: Annotated[bool, typer.Option("--log", help="Print what the guest has said on its serial console.")] = False,
    lines: Annotated[
        int | None, typer.Option("--lines", min=1, help="With --log, the last lines only.", metavar="N")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the screen of a server in a browser, or what it has said on its serial console.

    The URL is good for ten minutes, from this machine. Where there is no display, it is only printed.

    \b
      labctl console demo-compute1
      labctl console demo-compute1 --log --lines 20
    """
    from labctl import instances

    paths, lab = _load(context)
    if lines is not None and not log:
        raise BadInput("--lines is for --log", "Write: labctl console SERVER --log --lines N")
    instances.preflight(lab, paths)
    cloud = instances.Cloud(lab, paths)
    found = cloud.find(server)
    said = {"log": cloud.console_log(found, lines)} if log else {"url": cloud.console_url(found)}
    if as_json:
        typer.echo(json.dumps({"server": found.name, "id": found.id, **said}, indent=2))
    elif log:
        typer.echo(instances.printable(said["log"]).rstrip("\n"))
    else:
        typer.echo(said["url"])
        if not no_open:
            instances.open_browser(said["url"])


@app.command()
def explain(
    context: typer.Context,
    server: Annotated[str, typer.Argument(help="Name or id of a server, of any project.")],
    as_json: Json = False,
) -> None:
    """Say why a server does not come up: which resource, filter, compute or image, with the lines of the logs."""
    from labctl import instances

    paths, lab = _load(context)
    instances.preflight(lab, paths)
    found = instances.Cloud(lab, paths).find(server)
    with _working(paths, "explain", quiet_output=True) as progress:
        result = instances.explain(found, paths, progress)
    typer.echo(json.dumps(result, indent=2) if as_json else result["text"])


@app.command()
def halt(context: typer.Context) -> None:
    """Shut the nodes down cleanly. What is on them stays, and `labctl up` starts them again."""
    paths, lab = _load(context)

    from labctl import operations

    with _working(paths, "halt") as progress:
        operations.halt(lab, paths, progress)
    typer.echo("The nodes are off. `labctl up` starts them again.")


@app.command()
def destroy(context: typer.Context) -> None:
    """Remove the lab: nodes, network, inventory, secrets. Images and logs stay, and lab.yaml is never touched."""
    paths, lab = _load(context)

    from labctl import operations

    with _working(paths, "destroy") as progress:
        removed = operations.destroy(lab, paths, progress)
    typer.echo("The lab is gone." if removed else "There was nothing to remove.")


@app.command()
def describe(context: typer.Context, as_json: Json = False) -> None:
    """Show the lab as it is described, with every choice made. No secret is in it."""
    paths, lab = _load(context)

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
def inventory(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Option("--from", help="A JSON file with host, port, user and key by node, - for standard input."),
    ] = None,
) -> None:
    """Write hosts.ini from hosts.ini.j2 and `vagrant ssh-config`. `vagrant up` does this by itself."""
    from labctl import inventory as inventory_file
    from labctl import operations
    from labctl.vagrant import Machines

    paths, lab = _load(context)
    if source is None:
        engine = operations.engine_of(lab, paths)
        hosts = Machines(lab, paths, engine.environment if engine else {}, lambda _: None).ssh_hosts()
    else:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        try:
            hosts = inventory_file.from_json(text)
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
    from labctl import labfile, operations

    paths, lab = _load(context)
    if release is not None:
        lab = lab.model_copy(update={"release": labfile.release(release)})
    with _working(paths, "image", quiet_output=True) as progress:
        name = operations.image(lab, kind, paths, progress)
    typer.echo(name)


@app.command()
def schema() -> None:
    """Print the JSON schema of lab.yaml."""
    from labctl import labfile

    typer.echo(labfile.schema(), nl=False)


def _load(context: typer.Context) -> "tuple[LabPaths, Lab]":
    from labctl.description import load

    paths: LabPaths = context.obj
    return paths, load(paths)


def _checked(context: typer.Context) -> "tuple[LabPaths, Lab]":
    """The lab, when nothing speaks against making it; raises BadInput before anything is touched."""
    paths, lab = _load(context)

    from labctl import operations

    operations.preflight(lab, paths)
    return paths, lab


@contextlib.contextmanager
def _working(paths: LabPaths, verb: str, *, quiet_output: bool = False) -> "Iterator[Progress]":
    """Lock, log and progress of a verb that changes something; what goes wrong ends with the name of the log."""
    from labctl import leftovers, lock, operations
    from labctl.progress import Progress

    output: contextlib.AbstractContextManager[Any] = (
        contextlib.redirect_stdout(sys.stderr) if quiet_output else contextlib.nullcontext()
    )
    with lock.held(paths, verb):
        log = operations.log_path(paths, verb)
        try:
            with output, Progress(log) as progress:
                if ended := leftovers.end(paths):
                    progress.write(f"ended {ended} processes of a run that was killed")
                yield progress
        except KeyboardInterrupt:
            sys.stderr.write(f"\nlabctl: interrupted. `labctl {verb}` goes on from here.\nLog: {log}\n")
            raise typer.Exit(130) from None
        except LabError as error:
            _complain(error)
            sys.stderr.write(f"Log: {log}\n")
            raise typer.Exit(error.exit_status) from None


def _outcome(outcome: "Outcome", paths: LabPaths, lab: "Lab", services: str) -> dict[str, Any]:
    return {
        "lab": lab.name,
        "directory": str(paths.directory),
        "seconds": round(outcome.seconds, 1),
        "ansible": asdict(outcome.results),
        "services": json.loads(services),
    }


def _farewell(outcome: "Outcome", paths: LabPaths, lab: "Lab") -> str:
    """What the cloud says, and how to go on."""
    where = "" if paths.directory == Path.cwd() else f" -C {shlex.quote(str(paths.directory))}"
    lines = [
        outcome.services,
        f"Lab {lab.name} is up after {outcome.seconds:.0f} s: OpenStack {lab.release} on {len(lab.nodes)} nodes.",
        "",
        f"On the controller:  labctl{where} ssh controller, then: source admin-openrc",
    ]
    if paths.clouds_yaml.is_file():
        clouds = shlex.quote(str(paths.clouds_yaml))
        lines.append(f"From this host:     export OS_CLIENT_CONFIG_FILE={clouds}, then a cloud of: {_clouds(paths)}")
    if lab.dashboard_url:
        lines.append(f"In a browser:       {lab.dashboard_url} as admin or demo; passwords are in {paths.secrets}")
    lines.append(f"Check, stop, remove: labctl{where} verify | halt | destroy")
    return "\n".join(lines)


def _clouds(paths: LabPaths) -> str:
    """The clouds in clouds.yaml with their addresses."""
    from labctl.yamlfile import read

    data = read(paths.clouds_yaml).data
    clouds = data.get("clouds", {}) if isinstance(data, dict) else {}
    return ", ".join(f"{name} ({cloud.get('auth', {}).get('auth_url', '')})" for name, cloud in clouds.items())
