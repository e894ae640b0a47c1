"""Bring the difference between lab.yaml and the lab that is there about: what it is, and how nodes leave."""

from collections.abc import Mapping

from labctl.ansible import inventory, playbook
from labctl.ansible.playbook import PlaybookResult
from labctl.errors import LabError
from labctl.lab import fingerprint, records, secrets
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.lifecycle import diff, scale_down
from labctl.lifecycle.plan import Plan
from labctl.providers import container_nodes, containers, vagrant
from labctl.providers.engine import Engine
from labctl.providers.vagrant import Machines
from labctl.remote import access
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress


def plan(lab: Lab, paths: LabPaths, engine: Engine | None, *, evict: bool = False, remove: bool = True) -> Plan:
    """What `labctl up` would do. Nothing is changed.

    Nova is asked for the servers on nodes that leave, unless remove says that none may.
    """
    present = _states(lab, paths, engine)
    going = scale_down.find(lab, {*records.nodes(paths), *present})
    servers: dict[str, tuple[str, ...]] = {}
    unknown = ""
    cloud = paths.clouds_yaml.is_file()  # written when Neutron and Nova answer
    if going and remove and cloud:
        try:
            servers = scale_down.servers(lab, paths, going)
        except LabError as error:
            unknown = error.message
    found = diff.Present(
        nodes=present,
        made=records.read(paths),
        software=records.read_software(paths),
        passwords=_passwords(paths),
        engine=engine.kind if engine else None,
        servers=servers,
        cloud=cloud,
        unknown=unknown,
    )
    return diff.compare(lab, found, tuple(node.name for node in going), evict=evict, remove=remove)


def settle(
    lab: Lab, paths: LabPaths, progress: Progress, due: Plan, engine: Engine | None, hosts: Mapping[str, SshHost]
) -> None:
    """Have the nodes leave that the plan says, from the cloud and then for good; hosts are those that stay.

    Can be repeated from any point: the record of the nodes has those that leave until all is done.
    """
    if due.returning:
        scale_down.stay(due.returning, paths, progress)
    going = scale_down.find(lab, due.leaving)
    if not going and not due.returning:
        return
    if going:
        _remove(lab, going, paths, progress, due, engine, hosts)
    records.remember(paths, lab, engine.kind if engine else None)


def unchanged(paths: LabPaths, progress: Progress, token: str) -> PlaybookResult:
    """Compare the nodes with what the whole run of a token has left, and verify the lab.

    Raises PlaybookFailed with all that differs, or with what the verification has found.
    """
    return playbook.run(
        "playbooks/unchanged.yaml",
        paths=paths,
        inventory=paths.hosts_ini,
        progress=progress,
        title="Comparison and verification",
        environment={fingerprint.VARIABLE: token},
        asks=True,
    )


def software(paths: LabPaths, progress: Progress, due: Plan, token: str) -> PlaybookResult:
    """Run site.yaml, or what of it concerns computes that come or go when nothing else is due; then all is verified.

    A whole run notes on the nodes how it has left them, with the token.
    """
    if not due.local:
        title, skip, environment = "Software and verification", None, {fingerprint.VARIABLE: token}
    else:
        title = "Computes and verification"
        skip = "controller,network" if due.new else "controller,computes,network"
        environment = {"LABCTL_COMPUTES": ":".join(due.new)}
    return playbook.run(
        "site.yaml",
        paths=paths,
        inventory=paths.hosts_ini,
        progress=progress,
        title=title,
        skip=skip,
        environment=environment,
    )


def _remove(
    lab: Lab,
    going: tuple[Node, ...],
    paths: LabPaths,
    progress: Progress,
    due: Plan,
    engine: Engine | None,
    hosts: Mapping[str, SshHost],
) -> None:
    states = _states(lab, paths, engine)
    known = access.of_containers(lab.with_nodes(going), paths) if engine else access.known(paths)
    alive = {name: host for name, host in known.items() if states.get(name) in ("running", "known")}
    scale_down.leave(lab, going, {**alive, **hosts}, paths, progress, evict=due.evict)
    with progress.step("Nodes that leave") as step:
        machines = Machines(lab, paths, engine.environment if engine else {}, step.detail)
        for node in going:
            container_nodes.remove_one(lab, node, paths, machines, engine)
            step.note(f"{node.name} removed")
        inventory.write(lab, paths, hosts)


def _states(lab: Lab, paths: LabPaths, engine: Engine | None) -> dict[str, str]:
    """The engine's word for the state of each node of this lab, described or not; `known` for virtual machines."""
    if engine is not None:
        mine = containers.find(engine, prefix=lab.container_prefix, paths=paths)
        prefix = f"{lab.container_prefix}-"
        return {c.name.removeprefix(prefix): c.state for c in mine if c.directory == str(paths.directory)}
    names = {*records.nodes(paths), *(node.name for node in lab.nodes)}
    return {name: "known" for name in names if vagrant.machine_id(paths, name, lab.provider) is not None}


def _passwords(paths: LabPaths) -> dict[str, str]:
    """The passwords in force; none when the file is not readable, which the next step says."""
    try:
        return secrets.read(paths.secrets)
    except LabError:
        return {}
