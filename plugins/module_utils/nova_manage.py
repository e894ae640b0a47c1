# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""nova-manage and the API database that it keeps its cells in."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ansible_collections.novalab.openstack.plugins.module_utils import service_database

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

CELL0_UUID = "00000000-0000-0000-0000-000000000000"
# What cell0 has instead of a message queue; Nova's own nova-manage writes it with three slashes.
NO_TRANSPORT = "none:///"
PREPARED = """
import sys
from nova.cmd.manage import main
if sys.stdin.readline():
    sys.argv[0] = "nova-manage"
    sys.exit(main())
"""


def manage(module: AnsibleModule, arguments: list[str], accept: Collection[int] = (0,)) -> tuple[int, str]:
    """Run nova-manage as Nova's user, so that its log file is Nova's; status and output, or failure of the module."""
    code, out, err = module.run_command(["runuser", "-u", "nova", "--", "nova-manage", *arguments])
    return ended(module, arguments, int(code), str(out) + str(err), accept), str(out)


class Prepared:
    """A command of nova-manage that is imported from now on, which takes two seconds of processor, and runs later.

    It runs as Nova's user. Without run() it ends with its caller and has done nothing.
    """

    def __init__(self, module: AnsibleModule, arguments: list[str]) -> None:
        self.module = module
        self.arguments = arguments
        self.process = subprocess.Popen(
            ["runuser", "-u", "nova", "--", "/usr/bin/python3", "-I", "-c", PREPARED, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def run(self, accept: Collection[int] = (0,)) -> int:
        """Its status, or failure of the module."""
        output = self.process.communicate("run\n")[0]
        return ended(self.module, self.arguments, self.process.returncode, output, accept)


def ended(module: AnsibleModule, arguments: list[str], code: int, output: str, accept: Collection[int]) -> int:
    """The status of nova-manage, or failure of the module when it is none of those."""
    if code not in accept:
        last = "\n".join(output.strip().splitlines()[-15:])
        module.fail_json(msg=f"'nova-manage {' '.join(arguments)}' ended with status {code}: {last}")
    return code


def cells(connection: Any) -> list[dict[str, Any]]:
    """The cell mappings as they stand in the table, templates and all: nova-manage prints them filled in."""
    found: list[dict[str, Any]] = service_database.rows(
        connection, "SELECT uuid, name, transport_url, database_connection, disabled FROM cell_mappings ORDER BY id"
    )
    return found


def mapped_hosts(connection: Any) -> dict[str, str]:
    """The name of the cell of each mapped host."""
    query = (
        "SELECT host_mappings.host AS host, cell_mappings.name AS cell FROM host_mappings"
        " JOIN cell_mappings ON cell_mappings.id = host_mappings.cell_id"
    )
    return {row["host"]: row["cell"] for row in service_database.rows(connection, query)}


def compute_services(connection: Any) -> set[str]:
    """The hosts of a cell's database whose nova-compute has registered itself, which is all that mapping needs."""
    query = "SELECT host FROM services WHERE `binary` = 'nova-compute' AND deleted = 0"
    return {row["host"] for row in service_database.rows(connection, query)}


def registered_computes(connection: Any) -> set[str]:
    """The hosts of a cell's database whose nova-compute has registered itself and then its compute node."""
    query = (
        "SELECT DISTINCT services.host AS host FROM services"
        " JOIN compute_nodes ON compute_nodes.host = services.host AND compute_nodes.deleted = 0"
        " WHERE services.`binary` = 'nova-compute' AND services.deleted = 0"
    )
    return {row["host"] for row in service_database.rows(connection, query)}
