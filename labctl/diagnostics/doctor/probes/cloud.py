"""What the controller's databases and APIs say about the cloud. The databases answer even if no API does."""

import contextlib
import json
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


def gather() -> dict[str, Any]:
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
    """Neutron's agents, asked as Nova; None when Neutron does not answer."""
    for login in identities:
        if login["service"] == "nova" and login["kind"] == "ok" and (url := login["catalog"].get("network")):
            answer = logins.ask(f"{url.rstrip('/')}/v2.0/agents", token=login["_token"])
            if answer["kind"] == "ok":
                return [
                    {key: agent.get(key) for key in ("host", "binary", "alive", "admin_state_up")}
                    for agent in json.loads(answer["body"])["agents"]
                ]
    return None
