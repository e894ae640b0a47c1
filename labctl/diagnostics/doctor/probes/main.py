"""Everything about a node, as one JSON object on standard output."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from labctl.diagnostics.doctor.probes import apis, cloud, compute, files, logins, system, units

if TYPE_CHECKING:
    from collections.abc import Callable


def gather(question: dict[str, Any]) -> dict[str, Any]:
    """All facts. question has the node's name and kind, the lab's addresses by name, its APIs, and the node's services.

    The services are as labctl.lab.service_files has them.
    """
    node, is_compute, services = question["node"], question["compute"], question["services"]
    expected = [unit["name"] for role in services for unit in role["units"]]
    data = [folder for role in services for folder in role["data"]]
    broken: dict[str, str] = {}

    def part(name: str, look: Callable[[], Any]) -> Any:  # noqa: ANN401
        try:
            return look()
        except Exception as error:  # noqa: BLE001 (one part that fails must not hide the others)
            broken[name] = f"{type(error).__name__}: {error}"
            return None

    with ThreadPoolExecutor() as pool:
        start: Callable[[str, Callable[[], Any]], Future[Any]] = lambda name, look: pool.submit(part, name, look)  # noqa: E731
        waiting = {
            "system": start("system", lambda: system.gather(question["nodes"], data)),
            "files": start("files", lambda: files.gather(services)),
            "listening": start("listening", system.listening),
            "memcached": start("memcached", lambda: apis.memcached(services)),
        }
        if not is_compute:
            waiting["cloud"] = start("cloud", cloud.gather)
        tried = start("logins", lambda: logins.gather(services))
        states = part("units", lambda: units.gather(expected)) or {"units": {}, "others": [], "failed": []}
        if is_compute:
            waiting["own"] = start("compute", lambda: compute.gather(states["units"]))
        entries = tried.result() or {"database": [], "queue": [], "identity": []}
        seen = part("apis", lambda: apis.gather(entries["identity"], node, question["apis"], compute=is_compute))
        agents = None if is_compute else part("agents", lambda: cloud.agents(entries["identity"]))
        facts = {name: future.result() for name, future in waiting.items()}
    public = {kind: [logins.public(login) for login in found] for kind, found in entries.items()}
    whole = facts.pop("files") or {"files": [], "exposed": []}
    machine = facts.pop("system") or {}
    return {**machine, **states, **whole, **facts, "logins": public, "apis": seen, "agents": agents, "broken": broken}


def main(question: dict[str, Any]) -> None:
    """Print the answer to a question, as JSON."""
    print(json.dumps(gather(question), default=str))  # noqa: T201 (labctl reads it)
