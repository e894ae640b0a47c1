#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Bring a service's database schema to that of its installed release."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: schema_sync
short_description: Bring a service's database schema to that of its installed release
version_added: "0.1.0"
description:
  - Compares the newest Alembic revisions of an installed OpenStack service with the revision that its database is at,
    and runs the service's own command only when they differ. So C(changed) means that something was migrated, and an
    up-to-date schema costs no start of the service's command line tool.
  - A migration that was interrupted leaves the older revision in the database and is run again.
author:
  - novalab contributors (@novalab)
requirements:
  - PyMySQL on the node
options:
  config:
    description: The service's configuration file.
    type: path
    required: true
  section:
    description: The section whose option C(connection) is the database's URL.
    type: str
    default: database
  databases:
    description:
      - Names of databases on the same server that must all be at the newest revision, instead of the one that the URL
        names. Nova's C(db sync) migrates the cell's database and that of cell0.
    type: list
    elements: str
    default: []
  migrations:
    description: The directory with the release's Alembic revisions.
    type: path
    required: true
  command:
    description: The command that migrates, such as C([nova-manage, db, sync]).
    type: list
    elements: str
    required: true
  user:
    description: The account that runs the command, so that the files it makes are the service's.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Says whether a migration is due.
  diff_mode:
    support: full
    description: Shows the revisions before and after.
"""

EXAMPLES = r"""
- name: Bring the schema of the API database to the release's
  novalab.openstack.schema_sync:
    config: /etc/nova/nova.conf
    section: api_database
    migrations: /usr/lib/python3/dist-packages/nova/db/api/migrations/versions
    command: [nova-manage, api_db, sync]
    user: nova
"""

RETURN = r"""
head:
  description: The newest revisions of the installed release, one for each branch.
  type: list
  elements: str
  returned: always
  sample: ["cdeec0c85668"]
before:
  description: The revisions of each database before, empty for a database without a schema.
  type: dict
  returned: always
  sample: {"nova_api": []}
after:
  description: The revisions of each database now.
  type: dict
  returned: always
  sample: {"nova_api": ["cdeec0c85668"]}
"""

import ast
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.novalab.openstack.plugins.module_utils import service_database

NO_SUCH_TABLE = 1146


def assignments(source: str) -> dict[str, Any]:
    """The literal values that a revision file assigns at its top level."""
    values: dict[str, Any] = {}
    for statement in ast.parse(source).body:
        target: ast.expr | None = None
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        if isinstance(target, ast.Name) and isinstance(
            getattr(statement, "value", None), (ast.Constant, ast.Tuple, ast.List)
        ):
            try:
                values[target.id] = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
            except ValueError:
                continue
    return values


def names(value: Any) -> set[str]:
    """One revision, several, or none, as Alembic allows it in C(down_revision) and C(depends_on)."""
    if not value:
        return set()
    return {value} if isinstance(value, str) else set(value)


def heads(directory: Path) -> list[str]:
    """The revisions that no other one builds on, as Alembic keeps them in the database when all are applied."""
    revisions: set[str] = set()
    built_on: set[str] = set()
    for path in sorted(directory.rglob("*.py")):
        values = assignments(path.read_text(encoding="utf-8"))
        if isinstance(values.get("revision"), str):
            revisions.add(values["revision"])
            built_on |= names(values.get("down_revision")) | names(values.get("depends_on"))
    return sorted(revisions - built_on)


def current(url: str, databases: list[str]) -> dict[str, list[str]]:
    """The revisions of each database; none where no migration ever ran."""
    found: dict[str, list[str]] = {}
    for database in databases:
        connection = service_database.connect(url, database)
        try:
            found[database] = sorted(
                row["version_num"]
                for row in service_database.rows(connection, "SELECT version_num FROM alembic_version")
            )
        except service_database.pymysql.ProgrammingError as error:
            if error.args[0] != NO_SUCH_TABLE:
                raise
            found[database] = []
        finally:
            connection.close()
    return found


def as_text(revisions: dict[str, list[str]]) -> str:
    return "".join(f"{database}: {', '.join(found) or 'no schema'}\n" for database, found in revisions.items())


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "required": True},
            "section": {"type": "str", "default": "database"},
            "databases": {"type": "list", "elements": "str", "default": []},
            "migrations": {"type": "path", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "user": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    if service_database.PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=service_database.PYMYSQL_ERROR)
    parameters = module.params
    newest = heads(Path(parameters["migrations"]))
    if not newest:
        module.fail_json(msg=f"no Alembic revisions in {parameters['migrations']}. Expected: the installed service's.")
    try:
        url = service_database.option(parameters["config"], parameters["section"], "connection")
        databases = parameters["databases"] or [service_database.connection_arguments(url)["database"]]
        before = current(url, databases)
        due = any(found != newest for found in before.values())
        if due and not module.check_mode:
            migrate(module)
            after = current(url, databases)
        else:
            after = before
    except (KeyError, OSError) as error:
        module.fail_json(msg=f"cannot read the database's URL: {error}")
    except service_database.pymysql.MySQLError as error:
        module.fail_json(msg=f"the database of {parameters['config']} [{parameters['section']}] refused: {error}")
    if due and not module.check_mode and any(found != newest for found in after.values()):
        module.fail_json(
            msg=f"'{' '.join(parameters['command'])}' ended well,"
            f" but the schema is not at {', '.join(newest)}: {as_text(after)}",
            head=newest,
            before=before,
            after=after,
        )
    module.exit_json(
        changed=due,
        head=newest,
        before=before,
        after=after,
        diff={"before": as_text(before), "after": as_text(dict.fromkeys(before, newest))} if due else {},
    )


def migrate(module: AnsibleModule) -> None:
    """Run the service's command as the service's user."""
    command = ["runuser", "-u", module.params["user"], "--", *module.params["command"]]
    code, out, err = module.run_command(command)
    if code != 0:
        last = "\n".join((err or out).strip().splitlines()[-15:])
        module.fail_json(msg=f"'{' '.join(module.params['command'])}' ended with status {code}: {last}")


if __name__ == "__main__":
    main()
