"""The networks that this machine has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from labctl.providers import host_networks

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ROUTES = [
    {"dst": "default", "gateway": "10.0.0.1", "dev": "eth0"},
    {"dst": "10.0.0.0/24", "dev": "eth0", "prefsrc": "10.0.0.7"},
    {"type": "unreachable", "dst": "10.9.9.9"},
]
ADDRESSES = [
    {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8}]},
    {"ifname": "tun0", "addr_info": [{"local": "172.20.3.4", "prefixlen": 16}]},
    {"ifname": "down0"},
]
PROC_ROUTE = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0100000A	0003	0	0	0	00000000	0	0	0
eth0	0000000A	00000000	0001	0	0	0	00FFFFFF	0	0	0
podman1	0038A8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""


def test_routes_and_addresses_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, found in (("route", ROUTES), ("addr", ADDRESSES)):
        (tmp_path / kind).write_text(json.dumps(found), encoding="utf-8")
    program = tmp_path / "ip"
    program.write_text(f'#!/bin/sh\nexec /bin/cat "{tmp_path}/$3"\n', encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    taken = host_networks.of_host()
    assert [(str(item.network), item.device) for item in taken] == [
        *(("10.0.0.0/24", "eth0"), ("10.9.9.9/32", None)),
        *(("127.0.0.0/8", "lo"), ("172.20.0.0/16", "tun0")),
    ]
    assert taken[0].by == "the host's route to 10.0.0.0/24 by eth0"
    assert taken[3].by == "the host's address 172.20.3.4/16 on tun0"


def test_routing_table_of_the_kernel(tmp_path: Path) -> None:
    path = tmp_path / "route"
    assert host_networks._from_proc(path) == []
    path.write_text(PROC_ROUTE, encoding="ascii")
    assert [(str(item.network), item.device) for item in host_networks._from_proc(path)] == [
        *(("10.0.0.0/24", "eth0"), ("192.168.56.0/24", "podman1")),
    ]
