#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""MariaDB's databases and who may use them, in one process."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mariadb_accounts
short_description: Keep MariaDB's databases and one user for each service
version_added: "0.1.0"
description:
  - Creates databases with an explicit character set, removes anonymous users, and gives each user its password and all
    rights on its own databases. Rights that a user has beyond those are revoked. Changes only what differs.
  - Other databases and users are left as they are.
  - One process does it all, because C(community.mysql) needs one for each user.
author:
  - novalab contributors (@novalab)
requirements:
  - PyMySQL on the node
options:
  databases:
    description: The databases.
    type: list
    elements: str
    default: []
  character_set:
    description:
      - The character set of databases that are made. One that is there keeps its own, because a service's migrations
        may have set it, as Keystone's do.
    type: str
    default: utf8mb3
  collation:
    description: The collation of databases that are made.
    type: str
    default: utf8mb3_general_ci
  users:
    description: The users, valid from every host.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The user's name.
        type: str
        required: true
      password:
        description:
          - The user's password, of any printable characters of Latin-1 (U+0020 to U+00FF). PyMySQL, which the services
            use, sends a password in that encoding, and cannot send others. Set again when the server keeps the hash of
            another.
        type: str
        required: true
      databases:
        description: The databases on which the user has all rights. It has none on others.
        type: list
        elements: str
        required: true
  socket:
    description: MariaDB's socket, through which root gets in without a password.
    type: path
    default: /run/mysqld/mysqld.sock
attributes:
  check_mode:
    support: full
    description: Says what would be changed and changes nothing.
  diff_mode:
    support: full
    description: Lists what is made or changed.
"""

EXAMPLES = r"""
- name: Keep the databases and users of two services
  novalab.openstack.mariadb_accounts:
    databases: [glance, nova, nova_api]
    users:
      - {name: glance, password: "{{ glance_password }}", databases: [glance]}
      - {name: nova, password: "{{ nova_password }}", databases: [nova, nova_api]}
"""

RETURN = r"""
changes:
  description: What was made or changed, one sentence each, without secrets.
  type: list
  elements: str
  returned: always
  sample: ["database nova_api created", "user nova created", "all rights on nova_api granted to nova"]
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.novalab.openstack.plugins.module_utils import service_database

HOST = "%"
PLUGIN = "mysql_native_password"
ALL = "ALL PRIVILEGES"
ENCODING = "latin-1"


@dataclass(frozen=True)
class Step:
    """A change in words, and the statement that makes it."""

    change: str
    statement: str


@dataclass
class State:
    """What the server has."""

    databases: set[str]
    # By user and host, what mysql.global_priv has of an account.
    accounts: dict[tuple[str, str], dict[str, Any]]
    # By user, the lines of SHOW GRANTS for the account that is valid from every host.
    grants: dict[str, list[str]] = field(default_factory=dict)


def quoted(name: str) -> str:
    """An identifier between backticks, where a backslash means nothing."""
    return "`" + name.replace("`", "``") + "`"


def account(user: str, host: str = HOST) -> str:
    return f"{quoted(user)}@{quoted(host)}"


def tables(database: str) -> str:
    """All tables of a database, as GRANT takes them: a pattern, in which C(nova_api) would match C(novaXapi) too."""
    return quoted(re.sub(r"([\\_%])", r"\\\1", database)) + ".*"


def password_hash(password: str) -> str:
    """What MariaDB's PASSWORD() makes of it, and keeps. Computed here, so that no statement has the password.

    Of the bytes that PyMySQL's Connection sends.
    """
    once = hashlib.sha1(password.encode(ENCODING), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()


def ways_in(entry: dict[str, Any]) -> list[tuple[Any, Any]]:
    """The plugins by which an account of mysql.global_priv is entered, each with the hash that it compares with."""
    # Alternatives stand in auth_or; an empty one means the plugin beside it.
    ways = [alternative or entry for alternative in entry.get("auth_or", [entry])]
    return [(way.get("plugin"), way.get("authentication_string")) for way in ways]


def database_steps(parameters: dict[str, Any], state: State) -> list[Step]:
    encoding = f"CHARACTER SET {parameters['character_set']} COLLATE {parameters['collation']}"
    return [
        Step(f"database {name} created", f"CREATE DATABASE {quoted(name)} {encoding}")
        for name in parameters["databases"]
        if name not in state.databases
    ]


def anonymous_steps(state: State) -> list[Step]:
    return [
        Step(f"anonymous user at {host} removed", f"DROP USER {account(user, host)}")
        for (user, host), entry in sorted(state.accounts.items())
        if not user and not entry.get("is_role")
    ]


def user_steps(user: dict[str, Any], state: State) -> list[Step]:
    name, wanted = user["name"], password_hash(user["password"])
    found = state.accounts.get((name, HOST))
    identified = f"{account(name)} IDENTIFIED VIA {PLUGIN} USING '{wanted}'"
    steps = []
    if found is None:
        steps.append(Step(f"user {name} created", f"CREATE USER {identified}"))
    elif ways_in(found) != [(PLUGIN, wanted)]:
        steps.append(Step(f"password of user {name} set", f"ALTER USER {identified}"))
    return steps + grant_steps(name, user["databases"], state.grants.get(name, []))


def grant_steps(name: str, databases: list[str], lines: list[str]) -> list[Step]:
    """From the lines of SHOW GRANTS to all rights on the databases and none elsewhere.

    Revoked is last, so that a service at work never lacks its rights.
    """
    missing = {tables(database): database for database in databases}
    revoked = []
    for line in lines:
        granted, to, rest = line.removeprefix("GRANT ").partition(f" TO {account(name)}")
        rights, on, where = granted.partition(" ON ")
        if not to:  # a default role, or what everybody has
            continue
        if not on:
            revoked.append(Step(f"role {rights} revoked from {name}", f"REVOKE {rights} FROM {account(name)}"))
            continue
        own = where in missing
        if own and rights == ALL:
            del missing[where]
        surplus = [] if own or rights == "USAGE" else [rights]
        # Behind WITH there may be limits too.
        if re.search(r" WITH .*\bGRANT OPTION\b", rest):
            surplus.append("GRANT OPTION")
        revoked += [
            Step(f"{right} on {where} revoked from {name}", f"REVOKE {right} ON {where} FROM {account(name)}")
            for right in surplus
        ]
    granted_now = [
        Step(f"all rights on {database} granted to {name}", f"GRANT {ALL} ON {where} TO {account(name)}")
        for where, database in missing.items()
    ]
    return granted_now + revoked


def plan(parameters: dict[str, Any], state: State) -> list[Step]:
    """Everything that is to be done."""
    steps = database_steps(parameters, state) + anonymous_steps(state)
    for user in parameters["users"]:
        steps += user_steps(user, state)
    return steps


class Server:
    """MariaDB as root reaches it."""

    def __init__(self, socket: str) -> None:
        # Without modes, whatever the server's own are: names are quoted in one way, in statements and in answers.
        self.connection = service_database.connect_as_root(
            socket, sql_mode="", cursorclass=service_database.pymysql.cursors.Cursor
        )

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """A statement's rows. It is taken literally, with its percent signs."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def state(self, parameters: dict[str, Any]) -> State:
        accounts = self.ask("SELECT User, Host, Priv FROM mysql.global_priv")
        state = State(
            databases={row[0] for row in self.ask("SHOW DATABASES")},
            accounts={(user, host): json.loads(entry) for user, host, entry in accounts},
        )
        for user in parameters["users"]:
            name = user["name"]
            if (name, HOST) in state.accounts:
                state.grants[name] = [row[0] for row in self.ask(f"SHOW GRANTS FOR {account(name)}")]
        return state


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "databases": {"type": "list", "elements": "str", "default": []},
            "character_set": {"type": "str", "default": "utf8mb3"},
            "collation": {"type": "str", "default": "utf8mb3_general_ci"},
            "users": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "password": {"type": "str", "required": True, "no_log": True},
                    "databases": {"type": "list", "elements": "str", "required": True},
                },
            },
            "socket": {"type": "path", "default": "/run/mysqld/mysqld.sock"},
        },
        supports_check_mode=True,
    )
    if service_database.PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=service_database.PYMYSQL_ERROR)
    parameters = module.params
    for name in ("character_set", "collation"):
        if not re.fullmatch(r"\w+", parameters[name], re.ASCII):
            module.fail_json(msg=f"{name} is '{parameters[name]}'. Expected: a name, of letters, digits and '_'.")
    if any(not user["name"] for user in parameters["users"]):
        module.fail_json(msg="a user has no name. Expected: one, since anonymous users are removed.")
    for user in parameters["users"]:
        try:
            user["password"].encode(ENCODING)
        except UnicodeEncodeError as error:
            module.fail_json(
                msg=f"the password of {user['name']} has a character beyond U+00FF at position {error.start + 1}, "
                "which PyMySQL cannot send. Expected: characters of Latin-1."
            )
    doing = "root's login"
    try:
        server = Server(parameters["socket"])
        doing = "reading what is there"
        steps = plan(parameters, server.state(parameters))
        for step in [] if module.check_mode else steps:
            doing = step.change
            server.ask(step.statement)
    except service_database.pymysql.MySQLError as error:
        module.fail_json(msg=f"MariaDB at {parameters['socket']} refused ({doing}): {error}")
    changes = [step.change for step in steps]
    module.exit_json(
        changed=bool(changes),
        changes=changes,
        diff={"before": "", "after": "".join(f"{change}\n" for change in changes)} if changes else {},
    )


if __name__ == "__main__":
    main()
