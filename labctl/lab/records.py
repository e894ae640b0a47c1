"""What a lab was created as, and what the last complete `labctl up` installed.

These are two records, written at different times: that of the nodes before the first one is created, so that it also
covers an interrupted run, and that of the software when all of it is installed.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from labctl.files import read_json, write_json
from labctl.lab import overrides
from labctl.lab.model import Lab
from labctl.lab.overrides import Facts
from labctl.lab.paths import LabPaths, assets

FIXED = ("name", "release", "provider", "network", "networking", "guest_network")


def facts(lab: Lab, engine: object, *, leaving: Iterable[str] = ()) -> dict[str, Any]:
    """The record of the lab's nodes. engine is the kind of the engine, leaving has the nodes still to be removed."""
    going = list(leaving)
    return {
        **{key: str(getattr(lab, key)) for key in FIXED},
        "engine": engine,
        "dashboard": lab.dashboard,
        "box": lab.box,
        "sizes": sizes(lab),
        "nodes": list(dict.fromkeys([*(node.name for node in lab.nodes), *going])),
        "leaving": going,
    }


def software(lab: Lab, options: Facts) -> dict[str, Any]:
    """The record of what site.yaml does on the nodes: from lab.yaml, without the passwords, and from overrides."""
    return {
        "dashboard": lab.dashboard,
        "virt_type": lab.virt_type,
        "images": {image.name: image.model_dump(mode="json", exclude={"name"}) for image in lab.images},
        "roles": roles(),
        "overrides": options,
    }


def roles() -> str:
    """A digest of what Ansible runs, which a different version of novalab changes."""
    root, digest = assets(), hashlib.sha256()
    files = [root / "site.yaml"]
    for folder in ("group_vars", "playbooks", "plugins", "roles"):
        files += [path for path in (root / folder).rglob("*") if path.suffix not in (".md", ".pyc") and path.is_file()]
    for path in sorted(files):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def sizes(lab: Lab) -> dict[str, str]:
    """The sizes of virtual machines, by kind of node; containers share what the host has."""
    if lab.traits.containers:
        return {}
    kinds = {"controller": lab.controller, "computes": lab.computes[0]}
    return {kind: f"{node.cpus} processors, {node.memory} MiB" for kind, node in kinds.items()}


def read(paths: LabPaths) -> dict[str, Any]:
    """The record of the nodes, empty when it is missing or damaged: it only guards against mistakes."""
    return read_json(paths.made)


def read_software(paths: LabPaths) -> dict[str, Any] | None:
    """The record of the software, None when the last `labctl up` did not finish."""
    return read_json(paths.software) or None


def provider(paths: LabPaths) -> str | None:
    """The provider of the nodes that exist, None when there are none."""
    found = read(paths).get("provider")
    return found if isinstance(found, str) else None


def nodes(paths: LabPaths) -> tuple[str, ...]:
    """The names of the nodes that were created or were about to be."""
    return names(read(paths), "nodes")


def names(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of names in a record, empty when there is none."""
    found = record.get(key)
    return tuple(str(name) for name in found) if isinstance(found, list) else ()


def remember(paths: LabPaths, lab: Lab, engine: str | None, *, leaving: Iterable[str] = ()) -> None:
    """Note how the nodes are about to be created, and which ones are still to be removed."""
    paths.make_state()
    now = facts(lab, engine, leaving=leaving)
    if now != read(paths):
        write_json(paths.made, now)


def remember_software(paths: LabPaths, lab: Lab) -> None:
    """Note that all of the software is installed."""
    write_json(paths.software, software(lab, overrides.facts(overrides.read(lab, paths))))


def forget_software(paths: LabPaths) -> None:
    """Note that some software may be missing, because work on it begins."""
    paths.software.unlink(missing_ok=True)
