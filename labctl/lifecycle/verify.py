"""Verify a lab, and list Nova's services on its controller."""

import json
from typing import Any

from labctl.ansible.playbook import PlaybookResult
from labctl.errors import LabError
from labctl.lab.paths import LabPaths
from labctl.lifecycle.context import LabContext
from labctl.remote import access, ssh
from labctl.remote.access import SshHost

_SERVICE_LIST = "source admin-openrc && openstack compute service list"


def verify(context: LabContext) -> PlaybookResult:
    """Check the running lab. Raises PlaybookFailed with the check that failed."""
    paths = context.paths
    if not paths.hosts_ini.is_file():
        raise LabError(f"There is no lab in {paths.directory} yet: {paths.hosts_ini} is missing", "Run `labctl up`.")
    paths.checks.unlink(missing_ok=True)
    return context.play("playbooks/verify.yaml", "Verification")


def checks(paths: LabPaths) -> list[dict[str, Any]]:
    """What the last verification compared, as playbooks/verify.yaml wrote it; empty if it did not get that far."""
    try:
        data = json.loads(paths.checks.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return data if isinstance(data, list) else []


def ssh_hosts(context: LabContext, *wanted: str) -> dict[str, SshHost]:
    """How to reach the nodes: as recorded when they came up, else as the provider says, which may take seconds.

    wanted has the names of the nodes that are needed, by default all.
    """
    noted = access.known(context.paths)
    if all(name in noted for name in wanted or [node.name for node in context.lab.nodes]):
        return noted
    return context.provider.ssh_hosts()


def service_list(context: LabContext, *, options: str = "") -> str:
    """The output of `openstack compute service list` on the controller. Raises LabError if it fails."""
    controller = context.lab.controller.name
    host = ssh_hosts(context, controller)[controller]
    answer = ssh.run({controller: host}, f"{_SERVICE_LIST} {options}", command=("bash",), timeout=120)[controller]
    if not answer.ok:
        problem = f"`{_SERVICE_LIST}` failed on the controller: {answer.problem}"
        raise LabError(problem, "`labctl verify` says more.")
    return answer.output.rstrip("\n")
