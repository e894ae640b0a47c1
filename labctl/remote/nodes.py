"""Ask the nodes of a lab something, on all of them at the same time."""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.remote import access, programs, ssh
from labctl.remote.access import SshHost


def hosts(lab: Lab, paths: LabPaths, names: Iterable[str]) -> dict[str, SshHost]:
    """How to reach nodes, without asking Vagrant: as recorded when they came up, else as containers are created."""
    noted = {**(access.of_containers(lab, paths) if lab.traits.containers else {}), **access.known(paths)}
    return {name: noted[name] for name in names if name in noted}


def ask(
    lab: Lab,
    paths: LabPaths,
    nodes: Iterable[Node],
    name: str,
    arguments: Callable[[Node], Mapping[str, Any]],
    *,
    timeout: float,
) -> dict[str, ssh.Answer]:
    """Run a program (see remote.programs) on nodes, each with its own arguments, and return the answers by node.

    A node that does not answer within timeout seconds is an answer with a problem.
    """
    wanted = {node.name: node for node in nodes}
    reach = hosts(lab, paths, wanted)

    def one(node: Node) -> ssh.Answer:
        if node.name not in reach:
            return ssh.Answer("", f"{paths.ssh_hosts} does not say how to reach it: run `labctl up`")
        return ssh.run_on(reach[node.name], programs.program(name, arguments(node)), timeout=timeout)

    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(one, wanted.values()), strict=True))


def documents(answers: Mapping[str, ssh.Answer]) -> tuple[dict[str, Any], dict[str, str]]:
    """The JSON that programs have printed, and why others have printed none, both by node."""
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, answer in answers.items():
        if answer.ok:
            try:
                found[name] = json.loads(answer.output)
            except ValueError:
                problems[name] = f"its answer is not JSON: {answer.output[:200]!r}"
        else:
            problems[name] = answer.problem
    return found, problems
