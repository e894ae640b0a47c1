"""Which ports are open, by trying all of them, and which may be, by the roles' descriptions."""

from collections.abc import Iterator
from typing import Any

from labctl.lab import service_files
from labctl.lab.service_files import Group

# Runs anywhere, also on a node: prints every TCP port of an address that accepts a connection.
SCAN = """
import asyncio, sys
async def scan(address):
    room, found = asyncio.Semaphore(500), []
    async def ask(port):
        async with room:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 3)
            except (OSError, asyncio.TimeoutError):
                return
            found.append(port)
            writer.close()
    await asyncio.gather(*map(ask, range(1, 65536)))
    return sorted(found)
print(*asyncio.run(scan(sys.argv[1])))
"""


def described(group: Group, features: tuple[str, ...]) -> Iterator[Any]:
    """Every unit and every other port of a group's nodes that has a TCP port."""
    for sets in (service_files.common_roles(), service_files.lab_roles(group)):
        for role in (role for feature in features for role in sets.get(feature, ())):
            services = service_files.of_role(role)
            units = [unit for unit in services.units if unit.port and unit.feature in (None, *features)]
            yield from (*units, *(port for port in services.ports if port.protocol == "tcp"))


def open_to(clients: tuple[str, ...], group: Group, features: tuple[str, ...]) -> set[int]:
    """The single TCP ports of a group's nodes that some clients may reach."""
    found = (entry for entry in described(group, features) if entry.clients in (*clients, "anybody"))
    return {entry.port for entry in found if isinstance(entry.port, int)}
