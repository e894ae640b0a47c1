"""Checks of what the services on the nodes need of each other: logins, APIs, ports, libvirt, OVN, consoles."""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING

from labctl.ansible import services
from labctl.diagnostics.doctor.case import (
    Case,
    Facts,
    controller_units,
    node_subject,
    settings_subject,
    unit_subject,
)
from labctl.diagnostics.doctor.finding import Finding, Severity, check

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVERYWHERE = ("0.0.0.0", "*", "[::]")  # noqa: S104 (what ss prints)
_STARTING = 30.0  # seconds that a unit has to open its port
_CHARSETS = ("utf8mb3", "utf8mb4", "utf8")
_NEARLY = 0.85  # of the allowed connections
_WORKERS = 6  # processes of one unit that a small lab never needs; more are fine where there are more processors
_INVENTORY = {"VCPU", "MEMORY_MB", "DISK_GB"}
_MALFORMED = "percent-encode every special character of the password in it, or let labctl up write the file"


def _login(login: Facts) -> str:
    """Where a login is written down."""
    sections = login.get("sections") or [login["section"]]
    return f"{', '.join(f'[{section}]' for section in sections)} of {login['file']}"


def _refused(name: str, login: Facts, what: str, server: str) -> Finding:
    """A finding about a login that did not work; the cause of one that found no server may be the server's unit."""
    told = {
        "refused": f"{what} refuses the user {login.get('user')} of {login['service']} on {name}",
        "unreachable": f"{login['service']} on {name} does not reach {what} at {login.get('host')}:{login.get('port')}",
        "malformed": f"{login['service']} on {name} has a URL for {what} that is none",
    }.get(login["kind"], f"{what} does not serve {login['service']} on {name}")
    remedies = {
        "refused": f"the password in {_login(login)} is not the server's: labctl up writes both from one place",
        "unreachable": f"look at the unit {server} on the controller, at the address in {_login(login)}, and at "
        "firewalls between",
        "malformed": _MALFORMED,
    }
    return Finding(
        name,
        told,
        (f"{_login(login)}: {login['error']}",),
        remedies.get(login["kind"], f"look at the unit {server} on the controller"),
        subject=f"login of {login['service']} on {name} at {what}",
    )


@check("database-login", "every service gets into its database")
def database_login(case: Case) -> Iterator[Finding]:
    """Logins to MariaDB, each with the service's own URL."""
    for name, facts in case.nodes.items():
        for login in facts["logins"]["database"]:
            if login["kind"] != "ok":
                found = _refused(name, login, "MariaDB", "mariadb")
                yield _because(found, *controller_units(case, "mariadb"), settings_subject(name, login["service"]))


@check("queue-login", "every service gets into the message queue")
def queue_login(case: Case) -> Iterator[Finding]:
    """Logins to RabbitMQ, each with the service's own transport_url."""
    for name, facts in case.nodes.items():
        for login in facts["logins"]["queue"]:
            if login["kind"] != "ok":
                found = _refused(name, login, "RabbitMQ", "rabbitmq-server")
                names = [f"names on {name}"] if login["kind"] == "unreachable" else []
                yield _because(found, *controller_units(case, "rabbitmq-server"), *names)


@check("identity-login", "every service gets a token from Keystone")
def identity_login(case: Case) -> Iterator[Finding]:
    """Logins to Keystone as the services' own users, and the roles they get."""
    for name, facts in case.nodes.items():
        for login in facts["logins"]["identity"]:
            if login["kind"] != "ok":
                database = f"login of keystone on {case.controller} at MariaDB"
                silent = (
                    () if login["kind"] == "refused" else controller_units(case, "mariadb", "keystone", "memcached")
                )
                yield _because(_refused(name, login, "Keystone", "keystone"), *silent, *((database,) if silent else ()))
            elif not {"admin", "service"} & set(login["roles"]):
                yield Finding(
                    name,
                    f"the user {login['user']} of {login['service']} on {name} has neither the role admin nor service",
                    (f"{_login(login)}: its roles are {', '.join(login['roles']) or 'none'}",),
                    "labctl up assigns them",
                )


def _because(found: Finding, *subjects: str) -> Finding:
    return Finding(found.where, found.what, found.evidence, found.remedy, found.severity, found.subject, subjects)


@check("api", "every node reaches every API, and gets an answer")
def api(case: Case) -> Iterator[Finding]:
    """Endpoints of the catalog that are missing, not reached, or broken."""
    units = {entry.type: entry.unit for entry in services.catalog(case.lab)}
    for name, facts in case.nodes.items():
        seen = facts["apis"] or {"endpoints": [], "missing": []}
        for endpoint in seen["endpoints"]:
            if endpoint["problem"]:
                unit = units[endpoint["type"]]
                yield Finding(
                    name,
                    f"{name} gets no answer from the API {endpoint['type']}",
                    (f"{endpoint['url']}: {endpoint['problem']}",),
                    f"look at the unit {unit} on the controller, at the URL in `openstack endpoint list`, and at "
                    "firewalls between",
                    subject=f"API {endpoint['type']} from {name}",
                    because=(
                        *controller_units(case, unit),
                        *case.needed(case.controller, unit),
                        *((f"API {endpoint['type']} from {case.controller}",) if name != case.controller else ()),
                    ),
                )
        for kind in seen["missing"]:
            if kind in units and name == case.controller:
                yield Finding(
                    name,
                    f"the catalog has no endpoint for {kind}",
                    ("a token of Nova's user names none, internal or public, in the region of nova.conf",),
                    "labctl up creates it",
                    subject=f"API {kind} from {name}",
                )


@check("placement", "Placement knows each compute, by the compute's own credentials")
def placement(case: Case) -> Iterator[Finding]:
    """Computes that Placement refuses, or whose resource provider is missing: \"No valid host was found\"."""
    for name, facts in case.computes():
        seen = (facts["apis"] or {}).get("placement")
        if seen is None:
            continue
        causes = (
            *controller_units(case, "placement-api", "keystone", "mariadb", "memcached"),
            f"API placement from {name}",
        )
        causes += (f"API placement from {case.controller}",)
        if seen["kind"] != "ok":
            yield Finding(
                name,
                f"Placement does not answer {name}",
                (f"{seen['url'] or 'no URL'}: {seen['error']}",),
                "labctl up sets the endpoint, the user and its roles",
                because=causes,
            )
        elif seen["providers"] != 1 or not set(seen.get("inventory", _INVENTORY)) >= _INVENTORY:
            yield Finding(
                name,
                f"Placement has no resources of {name}, so no server is scheduled there",
                (
                    f"{seen['providers']} resource providers are named {name}, "
                    f"inventory: {', '.join(seen.get('inventory', [])) or 'none'}",
                ),
                f"nova-compute creates them: labctl ssh {name} -- sudo systemctl restart nova-compute",
                because=(
                    *causes,
                    unit_subject(name, "nova-compute"),
                    unit_subject(name, "libvirtd"),
                    node_subject(name),
                ),
            )


@check("memcached", "every server of memcached answers")
def memcached(case: Case) -> Iterator[Finding]:
    """Servers of memcached that services wait for in vain, at every request."""
    for name, facts in case.nodes.items():
        for entry in facts.get("memcached") or ():
            if entry["problem"]:
                yield Finding(
                    name,
                    f"memcached does not answer at {entry['server']}, and services wait for it",
                    (f"{entry['server']}, named in {entry['file']}: {entry['problem']}",),
                    "look at the unit memcached on the controller; Keystone does not answer without it",
                    subject=unit_subject(case.controller, "memcached"),
                    because=controller_units(case, "memcached"),
                )


@check("port", "every unit listens at its port")
def port(case: Case) -> Iterator[Finding]:
    """Units that run and do not listen where others look for them."""
    addresses = {node.name: str(node.address) for node in case.lab.nodes}
    for name, facts in case.nodes.items():
        for unit, described in case.units(name).items():
            if described.port is None or not case.active(name, unit):
                continue
            places = {f"{host}:{described.port}" for host in (addresses[name], *_EVERYWHERE)}
            young = facts["time"] - facts["units"][unit]["since"] < _STARTING
            if young or places & set(facts["listening"] or ()):
                continue
            others = [place for place in facts["listening"] or () if place.rpartition(":")[2] == str(described.port)]
            yield Finding(
                name,
                f"{unit} runs and does not listen at {addresses[name]}:{described.port}",
                (f"port {described.port} is open at {', '.join(others) or 'no address'}",),
                f"look at its log, labctl ssh {name} -- sudo journalctl -u {unit}; labctl up sets its address",
                subject=unit_subject(name, unit),
                because=(node_subject(name), *case.needed(name, unit)),
            )


@check("console", "the noVNC page that browsers are told of answers, and finds the screens")
def console(case: Case) -> Iterator[Finding]:
    """The URL, and the addresses between the proxy and the computes: code 1006 in browsers."""
    addresses = {node.name: str(node.address) for node in case.lab.nodes}
    for name, facts in case.computes():
        settings = (facts.get("own") or {}).get("console")
        if settings is None:
            continue
        url = settings["novncproxy_base_url"]
        problem = case.host.pages.get(url, "" if url else "it is empty")
        if problem:
            yield Finding(
                name,
                f"the screens of servers on {name} cannot be seen: the noVNC page does not answer",
                (f"novncproxy_base_url in [vnc] of /etc/nova/nova.conf on {name} is {url or 'not set'}: {problem}",),
                "look at the unit nova-novncproxy on the controller; labctl up writes the URL",
                because=controller_units(case, "nova-novncproxy"),
            )
        screen = settings["server_proxyclient_address"]
        if screen not in (addresses[name], name):
            yield Finding(
                name,
                f"the noVNC proxy looks for the screens of {name} at {screen or 'its default, 127.0.0.1'}",
                (f"server_proxyclient_address in [vnc] of /etc/nova/nova.conf is not {addresses[name]}",),
                "labctl up writes it",
            )


@check("libvirt", "libvirt answers on each compute")
def libvirt(case: Case) -> Iterator[Finding]:
    """A libvirtd that runs and does not answer."""
    for name, facts in case.computes():
        seen = (facts.get("own") or {}).get("libvirt")
        if seen and seen["problem"]:
            yield Finding(
                name,
                f"libvirt does not answer on {name}",
                (f"qemu:///system: {seen['problem']} ({seen['seconds']} s)",),
                f"labctl ssh {name} -- sudo systemctl restart libvirtd",
                subject=unit_subject(name, "libvirtd"),
            )


@check("acceleration", "instances are run in a way that works")
def acceleration(case: Case) -> Iterator[Finding]:
    """KVM that is asked for where it was found not to work: instances start and hang."""
    for name, facts in case.computes():
        own = facts.get("own") or {}
        if own.get("virt_type") != "kvm":
            continue
        reason = "/dev/kvm is not there" if not own["device"] else ""
        if own["accelerator"].get("virt_type") == "qemu":
            reason = own["accelerator"]["reason"]
        if reason:
            yield Finding(
                name,
                f"instances on {name} are to use KVM, which does not work there",
                (f"virt_type = kvm; {reason}",),
                "virt_type: auto in lab.yaml, then labctl up",
            )


@check("ovn", "OVN reaches each compute, and Neutron its agents")
def ovn(case: Case) -> Iterator[Finding]:
    """Computes whose OVN is not connected, and agents that Neutron has not heard from."""
    for name, facts in case.computes():
        seen = (facts.get("own") or {}).get("ovn")
        if seen and seen["status"] != "connected":
            yield Finding(
                name,
                f"ovn-controller on {name} is not connected: instances there get no network",
                (f"connection-status is '{seen['status'] or 'no answer'}', ovn-remote {seen['remote'] or 'not set'}",),
                "look at the unit ovn-ovsdb-server-sb on the controller; labctl up sets ovn-remote",
                because=controller_units(case, "ovn-ovsdb-server-sb"),
                subject=f"OVN on {name}",
            )
    for agent in case.nodes.get(case.controller, {}).get("agents") or ():
        host = agent["host"]
        if not agent["alive"]:
            yield Finding(
                host,
                f"Neutron has not heard from {agent['binary']} on {host}",
                (f"the API lists the agent {agent['binary']} on {host} as not alive",),
                f"labctl ssh {host} -- sudo systemctl restart {agent['binary']}",
                because=(node_subject(host), f"OVN on {host}", *_agent_units(case, host)),
                since=agent.get("updated_at"),
            )
        elif not agent["admin_state_up"]:
            yield Finding(
                host,
                f"{agent['binary']} on {host} is disabled for Neutron",
                ("admin_state_up of the agent is false",),
                "with the id from `openstack network agent list`: openstack network agent set --enable ID",
                Severity.WARNING,
            )


def _agent_units(case: Case, host: str) -> tuple[str, ...]:
    units = ("ovn-controller", "ovs-vswitchd", "guest-wire", "neutron-ovn-metadata-agent")
    central = controller_units(case, "ovn-ovsdb-server-sb", "ovn-ovsdb-server-nb", "ovn-northd")
    return (*(unit_subject(host, unit) for unit in units), *central)


@check("database-room", "MariaDB has connections left, and the character sets that services need")
def database_room(case: Case) -> Iterator[Finding]:
    """Too many connections, and databases in which keys become too long or texts are lost."""
    server = case.cloud.get("server")
    if not server:
        return
    numbers = server["connections"]
    limit, used = numbers.get("max_connections", 0), numbers.get("Threads_connected", 0)
    if limit and used > limit * _NEARLY:
        yield Finding(
            case.controller,
            f"MariaDB has {limit - used} connections left",
            (f"max_connections {limit}, {used} are used, at most {numbers.get('Max_used_connections')} were",),
            "fewer workers, or a larger mariadb_max_connections (role mariadb)",
            Severity.WARNING,
        )
    wrong = {name: charset for name, charset in server["charsets"].items() if charset not in _CHARSETS}
    if wrong:
        yield Finding(
            case.controller,
            f"{', '.join(wrong)}: a database with a character set that is not UTF-8",
            tuple(f"{name} has {charset}, expected utf8mb3" for name, charset in wrong.items()),
            "labctl up sets it for new tables; for old ones: ALTER TABLE ... CONVERT TO CHARACTER SET",
            Severity.WARNING,
        )


@check("workers", "no service has more processes than the node can carry")
def workers(case: Case) -> Iterator[Finding]:
    """As many workers as processors, times ten services, is what makes small machines swap."""
    for name, facts in case.nodes.items():
        most = max(_WORKERS, facts["cpus"] + 2)
        for unit, state in facts["units"].items():
            user = case.user_of(name, unit)
            if user and state["processes"] > most:
                yield Finding(
                    name,
                    f"{unit} on {name} runs {state['processes']} processes",
                    (f"{state['processes']} processes on {facts['cpus']} processors; up to {most} pass",),
                    f"set its workers in /etc/{user} or /etc/default/{unit}; labctl up sets ours, 1 for most",
                    Severity.WARNING,
                )


def pages(case_nodes: dict[str, Facts]) -> set[str]:
    """The URLs of the console's page that the computes give to browsers, for this machine to try."""
    urls = {
        ((facts.get("own") or {}).get("console") or {}).get("novncproxy_base_url", "") for facts in case_nodes.values()
    }
    return {url for url in urls if urllib.parse.urlsplit(url).scheme in ("http", "https")}
