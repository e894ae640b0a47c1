"""Bring the difference between lab.yaml and the lab that is there about: what it is, and how nodes leave."""

from collections.abc import Mapping

from labctl import compare, containers, inventory, labsecrets, leaving, made, nodes, playbook, vagrant, whole
from labctl.description import Lab, Node
from labctl.engine import Engine
from labctl.errors import LabError
from labctl.inventory import SshHost
from labctl.paths import LabPaths
from labctl.plan import Plan
from labctl.playbook import PlaybookResult
from labctl.progress import Progress
from labctl.vagrant import Machines


def plan(lab: Lab, paths: LabPaths, engine: Engine | None, *, evict: bool = False, remove: bool = True) -> Plan:
    """What `labctl up` would do. Nothing is changed.

    Nova is asked for the servers on nodes that leave, unless remove says that none may.
    """
    present = _states(lab, paths, engine)
    going = leaving.find(lab, {*made.nodes(paths), *present})
    servers: dict[str, tuple[str, ...]] = {}
    unknown = ""
    cloud = paths.clouds_yaml.is_file()  # written when Neutron and Nova answer
    if going and remove and cloud:
        try:
            servers = leaving.servers(lab, paths, going)
        except LabError as error:
            unknown = error.message
    found = compare.Present(
        nodes=present,
        made=made.read(paths),
        software=made.read_software(paths),
        passwords=_passwords(paths),
        engine=engine.kind if engine else None,
        servers=servers,
        cloud=cloud,
        unknown=unknown,
    )
    return compare.compare(lab, found, tuple(node.name for node in going), evict=evict, remove=remove)


def settle(
    lab: Lab, paths: LabPaths, progress: Progress, due: Plan, engine: Engine | None, hosts: Mapping[str, SshHost]
) -> None:
    """Have the nodes leave that the plan says, from the cloud and then for good; hosts are those that stay.

    Can be repeated from any point: the record of the nodes has those that leave until all is done.
    """
    if due.returning:
        leaving.stay(due.returning, paths, progress)
    going = leaving.find(lab, due.leaving)
    if not going and not due.returning:
        return
    if going:
        _remove(lab, going, paths, progress, due, engine, hosts)
    made.remember(paths, lab, engine.kind if engine else None)


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
        environment={whole.VARIABLE: token},
        asks=True,
    )


def software(paths: LabPaths, progress: Progress, due: Plan, token: str) -> PlaybookResult:
    """Run site.yaml, or what of it concerns computes that come or go when nothing else is due; then all is verified.

    A whole run notes on the nodes how it has left them, with the token.
    """
    if not due.local:
        title, skip, environment = "Software and verification", None, {whole.VARIABLE: token}
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
    known = inventory.of_containers(lab.with_nodes(going), paths) if engine else inventory.known(paths)
    alive = {name: host for name, host in known.items() if states.get(name) in ("running", "known")}
    leaving.leave(lab, going, {**alive, **hosts}, paths, progress, evict=due.evict)
    with progress.step("Nodes that leave") as step:
        machines = Machines(lab, paths, engine.environment if engine else {}, step.detail)
        for node in going:
            nodes.remove_one(lab, node, paths, machines, engine)
            step.note(f"{node.name} removed")
        inventory.write(lab, paths, hosts)


def _states(lab: Lab, paths: LabPaths, engine: Engine | None) -> dict[str, str]:
    """The engine's word for the state of each node of this lab, described or not; `known` for virtual machines."""
    if engine is not None:
        mine = containers.find(engine, prefix=lab.container_prefix, paths=paths)
        prefix = f"{lab.container_prefix}-"
        return {c.name.removeprefix(prefix): c.state for c in mine if c.directory == str(paths.directory)}
    names = {*made.nodes(paths), *(node.name for node in lab.nodes)}
    return {name: "known" for name in names if vagrant.machine_id(paths, name, lab.provider) is not None}


def _passwords(paths: LabPaths) -> dict[str, str]:
    """The passwords in force; none when the file is not readable, which the next step says."""
    try:
        return labsecrets.read(paths.secrets)
    except LabError:
        return {}
