#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Check who may use the database server and the message queue."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_accounts
short_description: Check who may use MariaDB and RabbitMQ
version_added: "0.1.0"
description:
  - Looks that MariaDB has no anonymous user, none without a password unless the operating system vouches for it
    (C(unix_socket)), and that each service's user reaches its own databases only.
  - Looks that RabbitMQ has exactly the expected users, and so no C(guest).
  - A check that fails is reported in RV(checks) and does not fail the module.
author:
  - novalab contributors (@novalab)
requirements:
  - PyMySQL on the node
options:
  node:
    description: The node's name in the lab.
    type: str
    required: true
  databases:
    description: The databases of each service's user.
    type: dict
    required: true
  queue_users:
    description: The users of RabbitMQ, no more and no less.
    type: list
    elements: str
    required: true
  socket:
    description: MariaDB's socket.
    type: path
    default: /run/mysqld/mysqld.sock
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Look at the accounts
  novalab.openstack.check_accounts:
    node: controller
    databases: {glance: [glance], nova: [nova_api, nova_cell0, nova]}
    queue_users: [nova]
"""

RETURN = r"""
checks:
  description: What was compared.
  type: list
  elements: dict
  returned: always
  sample:
    - {name: RabbitMQ users, node: controller, expected: "nova", found: "nova", ok: true, detail: [], remedy: ""}
"""

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.novalab.openstack.plugins.module_utils import service_database
from ansible_collections.novalab.openstack.plugins.module_utils.checks import Check, listed, result

ACCOUNTS = "SELECT User AS user, Host AS host, Priv AS priv FROM mysql.global_priv"
GRANTS = "SELECT User AS user, Db AS db FROM mysql.db UNION SELECT User, Db FROM mysql.tables_priv"
# These need no password of their own: who the operating system says you are, you are.
SOCKET_PLUGINS = ("unix_socket", "gssapi")


def open_to_all(priv: dict[str, Any]) -> bool:
    """Whether an account of mysql.global_priv can be entered without a password (MariaDB: mysql.global_priv table)."""
    if priv.get("account_locked") or priv.get("is_role"):
        return False
    # Alternatives stand in auth_or; an empty one means the plugin beside it.
    return any(
        alternative.get("plugin", "mysql_native_password") not in SOCKET_PLUGINS
        and not alternative.get("authentication_string")
        for alternative in (entry or priv for entry in priv.get("auth_or", [priv]))
    )


def check_entry(node: str, accounts: list[dict[str, Any]]) -> Check:
    """Whether each account has a name and a password."""
    parsed = [(account["user"], account["host"], json.loads(account["priv"])) for account in accounts]
    wrong = [f"anonymous at {host}" for user, host, priv in parsed if not user and not priv.get("is_role")]
    wrong += [f"{user}@{host} without a password" for user, host, priv in parsed if user and open_to_all(priv)]
    return Check(
        "MariaDB accounts",
        node,
        "no anonymous and no passwordless one",
        listed(wrong) if wrong else f"{len(parsed)} accounts, none such",
        ok=not wrong,
        remedy="remove them with DROP USER, or let 'labctl up' do it for anonymous ones",
    )


def check_grants(
    node: str, expected: dict[str, list[str]], accounts: list[dict[str, Any]], grants: list[dict[str, str]]
) -> Check:
    """Whether the services' users reach their own databases, and nothing beside or above them."""
    wrong = []
    for user, databases in expected.items():
        same = [account for account in accounts if account["user"] == user]
        reached = {grant["db"].replace("\\", "") for grant in grants if grant["user"] == user}
        if not same:
            wrong.append(f"no user {user}")
        if any(int(json.loads(account["priv"]).get("access", 0)) for account in same):
            wrong.append(f"{user} has global privileges")
        wrong += [f"{user} reaches {name}" for name in sorted(reached - set(databases))]
        wrong += [f"{user} does not reach {name}" for name in sorted(set(databases) - reached)]
    return Check(
        "MariaDB grants",
        node,
        "; ".join(f"{user} on {listed(databases)}" for user, databases in expected.items()),
        "; ".join(wrong) or "the same",
        ok=not wrong,
        remedy="'labctl up' sets the grants of its users (role mariadb)",
    )


def check_queue(module: AnsibleModule, node: str, expected: list[str]) -> Check:
    """Whether RabbitMQ has the expected users."""
    code, out, err = module.run_command(["rabbitmqctl", "-q", "list_users", "--formatter", "json"])
    remedy = "remove others with 'rabbitmqctl delete_user NAME'; restart rabbitmq-server to have missing ones created"
    if code != 0:
        last = (err or out).strip().splitlines()[-1:]
        return Check(
            "RabbitMQ users",
            node,
            listed(expected),
            f"'rabbitmqctl' ended with status {code}: {listed(last)}",
            ok=False,
        )
    users = sorted(user["user"] for user in json.loads(out))
    return Check(
        "RabbitMQ users", node, listed(sorted(expected)), listed(users), ok=users == sorted(expected), remedy=remedy
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "databases": {"type": "dict", "required": True},
            "queue_users": {"type": "list", "elements": "str", "required": True},
            "socket": {"type": "path", "default": "/run/mysqld/mysqld.sock"},
        },
        supports_check_mode=True,
    )
    if service_database.PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=service_database.PYMYSQL_ERROR)
    parameters = module.params
    node = parameters["node"]
    try:
        connection = service_database.connect_as_root(parameters["socket"])
        accounts = service_database.rows(connection, ACCOUNTS)
        grants = service_database.rows(connection, GRANTS)
        checks = [check_entry(node, accounts), check_grants(node, parameters["databases"], accounts, grants)]
    except service_database.pymysql.MySQLError as error:
        checks = [Check("MariaDB accounts", node, f"root's access by {parameters['socket']}", str(error), ok=False)]
    checks.append(check_queue(module, node, parameters["queue_users"]))
    module.exit_json(**result(checks))


if __name__ == "__main__":
    main()
