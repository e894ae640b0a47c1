"""Checks of what Nova's databases say: cells, mapped hosts, services, identities of computes, broken servers."""

from labctl.ansible import services
from labctl.diagnostics.doctor.case import Case, NodeCase, compute_check, lab_check
from labctl.diagnostics.doctor.finding import Finding, Findings, error, node_and_units, settings_subject, warning

_CELLS = ["cell0", "cell1"]
_ON_CONTROLLER = "labctl ssh controller -- sudo nova-manage cell_v2"


@lab_check("cells", "cell0 and cell1 exist, once each, enabled, as templates")
def cells(case: Case) -> Findings:
    found = case.cloud.get("cells")
    if found is None:
        return
    names = [cell["name"] for cell in found]
    for name in _CELLS:
        if name not in names:
            evidence = f"cells: {', '.join(names) or 'none'}"
            yield error(f"{name} is missing", evidence, "labctl up creates it", subject="cells")
    for cell in found:
        name, uuid = cell["name"], cell["uuid"]
        same = [other for other in found if other["name"] == name]
        if name not in _CELLS or (len(same) > 1 and cell is same[-1]):
            yield error(
                f"a second cell is named {name}"
                if len(same) > 1
                else f"there is a cell {name} that is not of this lab",
                [f"{other['name'] or '(no name)'} {other['uuid']}" for other in found],
                f"when no host is in it: {_ON_CONTROLLER} delete_cell --cell_uuid {uuid}",
            )
        if cell["disabled"]:
            yield error(
                f"{name} is disabled: no server is scheduled there",
                f"{name} {uuid} has disabled = true",
                f"{_ON_CONTROLLER} update_cell --cell_uuid {uuid} --enable",
            )
        if cell["fixed"]:
            yield warning(
                f"{name} has URLs of its own, and does not follow nova.conf",
                f"{', '.join(cell['fixed'])} of {name} is no template",
                "labctl up writes the templates back and restarts what keeps them in memory",
            )


@lab_check("host-mapping", "every compute is mapped to a cell, and nothing else is")
def host_mapping(case: Case) -> Findings:
    mapped = case.cloud.get("mapped")
    if mapped is None:
        return
    evidence = f"host_mappings has {', '.join(sorted(mapped)) or 'nobody'}"
    computes = {node.name for node in case.lab.computes}
    for name in sorted(computes - set(mapped)):
        yield error(
            f"Host '{name}' is not mapped to any cell",
            evidence,
            f"labctl up, or: {_ON_CONTROLLER} discover_hosts --by-service",
            where=name,
            because=(*node_and_units(name, "nova-compute"), "cells"),
        )
    for name in sorted(set(mapped) - computes):
        yield warning(
            f"the host {name} is mapped to {mapped[name]} and not in the lab",
            evidence,
            f"{_ON_CONTROLLER} delete_host --host {name} --cell_uuid UUID (from list_cells)",
        )


@lab_check("service", "every service of Nova reports, is enabled, and is of this lab")
def service(case: Case) -> Findings:
    rows = case.cloud.get("services")
    if rows is None:
        return
    expected = {(host, binary) for host, binaries in services.reporting(case.lab).items() for binary in binaries}
    for row in rows:
        host, binary = row["host"], row["binary"]
        heard = f"last heard of {row['age']} s ago"
        if (host, binary) not in expected:
            yield warning(
                f"{binary} on {host} is registered and not of this lab",
                f"services has {binary} on {host}, {heard}",
                "with the id from `openstack compute service list`: openstack compute service delete ID",
            )
            continue
        if row["disabled"]:
            reason = row["disabled_reason"]
            yield warning(
                f"{binary} on {host} is disabled{f' ({reason})' if reason else ''}: no server is scheduled there",
                f"disabled_reason: {reason or 'none given'}",
                f"openstack compute service set --enable {host} {binary}",
                where=host,
            )
        if row["forced_down"]:
            yield error(
                f"{binary} on {host} was forced down",
                "forced_down is set in the table services",
                f"openstack compute service set --up {host} {binary}",
                where=host,
            )
        if row["down"]:
            what, evidence = "is down for Nova", f"{heard}; after 60 s (service_down_time) it counts as down"
            yield _unheard(case, host, binary, what, evidence, row.get("updated_at"))
    for host, binary in sorted(expected - {(row["host"], row["binary"]) for row in rows}):
        yield _unheard(case, host, binary, "has never reported to Nova", f"services has {len(rows)} rows, none for it")


def _unheard(case: Case, host: str, binary: str, what: str, evidence: str, since: str | None = None) -> Finding:
    """A finding about a service that does not report, with all that may keep it from that."""
    return error(
        f"{binary} on {host} {what}",
        evidence,
        f"labctl ssh {host} -- sudo systemctl restart {binary}; /var/log/nova/{binary}.log there says why",
        where=host,
        because=(
            *node_and_units(host, binary, "libvirtd"),
            settings_subject(host, "nova"),
            f"login of nova on {host} at RabbitMQ",
            f"login of nova on {case.controller} at RabbitMQ",
            *case.controller_units("mariadb", "rabbitmq-server", "nova-conductor"),
            f"login of nova on {case.controller} at MariaDB",
            f"clock of {host}",
            f"compute_id of {host}",
        ),
        since=since,
    )


@compute_check("compute-identity", "each compute is who Nova's database says")
def compute_identity(node: NodeCase) -> Findings:
    """A compute_id that is another's or not the registered one: nova-compute refuses to start."""
    registered = node.case.cloud.get("compute_nodes", ())
    name, identity = node.name, node.facts["identity"]["compute_id"]
    known = next((row["uuid"] for row in registered if row["host"] == name), identity)
    if identity and identity != known:
        owner = next((row["host"] for row in registered if row["uuid"] == identity), None)
        yield error(
            f"{name} has the identity of {owner}" if owner else f"{name} has another identity than Nova knows it by",
            f"/var/lib/nova/compute_id is {identity}, the table compute_nodes has {known} for {name}",
            f"labctl ssh {name} -- 'echo {known} | sudo tee /var/lib/nova/compute_id; "
            "sudo systemctl restart nova-compute'",
            subject=f"compute_id of {name}",
        )


@lab_check("servers", "no server is in status ERROR")
def servers(case: Case) -> Findings:
    """Servers that could not be built, with \"No valid host was found\" for example."""
    found = case.cloud.get("servers_in_error")
    if found:
        several, name = len(found) > 1, found[0]["display_name"]
        yield warning(
            f"{len(found)} servers are in status ERROR" if several else f"the server {name} is in status ERROR",
            [f"{row['display_name']} ({row['uuid']}) on {row['host'] or 'no host'}" for row in found[:8]],
            f"labctl explain {found[0]['uuid']} says why",
        )
