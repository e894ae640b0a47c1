"""Verify a lab, and ask its controller what Nova itself lists."""

import json
import subprocess
from typing import Any

from labctl.ansible import playbook
from labctl.errors import LabError
from labctl.lab.paths import LabPaths
from labctl.lifecycle.context import LabContext
from labctl.remote import access
from labctl.remote.access import SshHost
from labctl.ui.progress import Progress

SERVICE_LIST = "source admin-openrc && openstack compute service list"


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


def ssh_hosts(context: LabContext, *wanted: str) -> dict[str, SshHost]:
    """How to reach the nodes: as noted when they came up, else as the provider says, which may take seconds.

    wanted has the names of those that are needed, by default all.
    """
    noted = access.known(context.paths)
    if all(name in noted for name in wanted or [node.name for node in context.lab.nodes]):
        return noted
    return context.provider.ssh_hosts()


def service_list(context: LabContext, *, options: str = "") -> str:
    """What `openstack compute service list` says on the controller. Raises LabError when it says nothing."""
    controller = context.lab.controller.name
    host = ssh_hosts(context, controller)[controller]
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
