"""The proxy serves noVNC's page, and shows nobody a screen without a token that Nova has issued."""

import base64
import os
import socket
import urllib.request
import uuid

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://controller"]
UNITS = ["nova-novncproxy"]
LOGS = ["/var/log/nova/nova-novncproxy.log"]


def refused(host: Host) -> int:
    """How often the proxy has said so of a token (nova.exception.InvalidToken)."""
    return int(host.run("grep -c 'The token .* is invalid or has expired' %s", LOGS[0]).stdout)


def test_novnc_page_is_served(address: str) -> None:
    with urllib.request.urlopen(f"http://{address}:6080/vnc_lite.html", timeout=10) as page:
        assert b"noVNC" in page.read()


@pytest.mark.parametrize("query", ["", f"?token={uuid.uuid4()}"], ids=["no token", "wrong token"])
def test_websocket_with_a_wrong_token_is_closed(host: Host, address: str, query: str) -> None:
    """A websocket (RFC 6455) that is closed before a byte of RFB comes, and not for another reason than the token."""
    head = {
        "Host": f"{address}:6080",
        "Origin": f"http://{address}:6080",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "binary",
    }
    refusals = refused(host)
    lines = [f"GET /{query} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    with socket.create_connection((address, 6080), timeout=10) as connection, connection.makefile("rwb") as stream:
        stream.write("\r\n".join(lines).encode())
        stream.flush()
        answer = stream.read()
    assert answer.startswith(b"HTTP/1.1 "), answer
    assert b"RFB" not in answer
    assert refused(host) > refusals, "the refusal has another reason"


@pytest.mark.parametrize("unit", ["nova-serialproxy", "nova-spicehtml5proxy"])
def test_proxies_other_than_novnc_do_not_run(host: Host, unit: str) -> None:
    assert not host.service(unit).is_running
