"""On a node: check options that somebody wants to set against what its services know.

Prints a JSON array of complaints, each with the name of the file of overrides, line, key, found and expected.
"""

import json
from typing import Any

from ansible_collections.novalab.openstack.plugins.module_utils import oslo_options


def complaints(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Those about one file; none if the service has not been configured yet."""
    try:
        with open(job["path"], encoding="utf-8") as file:
            template = file.read()
    except OSError:
        return []
    return [{**found, "name": job["name"]} for found in oslo_options.complaints({**job, "template": template})]


def main(arguments: dict[str, Any]) -> None:
    """Take jobs, each with name and text of an override, and path, namespaces and aliases of what it is merged into."""
    print(json.dumps([found for job in arguments["jobs"] for found in complaints(job)]))
