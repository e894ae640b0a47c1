# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""A service's database, reached as the service itself reaches it: by the URL in its configuration file."""

from __future__ import annotations

import configparser
import urllib.parse
from typing import Any

try:
    import pymysql
    import pymysql.cursors

    PYMYSQL_ERROR = ""
except ImportError as error:
    PYMYSQL_ERROR = str(error)


def option(path: str, section: str, name: str) -> str:
    """One value of an oslo.config file, without what quotes it and its C($); KeyError if it is not there."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    with open(path, encoding="utf-8") as file:
        parser.read_file(file)
    try:
        value = parser.get(section, name) or ""
    except (configparser.NoSectionError, configparser.NoOptionError) as error:
        raise KeyError(f"{path} has no option {name} in section [{section}]") from error
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return value.replace("\\$", "$$").replace("$$", "$")


def connection_arguments(url: str) -> dict[str, Any]:
    """The arguments of pymysql.connect for an SQLAlchemy URL, whose query is passed to the driver as it is."""
    parts = urllib.parse.urlsplit(url)
    arguments: dict[str, Any] = {
        "host": parts.hostname,
        "user": urllib.parse.unquote(parts.username or ""),
        "database": parts.path.lstrip("/"),
    }
    if parts.port:
        arguments["port"] = parts.port
    if parts.password is not None:
        arguments["password"] = urllib.parse.unquote(parts.password)
    query = dict(urllib.parse.parse_qsl(parts.query))
    for name in ("read_default_file", "charset"):
        if name in query:
            arguments[name] = query[name]
    return arguments


def connect(url: str, database: str | None = None) -> pymysql.connections.Connection[Any]:
    """A connection whose rows are dictionaries, to C(database) or the URL's own. pymysql.MySQLError on refusal."""
    arguments = connection_arguments(url)
    if database:
        arguments["database"] = database
    return pymysql.connect(**arguments, autocommit=True, connect_timeout=10, cursorclass=pymysql.cursors.DictCursor)


def connect_as_root(socket: str, **arguments: Any) -> pymysql.connections.Connection[Any]:
    """A connection by MariaDB's socket, through which root gets in without a password. pymysql.MySQLError on refusal.

    C(arguments) are more of those of pymysql.connect, or others.
    """
    defaults = {"autocommit": True, "connect_timeout": 10, "cursorclass": pymysql.cursors.DictCursor}
    return pymysql.connect(unix_socket=socket, user="root", **(defaults | arguments))


def rows(
    connection: pymysql.connections.Connection[Any], query: str, values: tuple[Any, ...] = ()
) -> list[dict[str, Any]]:
    """All rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
