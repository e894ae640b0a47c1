"""`labctl up`: everything from an empty machine to a verified lab, in steps that can be repeated from any point."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from labctl.ansible import inventory, playbook
from labctl.ansible.playbook import PlaybookResult
from labctl.lab import fingerprint, records, registry
from labctl.lab import secrets as lab_secrets
from labctl.lab.paths import LabPaths
from labctl.lifecycle import scale_down
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.plan import Plan
from labctl.lifecycle.verify import service_list
from labctl.providers import host_packages, node_images
from labctl.providers.vagrant import watched
from labctl.remote import ssh
from labctl.ui.progress import Progress

_SHOWN = 20  # differences


@dataclass(frozen=True)
class Outcome:
    """What `labctl up` achieved: per node Ansible's counts, and what the controller says about its services.

    unchanged says that site.yaml did not run, because all is as its last whole run has left it; differences what was
    not so, as `NODE: WHAT`, where it did run.
    """

    results: PlaybookResult
    services: str
    seconds: float
    unchanged: bool = False
    differences: tuple[str, ...] = ()


def setup(context: LabContext, *, packages: bool = True, leaving: Iterable[str] = ()) -> tuple[str, ...]:
    """Make everything that the nodes need: host packages, network, images, secrets and keys. What exists stays.

    leaving has nodes that exist and that the lab does not describe. Without packages a Vagrant that is running calls.
    Returns the names of the nodes that do not run yet.
    """
    lab, paths, provider, progress = context.lab, context.paths, context.provider, context.progress
    if packages:
        host_packages.ensure(provider.requirements, progress)
    provider.connect()
    registry.remember(paths, lab)
    records.remember(paths, lab, provider.engine_kind, leaving=leaving)
    with progress.step("Secrets and keys") as step:
        if lab_secrets.ensure(paths, lab.secrets):
            records.forget_software(paths)
            step.note("written")
        else:
            step.note("as they were")
        provider.make_keys()
    return provider.prepare(progress, by_vagrant=not packages)


def make_image(context: LabContext, kind: node_images.Kind) -> str:
    """Make an image of the lab's release unless it is there, and return its name. No network or node is touched."""
    lab, paths, provider, progress = context.lab, context.paths, context.provider, context.progress
    host_packages.ensure(provider.requirements, progress)
    provider.connect()
    engine = provider.require_engine("An image")
    lab_secrets.ensure(paths, lab.secrets)  # the roles' arguments are checked, see node_images
    return node_images.ensure_kind(lab, kind, engine, paths, progress)


def up(context: LabContext, plan: Plan, *, full: bool = False) -> Outcome:
    """Everything, from an empty machine to a verified lab. Raises LabError at the first step that fails.

    plan is that of preflight, nothing of it refused. Where nothing is due and everything is as the last full run of
    site.yaml left it, site.yaml does not run, unless full says so.
    """
    start = time.monotonic()
    lab, paths, provider, progress = context.lab, context.paths, context.provider, context.progress
    idle = setup(context, leaving=(*plan.leaving, *plan.returning))
    if plan.due or full:
        _begin(paths)
    with progress.step("Nodes") as step:
        if idle:
            provider.up(idle, watched(step))
        else:
            step.note("all nodes run")
        hosts = provider.ssh_hosts()
        if not plan.leaving:
            inventory.write(lab, paths, hosts)
        ssh.wait_for_ssh(hosts)
    differences: tuple[str, ...] = ()
    if (token := fingerprint.token(lab, paths)) is not None:
        try:
            results = _compare(paths, progress, token)
        except playbook.PlaybookFailed as failed:
            differences = _differences(failed, progress)
        else:
            return Outcome(results, service_list(context), time.monotonic() - start, unchanged=True)
    _begin(paths)
    scale_down.settle(context, plan, hosts)
    # Before it begins: an edit made meanwhile may be in it or not.
    depends, token = fingerprint.fingerprint(lab, paths), fingerprint.new_token()
    results = _software(paths, progress, plan, token)
    records.remember_software(paths, lab)
    if not plan.local:
        fingerprint.remember(paths, depends, token)
    return Outcome(results, service_list(context), time.monotonic() - start, differences=differences)


def _begin(paths: LabPaths) -> None:
    """Work on the software begins: until it is finished, nobody may take it for complete."""
    records.forget_software(paths)
    fingerprint.forget(paths)


def _differences(failed: playbook.PlaybookFailed, progress: Progress) -> tuple[str, ...]:
    """What the comparison or the verification found, a line each. The first of them are shown, all are in the log."""
    lines = [
        f"{failure.node}: {line}"
        for failure in failed.failures
        for line in failure.differences or failure.message.splitlines()
    ] or failed.message.splitlines()
    progress.say("The nodes have drifted since the last full run, so site.yaml runs:")
    for line in lines[:_SHOWN]:
        progress.say(f"  {line}")
    for line in lines[_SHOWN:]:
        progress.write(f"  {line}")
    if more := lines[_SHOWN:]:
        progress.say(f"  and {len(more)} more, which are in the log")
    return tuple(lines)


def _compare(paths: LabPaths, progress: Progress, token: str) -> PlaybookResult:
    """Compare the nodes with what the whole run of a token has left, and verify the lab.

    Raises PlaybookFailed with all that differs, or with what the verification has found.
    """
    return playbook.run(
        "playbooks/unchanged.yaml",
        paths=paths,
        inventory=paths.hosts_ini,
        progress=progress,
        title="Comparison and verification",
        extra_vars={"drift_token": token},
        asks=True,
    )


def _software(paths: LabPaths, progress: Progress, plan: Plan, token: str) -> PlaybookResult:
    """Run site.yaml, or what of it concerns computes that come or go when nothing else is due; then all is verified.

    A whole run notes on the nodes how it has left them, with the token.
    """
    if not plan.local:
        title, skip = "Software and verification", None
        extra_vars: dict[str, object] = {"drift_token": token}
    else:
        title = "Computes and verification"
        skip = "controller,network" if plan.new else "controller,computes,network"
        extra_vars = {"site_new_computes": list(plan.new)}
    return playbook.run(
        "site.yaml",
        paths=paths,
        inventory=paths.hosts_ini,
        progress=progress,
        title=title,
        skip=skip,
        extra_vars=extra_vars,
    )
