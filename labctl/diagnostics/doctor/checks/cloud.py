"""Checks of what Nova's databases say: cells, mapped hosts, services, identities of computes, broken servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.ansible import services
from labctl.diagnostics.doctor.case import Case, controller_units, node_subject, settings_subject, unit_subject
from labctl.diagnostics.doctor.finding import Finding, Severity, check

if TYPE_CHECKING:
    from collections.abc import Iterator

_CELLS = ["cell0", "cell1"]
_ON_CONTROLLER = "labctl ssh controller -- sudo nova-manage cell_v2"


@check("cells", "cell0 and cell1 are there, once each, enabled, as templates")
def cells(case: Case) -> Iterator[Finding]:
    """Cells that are missing, twice there, disabled, or that do not follow nova.conf."""
    found = case.cloud.get("cells")
    if found is None:
        return
    names = [cell["name"] for cell in found]
    for name in _CELLS:
        if name not in names:
            yield Finding(
                case.controller,
                f"{name} is missing",
                (f"cells: {', '.join(names) or 'none'}",),
                "labctl up creates it",
                subject="cells",
            )
    for cell in found:
        same = [other for other in found if other["name"] == cell["name"]]
        if cell["name"] not in _CELLS or (len(same) > 1 and cell is same[-1]):
            what = (
                f"a second cell is named {cell['name']}"
                if len(same) > 1
                else f"there is a cell {cell['name']} that is not of this lab"
            )
            yield Finding(
                case.controller,
                what,
                tuple(f"{other['name'] or '(no name)'} {other['uuid']}" for other in found),
                f"when no host is in it: {_ON_CONTROLLER} delete_cell --cell_uuid {cell['uuid']}",
            )
        if cell["disabled"]:
            yield Finding(
                case.controller,
                f"{cell['name']} is disabled: no server is scheduled there",
                (f"{cell['name']} {cell['uuid']} has disabled = true",),
                f"{_ON_CONTROLLER} update_cell --cell_uuid {cell['uuid']} --enable",
            )
        if cell["fixed"]:
            yield Finding(
                case.controller,
                f"{cell['name']} has URLs of its own, and does not follow nova.conf",
                (f"{', '.join(cell['fixed'])} of {cell['name']} is no template",),
                "labctl up writes the templates back and restarts what keeps them in memory",
                Severity.WARNING,
            )


@check("host-mapping", "every compute is mapped to a cell, and nothing else is")
def host_mapping(case: Case) -> Iterator[Finding]:
    """Computes that Nova does not use, and mappings of computes that are gone."""
    mapped = case.cloud.get("mapped")
    if mapped is None:
        return
    computes = {node.name for node in case.lab.computes}
    for name in sorted(computes - set(mapped)):
        yield Finding(
            name,
            f"Host '{name}' is not mapped to any cell",
            (f"host_mappings has {', '.join(sorted(mapped)) or 'nobody'}",),
            f"labctl up, or: {_ON_CONTROLLER} discover_hosts --by-service",
            because=(node_subject(name), unit_subject(name, "nova-compute"), "cells"),
        )
    for name in sorted(set(mapped) - computes):
        yield Finding(
            case.controller,
            f"the host {name} is mapped to {mapped[name]} and not in the lab",
            (f"host_mappings has {', '.join(sorted(mapped))}",),
            f"{_ON_CONTROLLER} delete_host --host {name} --cell_uuid UUID (from list_cells)",
            Severity.WARNING,
        )


@check("service", "every service of Nova reports, is enabled, and is of this lab")
def service(case: Case) -> Iterator[Finding]:
    """Services that are down, disabled, or left over from a node that is gone."""
    rows = case.cloud.get("services")
    if rows is None:
        return
    expected = {(host, binary) for host, binaries in services.reporting(case.lab).items() for binary in binaries}
    for row in rows:
        host, binary = row["host"], row["binary"]
        if (host, binary) not in expected:
            yield Finding(
                case.controller,
                f"{binary} on {host} is registered and not of this lab",
                (f"services has {binary} on {host}, last heard of {row['age']} s ago",),
                "with the id from `openstack compute service list`: openstack compute service delete ID",
                Severity.WARNING,
            )
            continue
        reason = f" ({row['disabled_reason']})" if row["disabled_reason"] else ""
        if row["disabled"]:
            yield Finding(
                host,
                f"{binary} on {host} is disabled{reason}: no server is scheduled there",
                (f"disabled_reason: {row['disabled_reason'] or 'none given'}",),
                f"openstack compute service set --enable {host} {binary}",
                Severity.WARNING,
            )
        if row["forced_down"]:
            yield Finding(
                host,
                f"{binary} on {host} was forced down",
                ("forced_down is set in the table services",),
                f"openstack compute service set --up {host} {binary}",
            )
        if row["down"]:
            yield Finding(
                host,
                f"{binary} on {host} is down for Nova",
                (f"last heard of {row['age']} s ago; after 60 s (service_down_time) it counts as down",),
                f"labctl ssh {host} -- sudo systemctl restart {binary}; /var/log/nova/{binary}.log there says why",
                because=_silence(case, host, binary),
                since=row.get("updated_at"),
            )
    for host, binary in sorted(expected - {(row["host"], row["binary"]) for row in rows}):
        yield Finding(
            host,
            f"{binary} on {host} has never reported to Nova",
            (f"services has {len(rows)} rows, none for it",),
            f"labctl ssh {host} -- sudo systemctl restart {binary}; /var/log/nova/{binary}.log there says why",
            because=_silence(case, host, binary),
        )


def _silence(case: Case, host: str, binary: str) -> tuple[str, ...]:
    """Why a service may not report."""
    shared = controller_units(case, "mariadb", "rabbitmq-server", "nova-conductor")
    own = (
        node_subject(host),
        unit_subject(host, binary),
        unit_subject(host, "libvirtd"),
        settings_subject(host, "nova"),
    )
    logins = (f"login of nova on {host} at RabbitMQ", f"login of nova on {case.controller} at RabbitMQ")
    return (
        *own,
        *logins,
        *shared,
        f"login of nova on {case.controller} at MariaDB",
        f"clock of {host}",
        f"compute_id of {host}",
    )


@check("compute-identity", "each compute is who Nova's database says")
def compute_identity(case: Case) -> Iterator[Finding]:
    """A compute_id that is another's or not the registered one: nova-compute refuses to start."""
    registered = case.cloud.get("compute_nodes")
    if registered is None:
        return
    by_host = {row["host"]: row for row in registered}
    by_id = {row["uuid"]: row["host"] for row in registered}
    for name, facts in case.computes():
        identity = facts["identity"]["compute_id"]
        row = by_host.get(name)
        if row is None or not identity or row["uuid"] == identity:
            continue
        owner = by_id.get(identity)
        yield Finding(
            name,
            f"{name} has the identity of {owner}" if owner else f"{name} has another identity than Nova knows it by",
            (f"/var/lib/nova/compute_id is {identity}, the table compute_nodes has {row['uuid']} for {name}",),
            f"labctl ssh {name} -- 'echo {row['uuid']} | sudo tee /var/lib/nova/compute_id; "
            "sudo systemctl restart nova-compute'",
            subject=f"compute_id of {name}",
        )


@check("servers", "no server is in status ERROR")
def servers(case: Case) -> Iterator[Finding]:
    """Servers that could not be built, such as for \"No valid host was found\"."""
    found = case.cloud.get("servers_in_error") or []
    if found:
        yield Finding(
            case.controller,
            f"{len(found)} servers are in status ERROR"
            if len(found) > 1
            else f"the server {found[0]['display_name']} is in status ERROR",
            tuple(
                f"{row['display_name']} ({row['uuid']})" + (f" on {row['host']}" if row["host"] else ", on no host")
                for row in found[:8]
            ),
            f"labctl explain {found[0]['uuid']} says why",
            Severity.WARNING,
        )
