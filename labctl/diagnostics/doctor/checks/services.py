"""Checks of what the services on the nodes need of each other: logins, APIs, ports, libvirt, OVN, consoles."""

import urllib.parse

from labctl.ansible import services
from labctl.diagnostics.doctor.case import Case, Facts, NodeCase, compute_check, lab_check, node_check
from labctl.diagnostics.doctor.finding import (
    Finding,
    Findings,
    error,
    node_and_units,
    node_subject,
    settings_subject,
    unit_subject,
    warning,
)

_LOOPBACK = "127.0.0.1"
_EVERYWHERE = ("0.0.0.0", "*", "[::]")  # noqa: S104 (what ss prints)
_STARTING = 30.0  # seconds that a unit has to open its port
_CHARSETS = ("utf8mb3", "utf8mb4", "utf8")
_NEARLY = 0.85  # of the allowed connections
_WORKERS = 6  # processes of one unit that a small lab never needs; more are fine where there are more processors
_INVENTORY = {"VCPU", "MEMORY_MB", "DISK_GB"}


def _options(login: Facts) -> str:
    """The sections and the file that hold a login."""
    sections = login.get("sections") or [login["section"]]
    return f"{', '.join(f'[{section}]' for section in sections)} of {login['file']}"


def _refused(node: NodeCase, login: Facts, server: str, unit: str, because: tuple[str, ...]) -> Finding:
    """A finding about a login that does not work; the cause may be the server's unit."""
    who, options = f"{login['service']} on {node.name}", _options(login)
    match login["kind"]:
        case "refused":
            what = f"{server} refuses the user {login.get('user')} of {who}"
            remedy = f"the password in {options} is not the server's: labctl up writes both from one place"
        case "unreachable":
            what = f"{who} does not reach {server} at {login.get('host')}:{login.get('port')}"
            remedy = f"look at the unit {unit} on the controller, at the address in {options}, and at firewalls between"
        case "malformed":
            what = f"{who} has an invalid URL for {server}"
            remedy = "percent-encode every special character of the password in it, or let labctl up write the file"
        case _:
            what = f"{server} does not serve {who}"
            remedy = f"look at the unit {unit} on the controller"
    return error(what, f"{options}: {login['error']}", remedy, subject=f"login of {who} at {server}", because=because)


@node_check("database-login", "every service gets into its database")
def database_login(node: NodeCase) -> Findings:
    """Logins to MariaDB, each with the service's own URL."""
    for login in node.facts["logins"]["database"]:
        if login["kind"] != "ok":
            because = (*node.case.controller_units("mariadb"), settings_subject(node.name, login["service"]))
            yield _refused(node, login, "MariaDB", "mariadb", because)


@node_check("queue-login", "every service gets into the message queue")
def queue_login(node: NodeCase) -> Findings:
    """Logins to RabbitMQ, each with the service's own transport_url."""
    for login in node.facts["logins"]["queue"]:
        if login["kind"] != "ok":
            names = (f"names on {node.name}",) if login["kind"] == "unreachable" else ()
            because = (*node.case.controller_units("rabbitmq-server"), *names)
            yield _refused(node, login, "RabbitMQ", "rabbitmq-server", because)


@node_check("identity-login", "every service gets a token from Keystone")
def identity_login(node: NodeCase) -> Findings:
    """Logins to Keystone as the services' own users, and the roles that these have."""
    database = f"login of keystone on {node.case.controller} at MariaDB"
    for login in node.facts["logins"]["identity"]:
        if login["kind"] != "ok":
            units = (*node.case.controller_units("mariadb", "keystone", "memcached"), database)
            yield _refused(node, login, "Keystone", "keystone", () if login["kind"] == "refused" else units)
        elif not {"admin", "service"} & set(login["roles"]):
            yield error(
                f"the user {login['user']} of {login['service']} on {node.name} has neither the role admin nor service",
                f"{_options(login)}: its roles are {', '.join(login['roles']) or 'none'}",
                "labctl up assigns them",
            )


@node_check("api", "every node reaches every API, and gets an answer")
def api(node: NodeCase) -> Findings:
    name, case = node.name, node.case
    units = {entry.type: entry.unit for entry in services.catalog(case.lab)}
    seen = node.facts["apis"] or {"endpoints": [], "missing": []}
    for endpoint in seen["endpoints"]:
        if endpoint["problem"]:
            kind, unit = endpoint["type"], units[endpoint["type"]]
            elsewhere = (f"API {kind} from {case.controller}",) if name != case.controller else ()
            yield error(
                f"{name} gets no answer from the API {kind}",
                f"{endpoint['url']}: {endpoint['problem']}",
                f"look at the unit {unit} on the controller, at the URL in `openstack endpoint list`, and at "
                "firewalls between",
                subject=f"API {kind} from {name}",
                because=(*case.controller_units(unit), *case.needed(case.controller, unit), *elsewhere),
            )
    for kind in seen["missing"]:
        if kind in units and name == case.controller:
            yield error(
                f"the catalog has no endpoint for {kind}",
                "a token of Nova's user names none, internal or public, in the region of nova.conf",
                "labctl up creates it",
                subject=f"API {kind} from {name}",
            )


@compute_check("placement", "Placement knows each compute, by the compute's own credentials")
def placement(node: NodeCase) -> Findings:
    """Computes that Placement refuses, or whose resource provider is missing: \"No valid host was found\"."""
    name, seen = node.name, (node.facts["apis"] or {}).get("placement")
    if seen is None:
        return
    because = (
        *node.case.controller_units("placement-api", "keystone", "mariadb", "memcached"),
        f"API placement from {name}",
        f"API placement from {node.case.controller}",
    )
    inventory = seen.get("inventory")
    if seen["kind"] != "ok":
        yield error(
            f"Placement does not answer {name}",
            f"{seen['url'] or 'no URL'}: {seen['error']}",
            "labctl up sets the endpoint, the user and its roles",
            because=because,
        )
    elif seen["providers"] != 1 or (inventory is not None and not _INVENTORY.issubset(inventory)):
        providers = f"{seen['providers']} resource providers are named {name}"
        yield error(
            f"Placement has no resources of {name}, so no server is scheduled there",
            f"{providers}, inventory: {', '.join(inventory or ()) or 'none'}",
            f"nova-compute creates them: labctl ssh {name} -- sudo systemctl restart nova-compute",
            because=(*because, *node_and_units(name, "nova-compute", "libvirtd")),
        )


@node_check("memcached", "every server of memcached answers")
def memcached(node: NodeCase) -> Findings:
    """Servers of memcached for which services wait in vain at every request."""
    for entry in node.facts.get("memcached") or ():
        if entry["problem"]:
            yield error(
                f"memcached does not answer at {entry['server']}, and services wait for it",
                f"{entry['server']}, named in {entry['file']}: {entry['problem']}",
                "look at the unit memcached on the controller; Keystone does not answer without it",
                subject=unit_subject(node.case.controller, "memcached"),
                because=node.case.controller_units("memcached"),
            )


@node_check("port", "every unit listens at its port")
def port(node: NodeCase) -> Findings:
    listening = node.facts["listening"] or ()
    for unit, described in node.case.units[node.name].items():
        state = node.facts["units"].get(unit)
        if described.port is None or not state or state["active"] != "active":
            continue
        address = _LOOPBACK if described.clients == "controller" else node.address
        places = {f"{host}:{described.port}" for host in (address, *_EVERYWHERE)}
        if node.facts["time"] - state["started"] < _STARTING or places & set(listening):
            continue
        others = [place for place in listening if place.rpartition(":")[2] == str(described.port)]
        yield error(
            f"{unit} runs and does not listen at {address}:{described.port}",
            f"port {described.port} is open at {', '.join(others) or 'no address'}",
            f"look at its log, labctl ssh {node.name} -- sudo journalctl -u {unit}; labctl up sets its address",
            subject=unit_subject(node.name, unit),
            because=(node_subject(node.name), *node.case.needed(node.name, unit)),
        )


@compute_check("console", "the noVNC page that browsers open answers, and finds the screens")
def console(node: NodeCase) -> Findings:
    """The URL, and the addresses between the proxy and the computes: code 1006 in browsers."""
    settings = node.own.get("console")
    if settings is None:
        return
    url, screen = settings["novncproxy_base_url"], settings["server_proxyclient_address"]
    problem = node.case.host.pages.get(url, "" if url else "it is empty")
    if problem:
        yield error(
            f"the screens of servers on {node.name} cannot be seen: the noVNC page does not answer",
            f"novncproxy_base_url in [vnc] of /etc/nova/nova.conf on {node.name} is {url or 'not set'}: {problem}",
            "look at the unit nova-novncproxy on the controller; labctl up writes the URL",
            because=node.case.controller_units("nova-novncproxy"),
        )
    if screen not in (node.address, node.name):
        yield error(
            f"the noVNC proxy looks for the screens of {node.name} at {screen or 'its default, 127.0.0.1'}",
            f"server_proxyclient_address in [vnc] of /etc/nova/nova.conf is not {node.address}",
            "labctl up writes it",
        )


@compute_check("libvirt", "libvirt answers on each compute")
def libvirt(node: NodeCase) -> Findings:
    seen = node.own.get("libvirt")
    if seen and seen["problem"]:
        yield error(
            f"libvirt does not answer on {node.name}",
            f"qemu:///system: {seen['problem']} ({seen['seconds']} s)",
            f"labctl ssh {node.name} -- sudo systemctl restart libvirtd",
            subject=unit_subject(node.name, "libvirtd"),
        )


@compute_check("acceleration", "instances are run in a way that works")
def acceleration(node: NodeCase) -> Findings:
    """KVM that is set and was found not to work: instances start and hang."""
    if node.own.get("virt_type") != "kvm":
        return
    reason = "" if node.own["device"] else "/dev/kvm is not there"
    if node.own["accelerator"].get("virt_type") == "qemu":
        reason = node.own["accelerator"]["reason"]
    if reason:
        yield error(
            f"instances on {node.name} are to use KVM, which does not work there",
            f"virt_type = kvm; {reason}",
            "virt_type: auto in lab.yaml, then labctl up",
        )


@lab_check("ovn", "OVN reaches each compute, and Neutron its agents")
def ovn(case: Case) -> Findings:
    for name, node in case.computes():
        seen = node.own.get("ovn")
        if seen and seen["status"] != "connected":
            yield error(
                f"ovn-controller on {name} is not connected: instances there get no network",
                f"connection-status is '{seen['status'] or 'no answer'}', ovn-remote {seen['remote'] or 'not set'}",
                "look at the unit ovn-ovsdb-server-sb on the controller; labctl up sets ovn-remote",
                where=name,
                because=case.controller_units("ovn-ovsdb-server-sb"),
                subject=f"OVN on {name}",
            )
    for agent in case.nodes.get(case.controller, {}).get("agents") or ():
        host, binary = agent["host"], agent["binary"]
        if not agent["alive"]:
            units = ("ovn-controller", "ovs-vswitchd", "guest-wire", "neutron-ovn-metadata-agent")
            central = case.controller_units("ovn-ovsdb-server-sb", "ovn-ovsdb-server-nb", "ovn-northd")
            yield error(
                f"Neutron has not heard from {binary} on {host}",
                f"the API lists the agent {binary} on {host} as not alive",
                f"labctl ssh {host} -- sudo systemctl restart {binary}",
                where=host,
                because=(node_subject(host), f"OVN on {host}", *node_and_units(host, *units), *central),
                since=agent.get("updated_at"),
            )
        elif not agent["admin_state_up"]:
            yield warning(
                f"{binary} on {host} is disabled for Neutron",
                "admin_state_up of the agent is false",
                "with the id from `openstack network agent list`: openstack network agent set --enable ID",
                where=host,
            )


@lab_check("database-room", "MariaDB has connections left, and the character sets that services need")
def database_room(case: Case) -> Findings:
    """Too many connections, and databases in which keys become too long or texts are lost."""
    server = case.cloud.get("server")
    if not server:
        return
    numbers = server["connections"]
    limit, used = numbers.get("max_connections", 0), numbers.get("Threads_connected", 0)
    if limit and used > limit * _NEARLY:
        yield warning(
            f"MariaDB has {limit - used} connections left",
            f"max_connections {limit}, {used} are used, at most {numbers.get('Max_used_connections')} were",
            "fewer workers, or a larger mariadb_max_connections (role mariadb)",
        )
    wrong = {name: charset for name, charset in server["charsets"].items() if charset not in _CHARSETS}
    if wrong:
        yield warning(
            f"{', '.join(wrong)}: a database with a character set that is not UTF-8",
            [f"{name} has {charset}, expected utf8mb3" for name, charset in wrong.items()],
            "labctl up sets it for new tables; for old ones: ALTER TABLE ... CONVERT TO CHARACTER SET",
        )


@node_check("workers", "no service has more processes than the node can carry")
def workers(node: NodeCase) -> Findings:
    """As many workers as processors in each of ten services are what makes small machines swap."""
    most = max(_WORKERS, node.facts["cpus"] + 2)
    for unit, state in node.facts["units"].items():
        user = node.case.user_of(node.name, unit)
        if user and state["processes"] > most:
            yield warning(
                f"{unit} on {node.name} runs {state['processes']} processes",
                f"{state['processes']} processes on {node.facts['cpus']} processors; up to {most} pass",
                f"set its workers in /etc/{user} or /etc/default/{unit}; labctl up sets ours, 1 for most",
            )


def pages(case_nodes: dict[str, Facts]) -> set[str]:
    """The URLs of the console's page that the computes give to browsers, for this machine to try."""
    settings = [(facts.get("own") or {}).get("console") or {} for facts in case_nodes.values()]
    urls = {console.get("novncproxy_base_url", "") for console in settings}
    return {url for url in urls if urllib.parse.urlsplit(url).scheme in ("http", "https")}
