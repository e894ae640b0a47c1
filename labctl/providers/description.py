"""The lab with every choice made, as the Vagrantfile and people read it."""

from collections.abc import Mapping
from typing import Any

from labctl.lab import records
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.providers.base import Provider


def describe(lab: Lab, paths: LabPaths, provider: Provider, environment: Mapping[str, str]) -> dict[str, Any]:
    """The lab for the Vagrantfile, as JSON can hold it. environment is what Vagrant needs to reach the engine."""
    return {
        **lab.model_dump(mode="json", exclude={"nodes", "engine"}),
        "directory": str(paths.directory),
        "dashboard_url": lab.dashboard_url,
        "network_name": lab.network_name,
        "netmask": str(lab.network.netmask),
        "ssh_key": str(paths.ssh_key),
        "engine": provider.engine_kind,
        "environment": dict(environment),
        "nodes": [_describe(lab, provider, node) for node in lab.nodes],
        # They are machines of this lab until `labctl up` has removed them.
        "leaving": [_describe(lab, provider, node) for node in lab.former_computes(records.nodes(paths))],
    }


def _describe(lab: Lab, provider: Provider, node: Node) -> dict[str, Any]:
    nothing: dict[str, Any] = {"container": lab.container(node), "ssh": None, "image": "none", "create_args": []}
    return {**node.model_dump(mode="json"), **nothing, **provider.describe(node)}
