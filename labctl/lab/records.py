"""What a lab was made as, and what the last complete `labctl up` has brought about.

Two records, for they are written at different times: the nodes' before the first one is made, so that an interrupted
run is known to have made them, and the software's when all of it is there.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from labctl.files import write_private
from labctl.lab import overrides
from labctl.lab.model import Lab
from labctl.lab.overrides import Facts
from labctl.lab.paths import LabPaths, assets

FIXED = ("name", "release", "provider", "network", "networking", "guest_network")


def facts(lab: Lab, engine: object, *, leaving: Iterable[str] = ()) -> dict[str, Any]:
    """The lab as the record of its nodes has it. engine is the kind of the engine, leaving has nodes yet to go."""
    fixed: dict[str, Any] = {key: str(getattr(lab, key)) for key in FIXED}
    names = [node.name for node in lab.nodes]
    going = list(leaving)
    return {
        **fixed,
        "engine": engine,
        "dashboard": lab.dashboard,
        "box": lab.box,
        "sizes": sizes(lab),
        "nodes": [*names, *(name for name in going if name not in names)],
        "leaving": going,
    }


def software(lab: Lab, options: Facts) -> dict[str, Any]:
    """What site.yaml brings about on nodes that exist: from lab.yaml, without the passwords, and from overrides."""
    return {
        "dashboard": lab.dashboard,
        "virt_type": lab.virt_type,
        "images": {image.name: image.model_dump(mode="json", exclude={"name"}) for image in lab.images},
        "roles": roles(),
        "overrides": options,
    }


def roles() -> str:
    """A digest of what Ansible does: another novalab may do something else."""
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
    kinds = {"controller": lab.controller, **({"computes": lab.computes[0]} if lab.computes else {})}
    return {kind: f"{node.cpus} processors, {node.memory} MiB" for kind, node in kinds.items()}


def read(paths: LabPaths) -> dict[str, Any]:
    """The record of the nodes, empty when there is none or it is damaged: it only guards against mistakes."""
    return _read(paths.made)


def read_software(paths: LabPaths) -> dict[str, Any] | None:
    """The record of the software, None when the last `labctl up` has not come to its end."""
    return _read(paths.software) or None


def provider(paths: LabPaths) -> str | None:
    """The provider of the nodes that exist, None when none were made."""
    found = read(paths).get("provider")
    return found if isinstance(found, str) else None


def nodes(paths: LabPaths) -> tuple[str, ...]:
    """The names of the nodes that were made or about to be."""
    return names(read(paths), "nodes")


def names(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of names in a record, empty when there is none."""
    found = record.get(key)
    return tuple(str(name) for name in found) if isinstance(found, list) else ()


def remember(paths: LabPaths, lab: Lab, engine: str | None, *, leaving: Iterable[str] = ()) -> None:
    """Note what the nodes are about to be made as, and which of them are about to leave, or were and are to stay."""
    paths.make_state()
    now = facts(lab, engine, leaving=leaving)
    if now != read(paths):
        write_private(paths.made, json.dumps(now, indent=2) + "\n")


def remember_software(paths: LabPaths, lab: Lab) -> None:
    """Note that all of the software is there."""
    options = overrides.facts(overrides.read(lab, paths))
    write_private(paths.software, json.dumps(software(lab, options), indent=2) + "\n")


def forget_software(paths: LabPaths) -> None:
    """Note that something of the software may be missing, because work on it begins."""
    paths.software.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
