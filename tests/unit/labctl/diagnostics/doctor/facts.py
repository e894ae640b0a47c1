"""Facts of a healthy lab, and changes to them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.diagnostics.doctor import runner
from labctl.diagnostics.doctor.case import Case
from labctl.diagnostics.doctor.host_facts import HostFacts

if TYPE_CHECKING:
    from labctl.lab.model import Lab

# The facts of a healthy lab, as its nodes have printed them.
HEALTHY = json.loads((Path(__file__).parent / "captured" / "doctor.json").read_text(encoding="utf-8"))
NOW = HEALTHY["controller"]["time"]
Change = tuple[str, list[Any], Any]  # node, the way to a value, the new value


def case_of(lab: Lab, *changes: Change, **host: Any) -> Case:  # noqa: ANN401
    """The healthy lab with changes."""
    nodes = copy.deepcopy(HEALTHY)
    for node, way, value in changes:
        place = nodes[node]
        for step in way[:-1]:
            place = place[step]
        place[way[-1]] = value
    url = HEALTHY["compute1"]["own"]["console"]["novncproxy_base_url"]
    return Case(
        lab=lab,
        host=HostFacts(**{"engine": "podman", "pages": {url: ""}, **host}),
        states={node.name: "running" for node in lab.nodes},
        nodes=nodes,
        asked=(NOW - 2, NOW + 2),
    )


def found(case: Case) -> list[tuple[str, str, str]]:
    """What is told of: check, place and severity."""
    return [(d.check.id, d.finding.where, d.finding.severity.value) for d in runner.diagnose(case, set())]


STOPPED = {"active": "inactive", "sub": "dead", "load": "loaded", "result": "success", "enabled": "enabled"}
STOPPED |= {"restarts": 0, "started": 0.0, "processes": 0, "evidence": ["journal: Stopped"]}  # type: ignore[dict-item]
LOGINS = ["logins", "database", 0]
NOVA_CONF = next(i for i, f in enumerate(HEALTHY["compute1"]["files"]) if f["path"] == "/etc/nova/nova.conf")
