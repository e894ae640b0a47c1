"""The table of ports in docs/security.md, from the roles' vars/services.yml: python -m tools.port_table."""

import re
from collections.abc import Iterator
from typing import get_args

from labctl.lab import service_files
from labctl.lab.paths import assets
from labctl.lab.service_files import Group

PAGE = assets() / "docs" / "security.md"
MARKS = ("<!-- ports -->\n", "<!-- end of ports -->\n")
CLIENTS = {
    "controller": "programs on the controller",
    "nodes": "the nodes",
    "host": "the nodes and this machine",
    "anybody": "everybody but instances",
}
_NODES = {"controller_nodes": "controller", "compute_nodes": "computes"}


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Node, port, what is there, and who may connect: the services of a lab with everything."""
    for group in get_args(Group):
        sets = (service_files.common_roles(), service_files.lab_roles(group))
        for role in (role for found in sets for roles in found.values() for role in roles):
            services = service_files.of_role(role)
            for port in services.ports:
                yield _NODES[group], f"{port.port}/{port.protocol}", port.use, CLIENTS[port.clients]
            for unit in services.units:
                if unit.port is not None and unit.clients is not None:
                    yield _NODES[group], f"{unit.port}/tcp", f"`{unit.name}`", CLIENTS[unit.clients]


def table() -> str:
    """The table in Markdown."""
    lines = ["| node | port | what | who connects |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows())]) + "\n"


def page(text: str) -> str:
    """The page with the table as it should be."""
    start, end = (re.escape(mark) for mark in MARKS)
    return re.sub(f"(?<={start}).*(?={end})", lambda _: table(), text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
