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
  - One process imports the service's tool once and runs all commands that are due, side by side.
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
  schemas:
    description: The schemas. Those that are due are migrated at the same time, by one process that has forked.
    type: list
    elements: dict
    required: true
    suboptions:
      section:
        description: The section whose option C(connection) is the database's URL.
        type: str
        default: database
      database:
        description:
          - The name of a database on the same server, instead of the one that the URL names. The command gets its URL
            by the environment, as oslo.config reads it.
        type: str
      migrations:
        description: The directory with the release's Alembic revisions.
        type: path
        required: true
      command:
        description: The command that migrates, a console script with its arguments.
        type: list
        elements: str
        required: true
      first:
        description:
          - Commands of the service that fill the database where it had no schema, in the process that has made it. They
            run at the same time, after all others. A run that is interrupted between the two is not made up for.
        type: list
        elements: dict
        default: []
        suboptions:
          command:
            description: The command, a console script with its arguments.
            type: list
            elements: str
            required: true
          environment:
            description: Variables of its environment, which may be secret.
            type: dict
            default: {}
  files:
    description: Files that commands of the service make, at the same time, where they are not there.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      command:
        description: The command that makes it.
        type: list
        elements: str
        required: true
  wait:
    description:
      - Whether the commands are waited for. If not, they go on beside what follows, and the next call for the same
        account waits for them. It finds the schema as it should be, or runs the commands again and tells why they fail.
    type: bool
    default: true
  user:
    description: The account that runs the commands, so that the files they make are the service's.
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
- name: Bring the schemas to the release's
  novalab.openstack.schema_sync:
    config: /etc/nova/nova.conf
    user: nova
    schemas:
      - section: api_database
        migrations: /usr/lib/python3/dist-packages/nova/db/api/migrations/versions
        command: [nova-manage, api_db, sync]
      - migrations: /usr/lib/python3/dist-packages/nova/db/main/migrations/versions
        command: [nova-manage, db, sync, --local_cell]
      - database: nova_cell0
        migrations: /usr/lib/python3/dist-packages/nova/db/main/migrations/versions
        command: [nova-manage, db, sync, --local_cell]
"""

RETURN = r"""
head:
  description: The newest revisions of the installed release, one for each branch, by database.
  type: dict
  returned: always
  sample: {"nova_api": ["cdeec0c85668"]}
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
started:
  description: Whether commands have been started that are not waited for.
  type: bool
  returned: always
made:
  description: The files that were made.
  type: list
  elements: str
  returned: always
  sample: [/etc/keystone/fernet-keys/0]
"""

import ast
import fcntl
import os
import sys
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.novalab.openstack.plugins.module_utils import service_commands, service_database

NO_SUCH_TABLE = 1146
LOCKS = Path("/run")  # of root alone; everybody may write into /run/lock


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


def current(url: str, database: str) -> list[str]:
    """The revisions of a database; none where no migration ever ran."""
    connection = service_database.connect(url, database)
    try:
        found = service_database.rows(connection, "SELECT version_num FROM alembic_version")
    except service_database.pymysql.ProgrammingError as error:
        if error.args[0] != NO_SUCH_TABLE:
            raise
        return []
    finally:
        connection.close()
    return sorted(row["version_num"] for row in found)


def with_database(url: str, database: str) -> str:
    """The URL of another database on the same server."""
    return urllib.parse.urlsplit(url)._replace(path=f"/{database}").geturl()


@dataclass(frozen=True)
class Schema:
    """A database, what it should be at, and how it gets there."""

    database: str
    url: str
    head: list[str]
    command: service_commands.Command
    first: list[service_commands.Command]

    @property
    def now(self) -> list[str]:
        return current(self.url, self.database)


def schema(config: str, wanted: dict[str, Any]) -> Schema:
    """One of the module's schemas. ValueError without revisions, KeyError or OSError when the URL cannot be read."""
    head = heads(Path(wanted["migrations"]))
    if not head:
        raise ValueError(f"no Alembic revisions in {wanted['migrations']}. Expected: the installed service's.")
    url = service_database.option(config, wanted["section"], "connection")
    own = service_database.connection_arguments(url)["database"]
    database = wanted["database"] or own
    environment = {}
    if database != own:
        environment[f"OS_{wanted['section'].upper()}__CONNECTION"] = with_database(url, database)
    filling = [service_commands.Command(item["command"], item["environment"]) for item in wanted["first"]]
    return Schema(database, url, head, service_commands.Command(wanted["command"], environment), filling)


def first(schemas: list[Schema], before: dict[str, list[str]]) -> list[service_commands.Command]:
    """The commands that fill the databases which had no schema."""
    return [command for item in schemas if not before[item.database] for command in item.first]


def lock(user: str) -> int:
    """Wait for a call that runs commands of the same account, and keep others out for as long as this process lives."""
    descriptor = os.open(LOCKS / f"novalab-schema-{user}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def in_background(work: Callable[[], None]) -> None:
    """Do something in a process that nobody waits for, and which has the lock from this one."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):  # else ssh would wait until they are closed
                os.dup2(nothing, descriptor)
            work()
    finally:
        os._exit(0)


def as_text(revisions: dict[str, list[str]]) -> str:
    return "".join(f"{database}: {', '.join(found) or 'no schema'}\n" for database, found in revisions.items())


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "required": True},
            "schemas": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "section": {"type": "str", "default": "database"},
                    "database": {"type": "str"},
                    "migrations": {"type": "path", "required": True},
                    "command": {"type": "list", "elements": "str", "required": True},
                    "first": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "options": {
                            "command": {"type": "list", "elements": "str", "required": True},
                            "environment": {"type": "dict", "default": {}, "no_log": True},
                        },
                    },
                },
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "command": {"type": "list", "elements": "str", "required": True},
                },
            },
            "wait": {"type": "bool", "default": True},
            "user": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    if service_database.PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=service_database.PYMYSQL_ERROR)
    config, user = module.params["config"], module.params["user"]
    started = False
    try:
        if not module.check_mode:
            lock(user)
        missing = [file for file in module.params["files"] if not os.path.exists(file["path"])]
        commands = [service_commands.Command(file["command"]) for file in missing]
        schemas = [schema(config, wanted) for wanted in module.params["schemas"]]
        newest = {item.database: item.head for item in schemas}
        before = {item.database: item.now for item in schemas}
        commands += [item.command for item in schemas if before[item.database] != item.head]
        after = before
        if commands and not module.check_mode:
            rounds = [
                [service_commands.logged(item, config) for item in due] for due in (commands, first(schemas, before))
            ]
            started = not module.params["wait"]
            if started:
                in_background(lambda: service_commands.run(module, user, *rounds))
            else:
                service_commands.run(module, user, *rounds)
                after = {item.database: item.now for item in schemas}
    except ValueError as error:
        module.fail_json(msg=str(error))
    except (KeyError, OSError) as error:
        module.fail_json(msg=f"cannot read the database's URL: {error}")
    except service_database.pymysql.MySQLError as error:
        module.fail_json(msg=f"the database of {config} refused: {error}")
    made = [file["path"] for file in missing]
    late = [name for name in newest if after[name] != newest[name]]
    absent = [path for path in made if not os.path.exists(path)]
    if not (module.check_mode or started) and (late or absent):
        titles = "', '".join(command.title for command in commands)
        behind = "".join(f"; expected {name} at {', '.join(newest[name])}" for name in late)
        msg = f"'{titles}' ended well{behind}{''.join(f'; {path} is not there' for path in absent)}: {as_text(after)}"
        module.fail_json(msg=msg, head=newest, before=before, after=after, made=made)
    difference = {}
    if commands:
        new = "".join(f"{path}: made\n" for path in made)
        difference = {"before": as_text(before), "after": as_text(newest) + new}
    module.exit_json(
        changed=bool(commands), diff=difference, head=newest, before=before, after=after, made=made, started=started
    )


if __name__ == "__main__":
    main()
