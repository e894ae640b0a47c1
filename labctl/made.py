"""What a lab was made as: some things in lab.yaml cannot change while its nodes exist."""

import json

from labctl.description import Lab
from labctl.errors import BadInput
from labctl.labsecrets import write_private
from labctl.paths import LabPaths

_FIXED = ("name", "release", "provider", "network", "networking", "guest_network")


def check(paths: LabPaths, lab: Lab, engine: str | None = None) -> None:
    """Refuse a description that the existing nodes cannot become. Raises BadInput and changes nothing.

    engine is the kind of the engine that the lab would use now, None when there is none.
    """
    before = _read(paths)
    now = _facts(lab, engine or before.get("engine"))
    changes = [
        f"{key} was {before[key]}, now {now[key]}"
        for key in (*_FIXED, "engine")
        if before.get(key, now[key]) != now[key]
    ]
    nodes = before.get("nodes")
    described = {node.name for node in lab.nodes}
    lost = [name for name in nodes if name not in described] if isinstance(nodes, list) else []
    if before.get("dashboard") is True and not lab.dashboard:  # the other way round, packages are added
        changes.append("dashboard was true, now false")
    if lost:
        changes.append(f"no longer described: {', '.join(lost)}")
    if changes:
        raise BadInput(
            f"The lab in {paths.directory} exists and is another one than lab.yaml says: {'; '.join(changes)}",
            "Put lab.yaml back, or remove the lab first with `labctl destroy`. Nothing was changed.",
        )


def provider(paths: LabPaths) -> str | None:
    """The provider of the nodes that exist, None when none were made."""
    found = _read(paths).get("provider")
    return found if isinstance(found, str) else None


def nodes(paths: LabPaths) -> list[str]:
    """The names of the nodes that were made, empty when none were."""
    found = _read(paths).get("nodes")
    return [str(name) for name in found] if isinstance(found, list) else []


def remember(paths: LabPaths, lab: Lab, engine: str | None) -> None:
    """Note what the nodes are about to be made as."""
    paths.make_state()
    facts = _facts(lab, engine)
    if facts != _read(paths):
        write_private(paths.made, json.dumps(facts, indent=2) + "\n")


def _facts(lab: Lab, engine: object) -> dict[str, object]:
    facts: dict[str, object] = {key: str(getattr(lab, key)) for key in _FIXED}
    return {**facts, "engine": engine, "dashboard": lab.dashboard, "nodes": [node.name for node in lab.nodes]}


def _read(paths: LabPaths) -> dict[str, object]:
    """A record that is missing or damaged says nothing: it only guards against mistakes."""
    try:
        data = json.loads(paths.made.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
