"""The cloud: the controller's databases, which answer even if no API does; and the APIs as this node sees them."""

import contextlib
import json
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.novalab.openstack.plugins.module_utils import nova_manage, service_database

from labctl.diagnostics.doctor.probes import logins

_NOVA = "/etc/nova/nova.conf"
_SOCKET = "/run/mysqld/mysqld.sock"
_SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
# The APIs have rows too, and never report.
_DOWN = 60  # seconds without a report, Nova's service_down_time
_SERVICES = (
    "SELECT id, host, `binary`, disabled, disabled_reason, forced_down, version,"
    " TIMESTAMPDIFF(SECOND, COALESCE(last_seen_up, updated_at, created_at), UTC_TIMESTAMP()) AS age"
    " FROM services WHERE deleted = 0 AND `binary` NOT IN ('nova-osapi_compute', 'nova-metadata')"
    " ORDER BY host, `binary`"
)
_NODES = "SELECT host, hypervisor_hostname, uuid FROM compute_nodes WHERE deleted = 0"
_BROKEN = "SELECT uuid, display_name, host FROM instances WHERE deleted = 0 AND vm_state = 'error' LIMIT 20"
_CONNECTIONS = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Max_used_connections')"
_LIMIT = "SHOW GLOBAL VARIABLES LIKE 'max_connections'"
_CHARSETS = "SELECT schema_name AS name, default_character_set_name AS charset FROM information_schema.schemata"


def databases() -> dict[str, Any]:
    """Cells, hosts and services as Nova's databases have them; what cannot be read is left out."""
    found: dict[str, Any] = {}
    unreachable = (service_database.pymysql.OperationalError, OSError, ValueError)
    with contextlib.suppress(*unreachable):
        found["server"] = _server()
    with contextlib.suppress(*unreachable):
        api = service_database.connect(logins.setting(_NOVA, "api_database", "connection"))
        found["cells"] = [_bare(cell) for cell in nova_manage.cells(api)]
        found["mapped"] = nova_manage.mapped_hosts(api)
        found["servers_in_error"] = []
        url = logins.setting(_NOVA, "database", "connection")
        with contextlib.suppress(service_database.pymysql.OperationalError):
            found["servers_in_error"] += service_database.rows(service_database.connect(url, "nova_cell0"), _BROKEN)
        cell = service_database.connect(url)
        rows = service_database.rows(cell, _SERVICES)
        found["services"] = [{**row, "down": (row["age"] or 0) > _DOWN} for row in rows]
        found["compute_nodes"] = service_database.rows(cell, _NODES)
        found["servers_in_error"] += service_database.rows(cell, _BROKEN)
    return found


def _bare(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell without passwords; fixed names those of its URLs that are not templates."""
    urls = {key: str(cell[key] or "") for key in ("transport_url", "database_connection")}
    fixed = [key for key, url in urls.items() if "{" not in url and not url.startswith("none:")]
    return {"uuid": cell["uuid"], "name": cell["name"], "disabled": bool(cell["disabled"]), "fixed": fixed}


def _server() -> dict[str, Any]:
    """What MariaDB says of its connections and databases, to root by its socket."""
    pymysql, rows = service_database.pymysql, service_database.rows
    connection = pymysql.connect(unix_socket=_SOCKET, user="root", cursorclass=pymysql.cursors.DictCursor)
    charsets = {row["name"]: row["charset"] for row in rows(connection, _CHARSETS) if row["name"] not in _SYSTEM}
    numbers = [*rows(connection, _CONNECTIONS), *rows(connection, _LIMIT)]
    return {"connections": {row["Variable_name"]: int(row["Value"]) for row in numbers}, "charsets": charsets}


def agents(identities: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Neutron's agents, asked as Nova; None if Neutron does not answer."""
    for login in identities:
        if login["service"] == "nova" and login["kind"] == "ok" and (url := login["catalog"].get("network")):
            answer = logins.ask(f"{url.rstrip('/')}/v2.0/agents", token=login["_token"])
            if answer["kind"] == "ok":
                return [
                    {key: agent.get(key) for key in ("host", "binary", "alive", "admin_state_up")}
                    for agent in json.loads(answer["body"])["agents"]
                ]
    return None


def apis(identities: list[dict[str, Any]], node: str, wanted: list[dict[str, str]], *, compute: bool) -> dict[str, Any]:
    """The wanted endpoints of the catalog that Nova gets here, and on a compute Placement's answer to Nova's own user.

    wanted has the type of each API, and the path by which it is tried.
    """
    nova = [login for login in identities if login["service"] == "nova"]
    known = next((login for login in nova if login["kind"] == "ok"), None)
    if known is None:
        return {"endpoints": [], "missing": [], "placement": None}
    catalog = known["catalog"]
    with ThreadPoolExecutor() as pool:
        present = [(api["type"], catalog[api["type"]], api["probe"]) for api in wanted if api["type"] in catalog]
        asked = list(pool.map(_endpoint, present))
    # The user of [placement] may differ from that of the other sections.
    own = next((login for login in nova if "placement" in login["sections"]), None)
    placement = _placement(own, node) if compute and own and own["kind"] == "ok" else None
    missing = [api["type"] for api in wanted if api["type"] not in catalog]
    return {"endpoints": asked, "missing": missing, "placement": placement}


def _endpoint(item: tuple[str, str, str]) -> dict[str, Any]:
    """Whether an endpoint answers, even with a refusal: the request has no token."""
    kind, url, path = item
    parts = urllib.parse.urlsplit(url)
    answer = logins.ask(f"{parts.scheme}://{parts.netloc}{path}")
    status = answer.get("status", 200)
    bad = answer["kind"] == "unreachable" or status >= 500
    return {"type": kind, "url": url, "problem": answer["error"] if bad else ""}


def _placement(login: dict[str, Any], node: str) -> dict[str, Any]:
    url = login["catalog"].get("placement", "")
    result = {"url": url, "kind": "ok", "error": "", "providers": 0}
    if not url:
        return {**result, "kind": "missing", "error": "the catalog has no endpoint of Placement"}
    base = f"{url.rstrip('/')}/resource_providers"
    answer = logins.ask(f"{base}?{urllib.parse.urlencode({'name': node})}", token=login["_token"])
    if answer["kind"] != "ok":
        return {**result, "kind": answer["kind"], "error": answer["error"]}
    providers = json.loads(answer["body"])["resource_providers"]
    result["providers"] = len(providers)
    if len(providers) == 1:
        inventories = logins.ask(f"{base}/{providers[0]['uuid']}/inventories", token=login["_token"])
        if inventories["kind"] == "ok":
            result["inventory"] = sorted(json.loads(inventories["body"])["inventories"])
    return result


def memcached(services: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Every server of memcached that a service here uses, and why it does not answer."""
    found: dict[str, str] = {}
    for cache in filter(None, (role["cache"] for role in services)):
        for server in logins.setting(cache["file"], cache["section"], cache["option"]).split(","):
            if server.strip():
                found.setdefault(server.strip(), cache["file"])
    result = []
    for server, path in found.items():
        host, _, port = server.rpartition(":")
        problem = logins.reach(host, int(port) if port.isdigit() else 11211)
        result.append({"server": server, "file": path, "problem": problem})
    return result
