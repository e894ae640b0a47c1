# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""How the console proxy may refuse a token, against a server of a few lines."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from ansible_collections.novalab.openstack.plugins.modules import check_novnc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def switching(frames: bytes, key: str | None = None) -> Callable[[str], bytes]:
    """A websocket that is accepted, then these frames; key takes the place of the client's."""

    def answer(request: str) -> bytes:
        found = re.search(r"Sec-WebSocket-Key: (\S+)", request)
        assert found is not None
        text = f"{key or found[1]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()
        head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", f"Sec-WebSocket-Accept: {accept}", "", ""]
        return "\r\n".join(head).encode() + frames

    return answer


def fixed(text: str) -> Callable[[str], bytes]:
    return lambda _: text.encode()


@contextlib.contextmanager
def server(answer: Callable[[str], bytes], requests: list[str], *, hang: bool = False) -> Iterator[int]:
    """Answers one request and closes the connection, or keeps it open until the test ends."""
    done = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(4096)
            requests.append(request.decode())
            connection.sendall(answer(requests[0]))
            if hang:
                done.wait(5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            thread.join(5)


@pytest.mark.parametrize(
    ("answer", "refused", "how"),
    [
        (fixed("HTTP/1.1 403 Forbidden\r\n\r\n"), True, "HTTP/1.1 403 Forbidden"),
        (fixed("HTTP/1.1 200 OK\r\n\r\n<html>"), False, "HTTP/1.1 200 OK"),
        (fixed("HTTP/1.1 500 Internal Server Error\r\n\r\n"), False, "HTTP/1.1 500 Internal Server Error"),
        (fixed(""), False, "no answer"),
        (switching(b""), True, "a websocket that is closed at once"),
        (switching(b"\x88\x02\x03\xe8"), True, "a websocket that is closed at once"),
        (switching(b"\x82\x0cRFB 003.008\n"), False, "14 bytes of a session"),
        (switching(b"", key="another"), False, "no websocket: Sec-WebSocket-Accept does not answer the key"),
    ],
)
def test_websocket_with_a_wrong_token_is_shut_out(answer: Callable[[str], bytes], refused: bool, how: str) -> None:
    requests: list[str] = []
    with server(answer, requests) as port:
        assert check_novnc.shut_out("127.0.0.1", port, "wrong-token", 5) == (refused, how)
    assert requests[0].startswith("GET /?token=wrong-token HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}\r\n" in requests[0]
    assert f"Origin: http://127.0.0.1:{port}\r\n" in requests[0]


def test_a_session_that_stays_open_is_no_refusal() -> None:
    with server(switching(b""), [], hang=True) as port, pytest.raises(TimeoutError):
        check_novnc.shut_out("127.0.0.1", port, "wrong-token", 0.2)


def test_proxy_that_does_not_listen_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        check_novnc.shut_out("127.0.0.1", port, "wrong-token", 1)


@pytest.mark.parametrize("status", ["200", "404"])
def test_page_status_is_that_of_the_answer(status: str) -> None:
    requests: list[str] = []
    with server(fixed(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"), requests) as port:
        assert check_novnc.page_status("127.0.0.1", port, "/vnc_lite.html", 5) == status
    assert requests[0].startswith("GET /vnc_lite.html ")


@pytest.mark.parametrize(
    ("answer", "ok", "said"),
    [
        (switching(b"\x82\x0cRFB 003.008\n"), True, "RFB 003.008"),
        (switching(b"\x82\x0cRFB 003.889\n"), True, "RFB 003.889"),
        (switching(b"\x82\x05hello"), False, "hello"),
        (switching(b"\x88\x02\x03\xe8"), False, "a websocket that is closed at once"),
        (switching(b""), False, "a websocket that is closed at once"),
        (fixed("HTTP/1.1 403 Forbidden\r\n\r\n"), False, "HTTP/1.1 403 Forbidden"),
    ],
)
def test_console_that_does_not_speak_rfb_fails_the_check(answer: Callable[[str], bytes], ok: bool, said: str) -> None:
    requests: list[str] = []
    with server(answer, requests) as port:
        url = f"http://127.0.0.1:{port}/vnc_lite.html?path=%3Ftoken%3Df42ca50d-2df7"
        check = check_novnc.check_console("controller", "demo", url, 5)
    assert (check.ok, check.found) == (ok, said)
    assert requests[0].startswith("GET /?token=f42ca50d-2df7 HTTP/1.1\r\n")
