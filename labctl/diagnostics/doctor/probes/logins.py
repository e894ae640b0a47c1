"""The logins of this node's services to MariaDB, RabbitMQ and Keystone, tried as the services do."""

import configparser
import contextlib
import json
import socket
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.novalab.openstack.plugins.module_utils import keystone, service_database

TIMEOUT = 8.0  # seconds for each
# When memcached restarts, each thread of Keystone fails once, at its old connection.
_ATTEMPTS = 3
_ACCESS_DENIED = (1044, 1045, 1698)  # error codes of MariaDB

Login = dict[str, Any]


def gather(services: list[dict[str, Any]]) -> dict[str, Any]:
    """Every login of services, each once."""
    with ThreadPoolExecutor() as pool:
        databases = pool.map(_try_database, list(_databases(services)))
        queues = pool.map(_try_queue, list(_queues(services)))
        identities = pool.map(_try_identity, list(_identities(services)))
        return {"database": [*databases], "queue": [*queues], "identity": [*identities]}


def public(login: Login) -> Login:
    """A login without its secrets."""
    return {key: value for key, value in login.items() if not key.startswith("_")}


def setting(path: str, section: str, name: str) -> str:
    """An option as the service understands it; empty if it is not set, or the file is missing or broken."""
    with contextlib.suppress(KeyError, OSError, configparser.Error, UnicodeDecodeError):
        return str(service_database.option(path, section, name))
    return ""


def _databases(services: list[dict[str, Any]]) -> list[Login]:
    return [
        {"service": entry["user"], "file": entry["file"], "section": section, "_url": url}
        for entry in (role["database"] for role in services if role["database"])
        for section in entry["sections"]
        if (url := setting(entry["file"], section, "connection")).startswith("mysql")
    ]


def _try_database(login: Login) -> Login:
    try:
        arguments = service_database.connection_arguments(login["_url"])
    except ValueError as error:
        return {**login, "kind": "malformed", "error": str(error)}
    login = {**login, "host": arguments["host"], "port": arguments.get("port", 3306), "user": arguments["user"]}
    try:
        service_database.connect(login["_url"]).close()
    except service_database.pymysql.MySQLError as error:
        code = error.args[0] if error.args else 0
        kind = "refused" if code in _ACCESS_DENIED else "unreachable" if code == 2003 else "failed"
        return {**login, "kind": kind, "error": " ".join(str(part) for part in error.args)}
    except OSError as error:  # the file that the URL names for the password
        return {**login, "kind": "failed", "error": str(error)}
    return {**login, "kind": "ok", "error": ""}


def _queues(services: list[dict[str, Any]]) -> list[Login]:
    return [
        {"service": entry["user"], "file": entry["file"], "section": "DEFAULT", "_url": url}
        for entry in (role["queue"] for role in services if role["queue"])
        if (url := setting(entry["file"], "DEFAULT", "transport_url"))
    ]


def _try_queue(login: Login) -> Login:
    import amqp  # type: ignore[import-not-found, import-untyped, unused-ignore]

    try:
        parts = urllib.parse.urlsplit(login["_url"])
        host, port = parts.hostname, parts.port or 5672
    except ValueError:
        error = "its port is not a number, so a character of the password is not encoded"
        return {**login, "kind": "malformed", "error": error}
    user = urllib.parse.unquote(parts.username or "")
    login = {**login, "host": host, "port": port, "user": user}
    if not host or not user:
        return {**login, "kind": "malformed", "error": "it names no user or no host"}
    connection = amqp.Connection(
        host=f"{host}:{port}",
        userid=user,
        password=urllib.parse.unquote(parts.password or ""),
        virtual_host=urllib.parse.unquote(parts.path[1:]) or "/",
        connect_timeout=TIMEOUT,
        read_timeout=TIMEOUT,
    )
    try:
        connection.connect()
        connection.close()
    except (amqp.exceptions.AMQPError, OSError) as problem:
        refused = isinstance(problem, amqp.exceptions.AccessRefused)
        kind = "refused" if refused else "unreachable" if isinstance(problem, OSError) else "failed"
        return {**login, "kind": kind, "error": str(problem) or type(problem).__name__}
    return {**login, "kind": "ok", "error": ""}


def _identities(services: list[dict[str, Any]]) -> list[Login]:
    """Every section with a user of Keystone; the same user is tried once, for all its sections."""
    found: dict[tuple[str, ...], Login] = {}
    for entry in (role["identity"] for role in services if role["identity"]):
        path = entry["file"]
        parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
        with contextlib.suppress(configparser.Error, UnicodeDecodeError):
            parser.read(path, encoding="utf-8")
        for section in parser.sections():
            values = [setting(path, section, name) for name in ("auth_url", "username", "password", "project_name")]
            if not all(values):
                continue
            user = dict(zip(("url", "user", "_password", "_project"), values, strict=True))
            new = {**user, "service": entry["user"], "file": path, "sections": [], "region": ""}
            login = found.setdefault((path, *values), new)
            login["sections"].append(section)
            login["region"] = login["region"] or setting(path, section, "region_name")
    return list(found.values())


def _try_identity(login: Login) -> Login:
    domain = {"name": "Default"}
    user = {"name": login["user"], "password": login["_password"], "domain": domain}
    body = keystone.password_login(user, {"project": {"name": login["_project"], "domain": domain}})
    for _ in range(_ATTEMPTS):
        answer = ask(f"{login['url'].rstrip('/')}/auth/tokens", body=body)
        if answer["kind"] in ("ok", "refused") or "timed out" in answer["error"]:
            break
    parts = urllib.parse.urlsplit(login["url"])
    login = {**login, "host": parts.hostname, "port": parts.port or 80}
    if answer["kind"] != "ok":
        return {**login, "kind": answer["kind"], "error": answer["error"]}
    token = json.loads(answer["body"])["token"]
    # Internal before public, as Nova's own options have it.
    catalog = keystone.endpoints(token.get("catalog", []), ("internal", "public"), login["region"])
    roles = [role["name"] for role in token.get("roles", [])]
    return {**login, "kind": "ok", "error": "", "_token": answer["token"], "catalog": catalog, "roles": roles}


def ask(url: str, *, body: dict[str, Any] | None = None, token: str = "") -> dict[str, Any]:
    """An answer of an API: kind is ok, refused (401 or 403), failed, or unreachable; error says why."""
    try:
        text, token = keystone.call("POST" if body else "GET", url, body, token=token, timeout=TIMEOUT)
    except keystone.KeystoneError as error:
        if not error.status:
            return {"kind": "unreachable", "error": str(error) or error.reason}
        kind = "refused" if error.status in (401, 403) else "failed"
        return {"kind": kind, "error": f"{error.status} {error.reason}", "status": error.status}
    return {"kind": "ok", "error": "", "body": text, "token": token}


def reach(host: str, port: int, timeout: float = 3.0) -> str:
    """Why a port cannot be reached; empty if it can."""
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except OSError as error:
        return str(error) or type(error).__name__
    return ""
