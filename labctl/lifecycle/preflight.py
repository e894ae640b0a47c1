"""The plan for a lab, and what is refused, before anything is changed."""

import contextlib
import json
from typing import Any

from labctl.errors import BadInput, LabError
from labctl.lab import image_files, overrides, records
from labctl.lab import secrets as lab_secrets
from labctl.lab.model import Node
from labctl.lab.overrides import Override
from labctl.lifecycle import conflicts, diff, scale_down
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.diff import Plan
from labctl.remote.nodes import ask

_OPTION_SECONDS = 60.0


def preflight(context: LabContext, *, evict: bool = False, remove: bool = False) -> Plan:
    """The plan, with refusals in it. Raises BadInput for what is wrong otherwise.

    Nothing is changed, not even in the lab's directory. Nodes may leave only with remove.
    """
    lab, paths = context.lab, context.paths
    image_files.check(lab.images, paths)
    plan = make_plan(context, evict=evict, remove=remove)
    _check_options(context)
    if not plan.refusals:
        conflicts.check(lab, paths, conflicts.find_others(lab, paths, context.provider.engines()))
    return plan


def make_plan(context: LabContext, *, evict: bool = False, remove: bool = True) -> Plan:
    """What `labctl up` would do. Nothing is changed.

    Nova is asked for the servers on nodes that leave, unless remove says that no node may.
    """
    lab, paths = context.lab, context.paths
    nodes = context.provider.present()
    going = lab.former_computes({*records.nodes(paths), *nodes})
    servers: dict[str, tuple[str, ...]] = {}
    unknown = ""
    cloud = paths.clouds_yaml.is_file()  # written when Neutron and Nova answer
    if going and remove and cloud:
        try:
            servers = scale_down.servers(lab, paths, going)
        except LabError as error:
            unknown = error.message
    passwords: dict[str, str] = {}
    with contextlib.suppress(LabError):  # the next step reports a file that cannot be read
        passwords = lab_secrets.read(paths.secrets)
    found = diff.Existing(
        nodes=nodes,
        made=records.read(paths),
        software=records.read_software(paths),
        passwords=passwords,
        engine=context.provider.engine_kind,
        servers=servers,
        cloud=cloud,
        unknown=unknown,
        options=overrides.facts(overrides.read(lab, paths)),
    )
    return diff.compare(lab, found, tuple(node.name for node in going), evict=evict, remove=remove)


def _check_options(context: LabContext) -> None:
    """Ask the services on running nodes whether they know the options in overrides.

    Raises BadInput with the line of each option that a service does not know, or whose value it cannot read. Only
    changes since the last complete run are checked. On nodes that do not run, the role refuses a bad option before it
    writes the file.
    """
    lab, paths = context.lab, context.paths
    found = overrides.read(lab, paths)
    if not found or (records.read_software(paths) or {}).get("overrides") == overrides.facts(found):
        return
    states = context.provider.states()
    running = [node for node in lab.nodes if states[node.name].running]
    jobs = {node.name: [job for override in found for job in _jobs(override, node)] for node in running}
    asked = [node for node in running if jobs[node.name]]
    answers = ask(lab, paths, asked, "options", lambda node: {"jobs": jobs[node.name]}, timeout=_OPTION_SECONDS)
    wrong: dict[str, None] = {}
    for answer in answers.values():
        for item in json.loads(answer.output) if answer.ok else ():
            place = f"{paths.overrides / item['name']}, line {item['line']}, {item['key']}"
            wrong[f"{place}: found {item['found']}, expected {item['expected']}"] = None
    if wrong:
        raise BadInput("\n".join([*wrong, "Nothing was changed"]), "Correct these lines, or remove them.")


def _jobs(override: Override, node: Node) -> list[dict[str, Any]]:
    files = [target.file for target in override.targets if target.node == node]
    facts = [{"path": file.path, "namespaces": list(file.namespaces), "aliases": file.aliases} for file in files]
    return [{"name": override.name, "text": override.text, **file} for file in facts]
