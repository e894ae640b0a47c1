# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""How computes are taken out of a cloud: what is refused, in which order things go, what is left alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils import cloud
from ansible_collections.novalab.openstack.plugins.modules import compute_cleanup, compute_removal
from ansible_collections.novalab.openstack.plugins.modules.compute_removal import REASON, Server, Service
from keystoneauth1.exceptions import ConnectFailure
from openstack.exceptions import HttpException

if TYPE_CHECKING:
    from collections.abc import Iterable

DEMO = Server("s1", "demo-compute3", "compute3")


class Cloud:
    """A cloud that remembers what it was told. late counts how often a server that was deleted is still there."""

    def __init__(self, *, servers: Iterable[Server] = (), late: int = 0, up: bool = True, **service: Any) -> None:  # noqa: ANN401
        row = {"enabled": True, "up": up, "forced_down": False, **service}
        self.rows = [Service("v3", "compute3", **row)]
        self.there = list(servers)
        self.late = late
        self.told: list[str] = []
        self.left = {"p3": "compute3"}

    def services(self, hosts: Iterable[str]) -> list[Service]:
        return [row for row in self.rows if row.host in hosts]

    def enable(self, service: Service) -> None:
        self.told.append(f"enable {service.host}")

    def disable(self, service: Service) -> None:
        self.told.append(f"disable {service.host}")

    def force_down(self, service: Service) -> None:
        self.told.append(f"force down {service.host}")

    def delete_service(self, service: Service) -> None:
        self.told.append(f"delete service {service.host}")
        self.rows.remove(service)

    def servers(self, hosts: Iterable[str]) -> list[Server]:
        deleted = {line.split()[-1] for line in self.told if line.startswith("delete server")}
        if deleted and self.late > 0:
            self.late -= 1
            return self.there
        return [server for server in self.there if server.host in hosts and server.id not in deleted]

    def delete_server(self, server: Server) -> None:
        self.told.append(f"delete server {server.id}")

    def marked_ports(self, server: Server) -> list[str]:
        return [f"port-of-{server.id}"]

    def delete_port(self, port_id: str) -> None:
        self.told.append(f"delete {port_id}")

    def providers(self, hosts: Iterable[str]) -> dict[str, str]:
        return {key: name for key, name in self.left.items() if name in hosts}

    def free_provider(self, provider_id: str) -> list[str]:
        return [f"consumer-of-{provider_id}"]

    def delete_provider(self, provider_id: str) -> None:
        self.told.append(f"delete provider {provider_id}")

    def agents(self, hosts: Iterable[str]) -> dict[str, str]:
        return {"a3": f"OVN Controller agent on {' '.join(hosts)}"}

    def delete_agent(self, agent_id: str) -> None:
        self.told.append(f"delete agent {agent_id}")


def drain(
    own: Cloud, *, dead: Iterable[str] = (), evict: bool = False, timeout: int = 5, check: bool = False
) -> list[str]:
    cloud_ = cast("compute_removal.Cloud", own)
    done: list[str] = compute_removal.drain(
        cloud_, ["compute3"], list(dead), evict=evict, networking=True, timeout=timeout, check=check
    )
    return done


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


def test_servers_are_refused_before_anything_is_changed() -> None:
    own = Cloud(servers=[DEMO])
    with pytest.raises(ValueError, match=r"there are servers on compute3: demo-compute3\. Expected: none"):
        drain(own)
    assert own.told == []


def test_an_empty_compute_is_disabled() -> None:
    own = Cloud()
    assert drain(own) == ["disabled nova-compute on compute3"]
    assert own.told == ["disable compute3"]


def test_removal_again_does_nothing() -> None:
    own = Cloud(enabled=False, reason=REASON)
    assert (drain(own), own.told) == ([], [])


def test_eviction_deletes_servers_then_their_ports() -> None:
    """The port that was made for the server goes when the server has gone."""
    own = Cloud(servers=[DEMO], late=2)
    assert drain(own, evict=True) == ["disabled nova-compute on compute3", "deleted server demo-compute3 on compute3"]
    assert own.told == ["disable compute3", "delete server s1", "delete port-of-s1"]


def test_eviction_in_check_mode() -> None:
    own = Cloud(servers=[DEMO])
    assert len(drain(own, evict=True, check=True)) == 2
    assert own.told == []


def test_a_dead_compute_is_told_of() -> None:
    own = Cloud(servers=[DEMO])
    drain(own, evict=True, dead=["compute3"])
    assert own.told[:3] == ["disable compute3", "force down compute3", "delete server s1"]


def test_a_compute_that_turns_out_to_be_dead() -> None:
    """Its servers are deleted once more, and then Nova does it."""
    own = Cloud(servers=[DEMO], late=3, up=False)
    drain(own, evict=True)
    assert own.told.count("delete server s1") == 2


def test_servers_that_do_not_go_are_named() -> None:
    with pytest.raises(ValueError, match="not gone after -1 s are the servers on compute3: demo-compute3"):
        drain(Cloud(servers=[DEMO], late=9), evict=True, timeout=-1)


def test_a_server_that_came_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compute is scheduled to as before."""
    own = Cloud()
    monkeypatch.setattr(own, "servers", lambda _: [DEMO] if own.told else [])
    with pytest.raises(ValueError, match="meanwhile servers came on compute3: demo-compute3"):
        drain(own)
    assert own.told == ["disable compute3", "enable compute3"]


def test_removal_takes_service_allocations_and_agents() -> None:
    own = Cloud()
    done = compute_removal.remove(cast("compute_removal.Cloud", own), ["compute3"], networking=True, check=False)
    assert done == [
        "deleted the service nova-compute on compute3",
        "deleted the allocations of consumer-of-p3, which is no server",
        "deleted the resource provider compute3",
        "deleted the agent OVN Controller agent on compute3",
    ]
    assert own.told == ["delete service compute3", "delete provider p3", "delete agent a3"]


def test_what_somebody_else_disabled_stays_so() -> None:
    for reason, told in ((REASON, ["enable compute3"]), ("broken disk", [])):
        own = Cloud(enabled=False, reason=reason)
        compute_removal.keep(cast("compute_removal.Cloud", own), ["compute3"], check=False)
        assert own.told == told


def test_a_cloud_that_is_about_to_start_is_waited_for() -> None:
    answers: list[Exception | list[str]] = [
        ConnectFailure("refused"),
        HttpException("starting", http_status=503),
        ["x"],
    ]

    def act() -> list[str]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert compute_removal.patiently(act, 5) == ["x"]
    answers[:] = [HttpException("no", http_status=403), []]
    with pytest.raises(HttpException):
        compute_removal.patiently(act, 5)
    assert not cloud.may_pass(ValueError())


def test_queues_of_removed_hosts_only_are_found() -> None:
    listing = "compute\ncompute.compute3\ncompute.compute1\ncompute.compute30\nscheduler\n"
    assert compute_cleanup.queues(listing, ["compute3", "compute4"]) == ["compute.compute3"]


def test_chassis_of_removed_hosts_only_are_found() -> None:
    """Of hosts that left, and records without a chassis, as an ovn-controller that ends may leave them."""
    rows = compute_cleanup.table(
        json.dumps({"headings": ["name", "hostname"], "data": [["u1", "compute1"], ["u3", "compute3"]]})
    )
    private = compute_cleanup.table(
        json.dumps(
            {
                "headings": ["name", "chassis"],
                "data": [["u1", ["uuid", "1"]], ["u3", ["uuid", "3"]], ["u9", ["set", []]]],
            }
        )
    )
    assert compute_cleanup.chassis(rows, private, ["compute3"]) == [
        ("the chassis of compute3", ["--if-exists", "chassis-del", "u3"]),
        ("the record of chassis u3", ["--if-exists", "destroy", "Chassis_Private", "u3"]),
        ("the record of chassis u9", ["--if-exists", "destroy", "Chassis_Private", "u9"]),
    ]
