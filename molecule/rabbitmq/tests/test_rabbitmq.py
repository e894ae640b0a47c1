"""A message goes through the broker with the service's user, and guest does not get in."""

import urllib.parse

from testinfra.host import Host

testinfra_hosts = ["ansible://controller"]
UNITS = ["rabbitmq-server"]
LOGS = ["/var/log/rabbitmq/rabbitmq-server.log"]

# With the library that the services use, from the node's own Python.
SEND = """
import sys, kombu
address, user, password = sys.argv[1:]
with kombu.Connection(hostname=address, userid=user, password=password, connect_timeout=10) as connection:
    connection.connect()
    queue = connection.SimpleQueue("molecule")
    queue.put({"said": "hello"})
    message = queue.get(timeout=10)
    message.ack()
    queue.queue.delete()
    print(message.payload["said"])
"""


def test_message_sent_is_received(host: Host, address: str, secrets: dict[str, str]) -> None:
    password = urllib.parse.quote(secrets["rabbitmq_nova"], safe="")  # see lab_rabbitmq_nova_password
    said = host.run("/usr/bin/python3 -c %s %s nova %s", SEND, address, password)
    assert (said.rc, said.stdout) == (0, "hello\n"), said.stderr


def test_user_guest_is_refused(host: Host, address: str) -> None:
    said = host.run("/usr/bin/python3 -c %s %s guest guest", SEND, address)
    assert said.rc != 0
    assert "ACCESS_REFUSED" in said.stderr


def test_users_are_nova_and_neutron_without_tags(host: Host) -> None:
    users = host.check_output("rabbitmqctl -q list_users --no-table-headers").splitlines()
    assert sorted(line.split() for line in users) == [["neutron", "[]"], ["nova", "[]"]]


def test_amqp_only_is_open_to_others(host: Host, address: str) -> None:
    """Of all that the broker's processes listen on: Erlang's machine, and its port mapper, which systemd could hold."""
    lines = [line.split(maxsplit=5) for line in host.check_output("ss -Htlnp").splitlines()]
    ports = {line[3] for line in lines if any(name in line[-1] for name in ("beam.smp", "epmd"))}
    ports |= {line[3] for line in lines if line[3].endswith(":4369")}
    assert {port for port in ports if not port.startswith(("127.", "[::1]:"))} == {f"{address}:5672"}
