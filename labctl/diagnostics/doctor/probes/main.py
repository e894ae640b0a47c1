"""All facts about a node, as one JSON object on standard output."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from labctl.diagnostics.doctor.probes import cloud, files, logins, system


def gather(question: dict[str, Any]) -> dict[str, Any]:
    """All facts. question has the node's name and kind, the lab's addresses by name, its APIs, and the node's services.

    The services are as labctl.lab.service_files has them.
    """
    node, is_compute, services = question["node"], question["compute"], question["services"]
    expected = [unit["name"] for role in services for unit in role["units"]]
    data = [folder for role in services for folder in role["data"]]
    broken: dict[str, str] = {}

    def part(name: str, look: Callable[[], Any], otherwise: Any = None) -> Any:  # noqa: ANN401
        try:
            return look()
        except Exception as error:  # noqa: BLE001 (one part that fails must not hide the others)
            broken[name] = f"{type(error).__name__}: {error}"
            return otherwise

    with ThreadPoolExecutor() as pool:
        nothing: dict[str, list[Any]] = {"database": [], "queue": [], "identity": []}
        trying = pool.submit(part, "logins", lambda: logins.gather(services), nothing)
        machine = pool.submit(part, "system", lambda: system.gather(question["nodes"], data), {})
        content = pool.submit(part, "files", lambda: files.gather(services), {"files": [], "exposed": []})
        waiting = {
            "listening": pool.submit(part, "listening", system.listening),
            "memcached": pool.submit(part, "memcached", lambda: cloud.memcached(services)),
        }
        if not is_compute:
            waiting["cloud"] = pool.submit(part, "cloud", cloud.databases)
        states = part("units", lambda: system.units(expected), {"units": {}, "others": [], "failed": []})
        if is_compute:
            waiting["own"] = pool.submit(part, "compute", lambda: system.compute(states["units"]))
        tried = trying.result()
        identities = tried["identity"]
        return {
            **machine.result(),
            **states,
            **content.result(),
            "logins": {kind: [logins.public(login) for login in found] for kind, found in tried.items()},
            "apis": part("apis", lambda: cloud.apis(identities, node, question["apis"], compute=is_compute)),
            "agents": None if is_compute else part("agents", lambda: cloud.agents(identities)),
            **{name: future.result() for name, future in waiting.items()},
            "broken": broken,
        }


def main(question: dict[str, Any]) -> None:
    """Print the answer to a question, as JSON."""
    print(json.dumps(gather(question), default=str))  # noqa: T201 (labctl reads it)
