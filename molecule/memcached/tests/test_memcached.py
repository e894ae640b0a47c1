"""memcached keeps what it is given."""

import socket

from testinfra.host import Host

testinfra_hosts = ["ansible://controller"]
UNITS = ["memcached"]


def ask(address: str, *lines: str) -> list[str]:
    """Lines of the text protocol, and what comes back until the connection is closed."""
    with socket.create_connection((address, 11211), timeout=5) as connection, connection.makefile("rw") as stream:
        stream.write("".join(f"{line}\r\n" for line in (*lines, "quit")))
        stream.flush()
        return stream.read().splitlines()


def test_value_set_is_read_again(address: str) -> None:
    assert ask(address, "set molecule 0 60 5", "hello") == ["STORED"]
    assert ask(address, "get molecule") == ["VALUE molecule 0 5", "hello", "END"]


def test_cache_size_is_the_roles_default(address: str) -> None:
    assert f"STAT limit_maxbytes {64 * 1024 * 1024}" in ask(address, "stats")


def test_memcached_listens_on_its_address_only(host: Host, address: str) -> None:
    assert host.service("memcached").is_enabled
    listening = [name for name in host.socket.get_listening_sockets() if name.endswith(":11211")]
    assert listening == [f"tcp://{address}:11211"]
