"""A lab's status for people, from what labctl.diagnostics.status has seen."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from labctl.ui import text

Document = Mapping[str, Any]


def render(document: Document, *, units: bool = False) -> str:
    """All of it as lines; units says whether those that run are listed as well. What is not known is left out."""
    now = _moment(document["time"])
    assert now is not None  # noqa: S101 (it is always there)
    parts = [_head(document), text.table(_nodes(document, now))]
    if units:
        parts += [text.table(rows) for rows in (list(_units(document, now)),) if len(rows) > 1]
    parts += [text.table(rows) for rows in _lists(document, now) if len(rows) > 1]
    if document["versions"]:
        parts.append(_versions(document["versions"]))
    parts.append(_troubles(document, now))
    return "\n\n".join(part for part in parts if part)


def _head(document: Document) -> str:
    head = f"Lab {document['lab']} in {document['directory']}: OpenStack {document['release']}, provider "
    head += f"{document['provider']}, {document['state'].replace('_', ' ')} (times are UTC)"
    return f"{head}\n{document['working']} is working on it" if document["working"] else head


def _nodes(document: Document, now: datetime) -> Iterator[Sequence[str]]:
    yield ("Node", "State", "Since", "Address", "Units", "Memory", "Processor", "Load", "Disk free")
    for node in document["nodes"]:
        row = [node["name"], node["state"].replace("_", " "), text.moment(_moment(node["since"]), now), node["address"]]
        if "units" in node:
            active = sum(unit["active"] == "active" for unit in node["units"])
            used = node["processor_seconds"]
            row += [
                f"{active} of {len(node['units'])}",
                text.size(node["memory"]["used"]),
                "" if used is None else text.span(used),
                f"{node['load'][0]:.1f}",
                text.size(node["disk"]["free"]),
            ]
        yield row + [""] * (9 - len(row))


def _units(document: Document, now: datetime) -> Iterator[Sequence[str]]:
    yield ("Unit", "Node", "State", "Since")
    for node in document["nodes"]:
        for unit in node.get("units", ()):
            state = f"{unit['active']} ({unit['sub']})" if unit["load"] != "not-found" else "not installed"
            yield (unit["unit"], node["name"], state, text.moment(_moment(unit["since"]), now))


def _lists(document: Document, now: datetime) -> Iterator[list[Sequence[str]]]:
    rows: list[Sequence[str]] = [("Service", "Host", "Zone", "Status", "State", "Reported")]
    for row in document["services"] or ():
        reported = text.moment(_moment(row["updated_at"]), now)
        rows.append((row["binary"], row["host"], row["zone"] or "", row["status"], row["state"], reported))
    yield rows
    rows = [("Agent", "Host", "Alive", "Reported")]
    for row in document["agents"] or ():
        alive = "yes" if row["alive"] else "no"
        rows.append((row["binary"], row["host"], alive, text.moment(_moment(row["updated_at"]), now)))
    yield rows
    rows = [("Cell", "Hosts")]
    for row in document["cells"] or ():
        rows.append((row["name"], ", ".join(row["hosts"]) + (" disabled" if row["disabled"] else "")))
    yield rows
    rows = [("Server", "Host", "Status", "Addresses", "Changed")]
    for row in document["servers"] or ():
        changed = text.moment(_moment(row["updated_at"]), now)
        rows.append(
            (text.printable(row["name"]), row["host"] or "", row["status"], ", ".join(row["addresses"]), changed)
        )
    yield rows


def _versions(versions: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    """One line, in which nodes are named only where they differ."""
    words = []
    for component, found in versions.items():
        several = len(found) > 1
        said = [
            f"{_upstream(version)} ({', '.join(nodes)})" if several else _upstream(version)
            for version, nodes in found.items()
        ]
        words.append(f"{component} {' / '.join(said)}")
    return f"Versions: {', '.join(words)}"


def _upstream(version: str) -> str:
    """A package's version without the epoch; Debian's own part tells two packages of the same release apart."""
    return re.sub(r"^\d+:", "", version)


def _troubles(document: Document, now: datetime) -> str:
    if document["state"] == "not_created":
        return "There is no lab yet. `labctl up` builds it."
    if document["state"] in ("stopped", "paused"):
        return f"All nodes are {document['state']}: `labctl up` starts them again."
    if not document["degraded"]:
        return "Nothing is degraded."
    lines = [f"Degraded ({len(document['degraded'])}):"]
    for trouble in document["degraded"]:
        since = f" since {text.moment(_moment(trouble['since']), now)}" if trouble["since"] else ""
        place = "" if trouble["where"] in trouble["what"] else f"{trouble['where']}: "
        lines += [f"  {place}{trouble['what']}{since}", f"      {trouble['remedy']}"]
    return "\n".join(lines)


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
