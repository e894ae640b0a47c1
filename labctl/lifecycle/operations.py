"""What the verbs of labctl do, each as a sequence of steps that can be repeated from any point."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labctl.ansible import inventory, playbook
from labctl.errors import BadInput, LabError
from labctl.lab import fingerprint, image_files, records, registry, secrets, snapshot_store, ssh_key
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.lifecycle import conflicts as network
from labctl.lifecycle import neighbours, reconcile
from labctl.lifecycle import scale_down as leaving
from labctl.lifecycle.plan import Plan
from labctl.providers import container_nodes, containers, host_packages, image_overrides, node_images, snapshot_images
from labctl.providers.engine import Engine, find
from labctl.providers.vagrant import Machines, watched
from labctl.remote import access, ssh
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress

SERVICE_LIST = "source admin-openrc && openstack compute service list"


@dataclass(frozen=True)
class Outcome:
    """What `labctl up` achieved: per node Ansible's counts, and what the controller says about its services.

    unchanged says that site.yaml did not run, because all is as its last whole run has left it; differences what was
    not so, as `NODE: WHAT`, where it did run.
    """

    results: playbook.PlaybookResult
    services: str
    seconds: float
    unchanged: bool = False
    differences: tuple[str, ...] = ()


def log_path(paths: LabPaths, verb: str) -> Path:
    """The log of a run that starts now."""
    return paths.logs / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{verb.replace(' ', '-')}.log"


def preflight(lab: Lab, paths: LabPaths, *, evict: bool = False, remove: bool = False) -> Plan:
    """What has to be done, or is refused. Raises BadInput for what else cannot be.

    Nothing is changed, not even in the lab's directory. Nodes may leave only with remove.
    """
    image_files.check(lab.images, paths)
    with _engine_if_any(lab) as engine:
        plan = reconcile.plan(lab, paths, engine, evict=evict, remove=remove)
        if plan.refusals:
            return plan
        network.check(lab, paths, **neighbours.around(lab, paths, [engine] if engine else []))
    return plan


@contextlib.contextmanager
def _engine_if_any(lab: Lab, *, needed: bool = False) -> Iterator[Engine | None]:
    """The engine, without leaving a trace in the lab's directory; None when none works yet, or none is needed.

    When it is needed and none works, a LabError says why.
    """
    if lab.provider != "docker" and not needed:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="labctl-") as directory:
        try:
            engine = find(lab.engine, LabPaths(Path(directory)))
        except LabError:
            if needed:
                raise
            engine = None
        yield engine


def engine_of(lab: Lab, paths: LabPaths) -> Engine | None:
    """The engine for the lab's containers, None for virtual machines. Raises LabError when none works."""
    if lab.provider != "docker":
        return None
    paths.make_state()
    return find(lab.engine, paths)


@dataclass(frozen=True)
class Ground:
    """What the nodes stand on: the engine, None for virtual machines, and the names of the nodes that do not run yet.

    Of virtual machines Vagrant knows which run; all are named.
    """

    engine: Engine | None
    idle: tuple[str, ...]


def setup(
    lab: Lab, paths: LabPaths, progress: Progress, *, packages: bool = True, leaving: Iterable[str] = ()
) -> Ground:
    """Make everything that the nodes need: host packages, network, images, secrets and keys. What is there stays.

    leaving has nodes that are there and that the lab does not describe.
    """
    if packages:
        host_packages.ensure(lab, progress)
    engine = engine_of(lab, paths)
    registry.remember(paths, lab)
    records.remember(paths, lab, engine.kind if engine else None, leaving=leaving)
    with progress.step("Secrets and keys") as step:
        if secrets.ensure(paths, lab.secrets):
            records.forget_software(paths)
            step.note("written")
        else:
            step.note("as they were")
        if engine is not None:
            ssh_key.ensure(paths)
    if engine is None:
        return Ground(None, tuple(node.name for node in lab.nodes))
    with progress.step("Network") as step:
        step.note(f"{lab.network_name} {lab.network}")
        engine.ensure_network(lab.network_name, lab.network, labels=containers.marks(paths))
    idle = container_nodes.recover(lab, paths, engine, progress.write, inside=not packages)
    if idle:
        present = {container.name for container in containers.find(engine, prefix=lab.container_prefix, paths=paths)}
        given = image_overrides.own(lab, paths, engine)
        if not present.issuperset(lab.container(node) for node in lab.nodes if node.name not in given):
            node_images.ensure(lab, engine, paths, progress, network=lab.network_name)
    return Ground(engine, tuple(idle))


def image(lab: Lab, kind: node_images.Kind, paths: LabPaths, progress: Progress) -> str:
    """Make an image of the lab's release unless it is there, and return its name. No network or node is touched."""
    host_packages.ensure(lab, progress)
    engine = engine_of(lab, paths)
    if engine is None:
        raise BadInput(f"Nodes of the provider {lab.provider} start from a box, not from an image")
    secrets.ensure(paths, lab.secrets)  # the roles' arguments are checked, see images
    return node_images.ensure_kind(lab, kind, engine, paths, progress)


def up(lab: Lab, paths: LabPaths, progress: Progress, plan: Plan, *, all_of_it: bool = False) -> Outcome:
    """Everything, from an empty machine to a verified lab. Raises LabError at the first step that fails.

    plan is that of preflight, nothing of it refused. Where nothing is due and all is as the last whole run of site.yaml
    has left it, site.yaml does not run, unless all_of_it says so.
    """
    start = time.monotonic()
    ground = setup(lab, paths, progress, leaving=(*plan.leaving, *plan.returning))
    if plan.due or all_of_it:
        _begin(paths)
    with progress.step("Nodes") as step:
        if ground.idle:
            machines = Machines(lab, paths, ground.engine.environment if ground.engine else {}, watched(step))
            machines.up(ground.idle)
        else:
            step.note("all nodes run")
        hosts = access.of_containers(lab, paths) if ground.engine else machines.ssh_hosts()
        if not plan.leaving:
            inventory.write(lab, paths, hosts)
        ssh.wait_for_ssh(hosts)
    differences: tuple[str, ...] = ()
    if (token := fingerprint.token(lab, paths)) is not None:
        try:
            results = reconcile.unchanged(paths, progress, token)
        except playbook.PlaybookFailed as failed:
            differences = _differences(failed, progress)
        else:
            return Outcome(results, service_list(paths, lab), time.monotonic() - start, unchanged=True)
    _begin(paths)
    reconcile.settle(lab, paths, progress, plan, ground.engine, hosts)
    # Before it begins: what is edited meanwhile may be in it or not.
    depends, token = fingerprint.fingerprint(lab, paths), fingerprint.new_token()
    results = reconcile.software(paths, progress, plan, token)
    records.remember_software(paths, lab)
    if not plan.local:
        fingerprint.remember(paths, depends, token)
    return Outcome(results, service_list(paths, lab), time.monotonic() - start, differences=differences)


def _begin(paths: LabPaths) -> None:
    """Work on the software begins: until it has come to its end, nobody may take it for whole."""
    records.forget_software(paths)
    fingerprint.forget(paths)


def _differences(failed: playbook.PlaybookFailed, progress: Progress) -> tuple[str, ...]:
    """What the comparison or the verification has found, a line each, told to everybody."""
    lines = [f"{failure.node}: {line}" for failure in failed.failures for line in failure.message.splitlines()]
    lines = lines or failed.message.splitlines()
    progress.say("Something is not as the last whole run left it, so all of site.yaml runs:")
    for line in lines:
        progress.say(f"  {line}")
    return tuple(lines)


def verify(paths: LabPaths, progress: Progress) -> playbook.PlaybookResult:
    """Check the running lab. Raises PlaybookFailed with the check that failed."""
    if not paths.hosts_ini.is_file():
        raise LabError(f"There is no lab in {paths.directory} yet: {paths.hosts_ini} is missing", "Run `labctl up`.")
    paths.checks.unlink(missing_ok=True)
    return playbook.run(
        "playbooks/verify.yaml", paths=paths, inventory=paths.hosts_ini, progress=progress, title="Verification"
    )


def checks(paths: LabPaths) -> list[dict[str, Any]]:
    """What the last verification compared, as playbooks/verify.yaml left it; empty when it did not get so far."""
    try:
        data = json.loads(paths.checks.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return data if isinstance(data, list) else []


def halt(lab: Lab, paths: LabPaths, progress: Progress) -> None:
    """Shut the nodes down; what is on them stays."""
    engine = engine_of(lab, paths)
    with progress.step("Halt") as step:
        machines = Machines(lab, paths, engine.environment if engine else {}, step.detail)
        if engine is not None:
            container_nodes.recover(lab, paths, engine, step.note)
        machines.halt()
        paths.ssh_hosts.unlink(missing_ok=True)


def destroy(lab: Lab, paths: LabPaths, progress: Progress, *, keep_snapshots: bool = False) -> list[str]:
    """Remove nodes, network, inventory, secrets and state, whichever of them are there. Logs and images stay.

    Snapshots of containers can stay; those of virtual machines go with them. Returns what was removed. Containers and
    network are known by their labels, whatever lab.yaml says now; virtual machines only by what it says.
    Raises LabError when what was made cannot be reached, and then forgets nothing.
    """
    removed: list[str] = []
    before = records.provider(paths)
    if before not in (None, "docker"):
        reconcile.plan(lab, paths, None).check(paths)
    with _engine_if_any(lab, needed=before == "docker") as engine:
        with progress.step("Nodes") as step:
            try:
                machines = Machines(lab, paths, engine.environment if engine else {}, step.detail)
            except LabError:
                machines = None  # without Vagrant there are no virtual machines of it either
            removed += container_nodes.remove(lab, paths, machines, engine, step.note)
        if not keep_snapshots:
            removed += snapshot_store.forget_all(paths)
        if engine is not None:
            removed += _remove_networks(engine, paths, progress)
            paths.node_images.unlink(missing_ok=True)
            snapshot_images.prune(engine, paths)
    with progress.step("State") as step:
        for path in (paths.hosts_ini, paths.clouds_yaml, *_state_to_remove(paths)):
            if path.exists() or path.is_symlink():
                step.detail(f"removing {path}")
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                removed.append(str(path))
    registry.forget(paths.directory)
    return removed


def _remove_networks(engine: Engine, paths: LabPaths, progress: Progress) -> list[str]:
    with progress.step("Network") as step:
        mine = [network.name for network in engine.networks() if network.directory == str(paths.directory)]
        for name in mine:
            step.note(name)
            engine.remove_network(name)
    return mine


def _state_to_remove(paths: LabPaths) -> list[Path]:
    keep = {paths.logs, paths.lock, paths.snapshots}  # the lock is held right now; snapshots that go are gone already
    return [path for path in paths.state.iterdir() if path not in keep] if paths.state.is_dir() else []


def describe(lab: Lab, paths: LabPaths) -> dict[str, Any]:
    """The lab as the Vagrantfile needs it. Without a working engine there are no arguments for containers."""
    try:
        engine = engine_of(lab, paths)
    except LabError:
        engine = None
    return {
        **lab.model_dump(mode="json", exclude={"nodes", "engine"}),
        "directory": str(paths.directory),
        "dashboard_url": lab.dashboard_url,
        "network_name": lab.network_name,
        "netmask": str(lab.network.netmask),
        "ssh_key": str(paths.ssh_key),
        "engine": engine.kind if engine else None,
        "environment": engine.environment if engine else {},
        "nodes": [_describe(node, lab, paths, engine) for node in lab.nodes],
        # They are machines of this lab until `labctl up` has removed them.
        "leaving": [_describe(node, lab, paths, engine) for node in leaving.find(lab, records.nodes(paths))],
    }


def _describe(node: Node, lab: Lab, paths: LabPaths, engine: Engine | None) -> dict[str, Any]:
    result = {**node.model_dump(mode="json"), "container": lab.container(node), "image": "none", "create_args": []}
    result["ssh"] = asdict(access.of_container(node, paths)) if lab.provider == "docker" else None
    if engine is not None:
        arguments = engine.node_arguments(lab.network_name, node.address, paths.ssh_public_key)
        result["image"] = image_overrides.reference(lab, paths, engine, node)
        result["create_args"] = [*arguments, *containers.labels(paths)]
    return result


def ssh_hosts(lab: Lab, paths: LabPaths, *wanted: str) -> dict[str, SshHost]:
    """How to reach the nodes: as noted when they came up, else as Vagrant says, which takes seconds.

    wanted has the names of those that are needed, by default all.
    """
    noted = access.known(paths)
    if all(name in noted for name in wanted or [node.name for node in lab.nodes]):
        return noted
    engine = engine_of(lab, paths)
    return Machines(lab, paths, engine.environment if engine else {}, lambda _: None).ssh_hosts()


def service_list(paths: LabPaths, lab: Lab, *, options: str = "") -> str:
    """What `openstack compute service list` says on the controller. Raises LabError when it says nothing."""
    host = ssh_hosts(lab, paths, lab.controller.name)[lab.controller.name]
    command = host.command("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", f"bash -c '{SERVICE_LIST} {options}'")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{SERVICE_LIST}` does not end on the controller", "`labctl verify` says more.") from error
    if done.returncode != 0:
        problem = done.stderr.strip() or f"status {done.returncode}"
        raise LabError(f"`{SERVICE_LIST}` fails on the controller: {problem}", "`labctl verify` says more.")
    return done.stdout.rstrip("\n")
