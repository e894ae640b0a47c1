"""memcached keeps what it is given, for programs of its node only."""

from testinfra.host import Host

testinfra_hosts = ["ansible://controller"]
UNITS = ["memcached"]
# Lines of the text protocol go in, and what comes back until the connection is closed goes out.
ASK = (
    "import socket, sys; c = socket.create_connection(('127.0.0.1', 11211), timeout=5);"
    " c.sendall(sys.argv[1].encode().decode('unicode_escape').encode()); print(c.makefile().read())"
)


def ask(host: Host, *lines: str) -> list[str]:
    text = "".join(f"{line}\\r\\n" for line in (*lines, "quit"))
    return [line for line in host.run_expect([0], "python3 -c %s %s", ASK, text).stdout.splitlines() if line]


def test_value_set_is_read_again(host: Host) -> None:
    assert ask(host, "set molecule 0 60 5", "hello") == ["STORED"]
    assert ask(host, "get molecule") == ["VALUE molecule 0 5", "hello", "END"]


def test_cache_size_is_the_roles_default(host: Host) -> None:
    assert f"STAT limit_maxbytes {64 * 1024 * 1024}" in ask(host, "stats")


def test_memcached_listens_on_the_loopback_address_only(host: Host) -> None:
    assert host.service("memcached").is_enabled
    listening = [name for name in host.socket.get_listening_sockets() if name.endswith(":11211")]
    assert listening == ["tcp://127.0.0.1:11211"]
