"""Ask the services on running nodes whether they know the options in overrides, before anything is changed."""

import json
from collections.abc import Iterator
from typing import Any

from labctl.errors import BadInput
from labctl.lab import overrides, records
from labctl.lab.model import Node
from labctl.lab.overrides import Override
from labctl.lifecycle.context import LabContext
from labctl.remote.nodes import ask

_SECONDS = 60.0


def check(context: LabContext) -> None:
    """Raise BadInput with every option that a service does not know, or cannot read the value of, and its line.

    Only what has changed since the last complete run is asked for, and only of nodes that answer: on the others the
    role refuses it, before it writes the file.
    """
    lab, paths = context.lab, context.paths
    found = overrides.read(lab, paths)
    before = (records.read_software(paths) or {}).get("overrides")
    if not found or before == overrides.facts(found):
        return
    states = context.provider.states()
    running = [node for node in lab.nodes if states[node.name].running]
    jobs = {node.name: list(_jobs(found, node)) for node in running}
    asked = [node for node in running if jobs[node.name]]
    answers = ask(lab, paths, asked, "options", lambda node: {"jobs": jobs[node.name]}, timeout=_SECONDS)
    wrong: dict[str, None] = {}
    for answer in answers.values():
        for item in json.loads(answer.output) if answer.ok else ():
            place = f"{paths.overrides / item['name']}, line {item['line']}, {item['key']}"
            wrong[f"{place}: found {item['found']}, expected {item['expected']}"] = None
    if wrong:
        raise BadInput("\n".join([*wrong, "Nothing was changed"]), "Correct these lines, or remove them.")


def _jobs(found: list[Override], node: Node) -> Iterator[dict[str, Any]]:
    for override in found:
        for target in override.targets:
            if target.node == node:
                yield {
                    "name": override.name,
                    "text": override.text,
                    "path": target.file.path,
                    "namespaces": list(target.file.namespaces),
                    "aliases": target.file.aliases,
                }
