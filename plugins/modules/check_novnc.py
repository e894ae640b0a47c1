#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Check Nova's noVNC proxy as a browser meets it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_novnc
short_description: Check Nova's noVNC proxy as a browser meets it
version_added: "0.1.0"
description:
  - Gets the page, then opens a websocket with a token that nobody issued, which the proxy must close without a byte of
    a screen.
  - Opens a websocket with the token of each console that O(consoles) names, which must begin with RFB's version.
  - Runs where browsers are, so on the controlling machine.
  - A check that fails is reported in RV(checks) and does not fail the module.
author:
  - novalab contributors (@novalab)
options:
  node:
    description: The name of the proxy's node in the lab.
    type: str
    required: true
  url:
    description: The page's URL, as Nova tells it to users (C(novncproxy_base_url)).
    type: str
    required: true
  consoles:
    description: The URLs of consoles that Nova has issued, by the name of the server.
    type: dict
    default: {}
  timeout:
    description: Seconds for each answer.
    type: int
    default: 10
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Meet the proxy
  novalab.openstack.check_novnc:
    node: controller
    url: http://192.168.56.11:6080/vnc_lite.html
  delegate_to: localhost
"""

RETURN = r"""
checks:
  description: What was compared.
  type: list
  elements: dict
  returned: always
  sample:
    - {name: noVNC page, node: controller, expected: "200", found: "200", ok: true, detail: [], remedy: ""}
"""

import base64
import hashlib
import http.client
import os
import re
import socket
import urllib.parse
import uuid

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils.checks import Check, result

# RFC 6455, 1.3: what a server appends to the key before it hashes it.
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE = 8
# RFC 6143, 7.1.1: what a server says first.
RFB = b"RFB 003.008\n"
RFB_VERSION = re.compile(r"RFB \d{3}\.\d{3}")
REMEDY = "look at the unit nova-novncproxy, its log in /var/log/nova, and [vnc] in nova.conf"


def page_status(host: str, port: int, path: str, timeout: float) -> str:
    """The status of the page; OSError or HTTPException when there is none."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        return str(connection.getresponse().status)
    finally:
        connection.close()


def read_head(connection: socket.socket) -> tuple[str, bytes]:
    """An HTTP response's head, and what came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(4096)
        if not block:
            break
        data += block
    head, rest = data.partition(b"\r\n\r\n")[::2]
    return head.decode("latin-1"), rest


def open_session(host: str, port: int, token: str, timeout: float, enough: int = 2) -> tuple[str, bytes]:
    """Open a websocket with a token and read C(enough) bytes of its frames: what is wrong with the answer, if anything,
    and the bytes, fewer when the proxy closes. OSError when it does not answer."""
    key = base64.b64encode(os.urandom(16)).decode()
    request = [
        f"GET /?token={token} HTTP/1.1",
        f"Host: {host}:{port}",
        f"Origin: http://{host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: binary",
    ]
    with socket.create_connection((host, port), timeout=timeout) as connection:
        connection.sendall("\r\n".join([*request, "", ""]).encode())
        head, data = read_head(connection)
        status = head.splitlines()[0] if head else "no answer"
        if " 101 " not in f"{status} ":
            return status, b""
        accept = base64.b64encode(hashlib.sha1(f"{key}{MAGIC}".encode(), usedforsecurity=False).digest()).decode()
        if accept not in head:
            return "no websocket: Sec-WebSocket-Accept does not answer the key", b""
        while len(data) < enough and not closed(data):
            try:
                block = connection.recv(4096)
            except ConnectionResetError:
                break
            if not block:
                break
            data += block
    return "", data


def closed(data: bytes) -> bool:
    """Whether the first frame says that there will be no other."""
    return bool(data) and data[0] & 0x0F == CLOSE


def shut_out(host: str, port: int, token: str, timeout: float) -> tuple[bool, str]:
    """Whether the proxy refuses a token, and how, in words; OSError when it does not answer."""
    problem, data = open_session(host, port, token, timeout)
    if problem:
        return " 40" in problem, problem
    if not data or closed(data):
        return True, "a websocket that is closed at once"
    return False, f"{len(data)} bytes of a session"


def banner(host: str, port: int, token: str, timeout: float) -> tuple[bool, str]:
    """Whether a token leads to a screen, and what came first, in words; OSError when the proxy does not answer."""
    problem, data = open_session(host, port, token, timeout, enough=2 + len(RFB))
    if problem:
        return False, problem
    if not data or closed(data):
        return False, "a websocket that is closed at once"
    # A frame of a server: a byte with its kind, one with its length, which is below 126 here, then the bytes.
    said = data[2 : 2 + len(RFB)].decode("latin-1").strip()
    return bool(RFB_VERSION.fullmatch(said)), said


def token_of(url: str) -> str:
    """The token in a console's URL, which stands in the page's argument path."""
    path = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)).get("path", "")
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query)).get("token", "")


def check_console(node: str, name: str, url: str, timeout: float) -> Check:
    """Whether the console of a server shows a screen."""
    parts = urllib.parse.urlsplit(url)
    try:
        ok, said = banner(str(parts.hostname), parts.port or 80, token_of(url), timeout)
    except OSError as error:
        ok, said = False, f"no answer: {error}"
    return Check(f"screen of {name}", node, "RFB 003.008", said, ok=ok, remedy=REMEDY)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "url": {"type": "str", "required": True},
            "consoles": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    node, url, timeout = module.params["node"], module.params["url"], module.params["timeout"]
    parts = urllib.parse.urlsplit(url)
    host, port = str(parts.hostname), parts.port or 80
    try:
        status = page_status(host, port, parts.path, timeout)
    except (OSError, http.client.HTTPException) as error:
        status = f"no answer: {error}"
    try:
        refused, how = shut_out(host, port, str(uuid.uuid4()), timeout)
    except OSError as error:
        refused, how = False, f"no answer: {error}"
    module.exit_json(
        **result(
            [
                Check("noVNC page", node, f"200 for {url}", status, ok=status == "200", remedy=REMEDY),
                Check("noVNC refuses a wrong token", node, "a refusal", how, ok=refused, remedy=REMEDY),
                *(check_console(node, name, url, timeout) for name, url in module.params["consoles"].items()),
            ]
        )
    )


if __name__ == "__main__":
    main()
