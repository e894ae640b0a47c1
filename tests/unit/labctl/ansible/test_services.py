"""The roles' descriptions of their services: that they are valid, and that they agree with what the roles do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.ansible import services

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab


def test_units_of_a_lab(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(networking="none", computes=1)
    controller, compute = lab.nodes
    assert services.units(lab, compute) == ["nftables", "libvirtd", "nova-compute"]
    assert "nova-api-metadata" not in services.units(lab, controller)
    lab = make_lab(computes=1, dashboard=True)
    controller, compute = lab.nodes
    assert services.units(lab, controller)[:3] == ["nftables", "mariadb", "rabbitmq-server"]  # causes first
    assert {"nova-api-metadata", "guest-wire", "horizon"} <= set(services.units(lab, controller))
    assert services.reporting(lab) == {"controller": ["nova-conductor", "nova-scheduler"], "compute1": ["nova-compute"]}


def test_differences_of_a_release(make_lab: Callable[..., Lab]) -> None:
    mappings = "/etc/systemd/system/novalab-bridge-mappings.service"
    for release, expected in (("zed", True), ("epoxy", False)):
        lab = make_lab(release=release)
        assert (mappings in services.configuration(lab, lab.computes[0])) is expected


def test_configuration_of_a_node_is_that_of_its_roles(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(computes=1)
    controller, compute = (set(services.configuration(lab, node)) for node in lab.nodes)
    assert {"/etc/nova", "/etc/keystone", "/etc/default/nova-api", "/etc/memcached.conf", "/etc/mysql"} <= controller
    assert {"/etc/nova", "/etc/neutron", "/etc/libvirt", "/etc/default/libvirtd"} <= compute
    assert "/etc/keystone" not in compute
    assert not {"/etc", "/etc/default", "/etc/systemd"} & controller
