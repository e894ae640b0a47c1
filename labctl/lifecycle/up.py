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
from labctl.lifecycle.diff import Plan
from labctl.lifecycle.verify import service_list
from labctl.providers import host_packages, node_images
from labctl.providers.vagrant import watched
from labctl.remote import ssh
from labctl.ui.progress import Progress

_SHOWN = 20  # differences


@dataclass(frozen=True)
class Outcome:
    """The result of `labctl up`: Ansible's counts per node, and what the controller says about its services.

    unchanged says that site.yaml was skipped, because nothing has drifted since its last full run. differences has what
    has drifted, as `NODE: WHAT`.
    """

    results: PlaybookResult
    services: str
    seconds: float
    unchanged: bool = False
    differences: tuple[str, ...] = ()


def setup(context: LabContext, *, packages: bool = True, leaving: Iterable[str] = ()) -> tuple[str, ...]:
    """Create everything that the nodes need: host packages, network, images, secrets and keys. What exists stays.

    leaving has nodes that exist but are not in lab.yaml. Without packages, a running Vagrant is the caller. Returns the
    names of the nodes that do not run yet.
    """
    lab, paths, provider, progress = context.lab, context.paths, context.provider, context.progress
    if packages:
        host_packages.ensure(provider.requirements, progress)
    provider.connect()
    registry.remember(paths, lab)
    records.remember(paths, lab, provider.engine_kind, leaving=leaving)
    with progress.step("Secrets and keys") as step:
        written = lab_secrets.ensure(paths, lab.secrets)
        if written:
            records.forget_software(paths)
        step.note("written" if written else "unchanged")
        provider.make_keys()
    return provider.prepare(progress, by_vagrant=not packages)


def make_image(context: LabContext, kind: node_images.Kind) -> str:
    """Make an image of the lab's release unless it exists, and return its name. No network or node is touched."""
    lab, paths, provider, progress = context.lab, context.paths, context.provider, context.progress
    host_packages.ensure(provider.requirements, progress)
    provider.connect()
    engine = provider.require_engine("An image")
    lab_secrets.ensure(paths, lab.secrets)  # Ansible checks the roles' arguments, see node_images
    return node_images.ensure_kind(lab, kind, engine, paths, progress)


def up(context: LabContext, plan: Plan, *, full: bool = False) -> Outcome:
    """Bring the lab up, from whatever exists to a verified lab. Raises LabError at the first step that fails.

    plan is that of preflight, without refusals. If nothing is due and nothing has drifted since the last full run of
    site.yaml, it is skipped unless full is set.
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
            title = "Comparison and verification"
            results = context.play("playbooks/unchanged.yaml", title, {"drift_token": token}, asks=True)
        except playbook.PlaybookFailed as failed:
            differences = _differences(failed, progress)
        else:
            return Outcome(results, service_list(context), time.monotonic() - start, unchanged=True)
    _begin(paths)
    scale_down.settle(context, plan, hosts)
    # Before site.yaml runs: an edit made meanwhile may be applied or not.
    depends, token = fingerprint.fingerprint(lab, paths), fingerprint.new_token()
    results = _software(context, plan, token)
    records.remember_software(paths, lab)
    if not plan.local:
        fingerprint.remember(paths, depends, token)
    return Outcome(results, service_list(context), time.monotonic() - start, differences=differences)


def _begin(paths: LabPaths) -> None:
    """Record that the software is not complete until this run has finished."""
    records.forget_software(paths)
    fingerprint.forget(paths)


def _differences(failed: playbook.PlaybookFailed, progress: Progress) -> tuple[str, ...]:
    """What the comparison or the verification found, a line each. The first lines are shown, all are logged."""
    lines = [
        f"{failure.node}: {line}"
        for failure in failed.failures
        for line in failure.differences or failure.message.splitlines()
    ] or failed.message.splitlines()
    progress.say("The nodes have drifted since the last full run, so site.yaml runs:")
    for number, line in enumerate(lines):
        (progress.say if number < _SHOWN else progress.write)(f"  {line}")
    if len(lines) > _SHOWN:
        progress.say(f"  and {len(lines) - _SHOWN} more, which are in the log")
    return tuple(lines)


def _software(context: LabContext, plan: Plan, token: str) -> PlaybookResult:
    """Run site.yaml, or only its parts for computes that come or go if nothing else is due, and verify the lab.

    A full run records on the nodes how it left them, with the token.
    """
    if not plan.local:
        return context.play("site.yaml", "Software and verification", {"drift_token": token})
    skip = "controller,network" if plan.new else "controller,computes,network"
    return context.play("site.yaml", "Computes and verification", {"site_new_computes": list(plan.new)}, skip=skip)
