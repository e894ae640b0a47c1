# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What the roles keep in MariaDB, a fingerprint for each object, to say later which of them is another one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ansible_collections.novalab.openstack.plugins.module_utils import service_database

if TYPE_CHECKING:
    from collections.abc import Iterable

SOCKET = "/run/mysqld/mysqld.sock"
SCHEMAS = "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA"
VERSIONS = (
    "SELECT TABLE_SCHEMA AS place, TABLE_NAME AS name FROM information_schema.TABLES"
    " WHERE TABLE_NAME LIKE 'alembic%%version%%' OR TABLE_NAME = 'migrate_version'"
)
# The kind of an object, the database that must be there, and a query: first its name, then what it is. Without columns
# that change in use, such as the time of a last login.
QUERIES = (
    (
        "database",
        "information_schema",
        "SELECT SCHEMA_NAME AS label, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME"
        " FROM information_schema.SCHEMATA",
    ),
    ("database account", "mysql", "SELECT CONCAT(User, '@', Host) AS label, Priv FROM mysql.global_priv"),
    (
        "database grant",
        "mysql",
        "SELECT CONCAT(User, '@', Host, ' on ', REPLACE(Db, '\\\\', '')) AS label, db.* FROM mysql.db AS db",
    ),
    (
        "Keystone user",
        "keystone",
        "SELECT local_user.name AS label, user.enabled, password.password_hash FROM keystone.local_user"
        " JOIN keystone.user ON user.id = local_user.user_id"
        " LEFT JOIN keystone.password ON password.local_user_id = local_user.id",
    ),
    ("Keystone project", "keystone", "SELECT name AS label, enabled, domain_id FROM keystone.project"),
    ("Keystone role", "keystone", "SELECT name AS label, domain_id FROM keystone.role"),
    (
        "Keystone role assignment",
        "keystone",
        "SELECT CONCAT(role.name, ' of ', local_user.name, ' on ', project.name) AS label FROM keystone.assignment"
        " JOIN keystone.role ON role.id = assignment.role_id"
        " JOIN keystone.local_user ON local_user.user_id = assignment.actor_id"
        " JOIN keystone.project ON project.id = assignment.target_id",
    ),
    ("Keystone service", "keystone", "SELECT type AS label, id, enabled, extra FROM keystone.service"),
    (
        "Keystone endpoint",
        "keystone",
        "SELECT CONCAT(service.type, ' ', endpoint.interface, ' ', endpoint.region_id) AS label,"
        " endpoint.url, endpoint.enabled FROM keystone.endpoint"
        " JOIN keystone.service ON service.id = endpoint.service_id",
    ),
    (
        "Glance image",
        "glance",
        "SELECT images.name AS label, images.id, images.status, images.visibility, images.min_disk, images.min_ram,"
        " images.disk_format, images.container_format, images.os_hash_value, property.name, property.value"
        " FROM glance.images JOIN glance.image_tags AS tag ON tag.image_id = images.id AND tag.deleted = 0"
        " LEFT JOIN glance.image_properties AS property ON property.image_id = images.id AND property.deleted = 0"
        " WHERE images.deleted = 0 AND tag.value = 'novalab'",
    ),
    (
        "Nova cell",
        "nova_api",
        "SELECT name AS label, uuid, transport_url, database_connection, disabled FROM nova_api.cell_mappings",
    ),
    ("Nova host mapping", "nova_api", "SELECT host AS label, cell_id FROM nova_api.host_mappings"),
    (
        # Networks of the wire; those of projects have none.
        "Neutron network",
        "neutron",
        "SELECT networks.name AS label, networks.admin_state_up, segment.network_type, segment.physical_network,"
        " subnets.cidr, subnets.gateway_ip, subnets.enable_dhcp, rbac.* FROM neutron.networks"
        " JOIN neutron.networksegments AS segment"
        " ON segment.network_id = networks.id AND segment.physical_network IS NOT NULL"
        " LEFT JOIN neutron.subnets ON subnets.network_id = networks.id"
        " LEFT JOIN neutron.networkrbacs AS rbac ON rbac.object_id = networks.id",
    ),
)


def fingerprints(kind: str, rows: Iterable[dict[str, Any]]) -> dict[str, str]:
    """A digest for each object; rows of the same label are one object, in whatever order they come."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(f"{kind} {row['label']}", []).append(repr(list(row.values())))
    return {name: hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest() for name, texts in found.items()}


def read(socket: str = SOCKET) -> dict[str, str]:
    """The objects of all databases that are there. Raises OSError when they cannot be read."""
    try:
        with service_database.connect_as_root(socket) as connection:
            return _read(connection)
    except service_database.pymysql.MySQLError as error:
        raise OSError(f"MariaDB by {socket}: {error}") from error


def _read(connection: Any) -> dict[str, str]:
    present = {row["name"] for row in service_database.rows(connection, SCHEMAS)}
    found: dict[str, str] = {}
    for kind, database, query in QUERIES:
        if database in present:
            found.update(fingerprints(kind, service_database.rows(connection, query)))
    for table in service_database.rows(connection, VERSIONS):
        place = f"{table['place']}.{table['name']}"
        query = f"SELECT '{place}' AS label, version.* FROM {place} AS version"  # noqa: S608 (the server's own names)
        found.update(fingerprints("schema", service_database.rows(connection, query)))
    return found
