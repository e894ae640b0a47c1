# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""From what MariaDB 10.11 and 11.8 say of their accounts to the statements that mend them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.novalab.openstack.plugins.modules import mariadb_accounts
from ansible_collections.novalab.openstack.plugins.modules.mariadb_accounts import PLUGIN

# As `SELECT PASSWORD(...)` of MariaDB 11.8 has them.
HASHES = {
    "it's \\ 50% # ü": "*2E297189FC5C2A11C05E43BFE90F6C6A8B92A07B",
    'nova\'s "50%" $HOME \\ /?#@:;=&+ in MariaDB': "*72CF8C010079FBBE576466AECC203DA2E2F49D2A",
}
NOVA = 'nova\'s "50%" $HOME \\ /?#@:;=&+ in MariaDB'
HASH = HASHES[NOVA]
SET = f"ALTER USER `nova`@`%` IDENTIFIED VIA mysql_native_password USING '{HASH}'"
ROOT = {"access": 18446744073709551615, "plugin": PLUGIN, "authentication_string": "invalid"}
CURSORS = SimpleNamespace(Cursor="rows as tuples", DictCursor="rows as dictionaries")
ROOT |= {"auth_or": [{}, {"plugin": "unix_socket"}]}
ENTRY = {"access": 0, "version_id": 110809, "plugin": PLUGIN, "authentication_string": HASH}
USAGE = f"GRANT USAGE ON *.* TO `nova`@`%` IDENTIFIED BY PASSWORD '{HASH}'"
ON_NOVA = "GRANT ALL PRIVILEGES ON `nova`.* TO `nova`@`%`"
ON_API = "GRANT ALL PRIVILEGES ON `nova\\_api`.* TO `nova`@`%`"
PARAMETERS: dict[str, Any] = {
    "databases": ["nova", "nova_api"],
    "character_set": "utf8mb3",
    "collation": "utf8mb3_general_ci",
    "socket": "/run/mysqld/mysqld.sock",
    "users": [{"name": "nova", "password": NOVA, "databases": ["nova", "nova_api"]}],
}


@pytest.mark.parametrize(("password", "expected"), HASHES.items())
def test_password_hash_is_mariadbs(password: str, expected: str) -> None:
    assert mariadb_accounts.password_hash(password) == expected


@pytest.mark.parametrize(
    ("database", "pattern"),
    [("nova", "`nova`.*"), ("nova_api", "`nova\\_api`.*"), ("50%", "`50\\%`.*"), ("a\\b`c", "`a\\\\b``c`.*")],
)
def test_grant_matches_one_database_only(database: str, pattern: str) -> None:
    assert mariadb_accounts.tables(database) == pattern


class RefusedError(Exception):
    """Stands for pymysql.MySQLError."""


class FakeServer:
    """A server, its connection and its cursor in one: answers as MariaDB does, and notes what it is told."""

    def __init__(
        self,
        databases: tuple[str, ...] = (),
        accounts: tuple[tuple[str, str, dict[str, Any]], ...] = (),
        grants: tuple[str, ...] = (),
        refuse: str = "",
    ) -> None:
        self.databases = databases
        self.accounts = accounts
        self.grants = grants
        self.refuse = refuse
        self.told: list[str] = []
        self.rows: list[tuple[str, ...]] = []

    def connect(self, **arguments: object) -> FakeServer:
        assert arguments == {
            "unix_socket": "/run/mysqld/mysqld.sock",
            "user": "root",
            "sql_mode": "",
            "autocommit": True,
            "connect_timeout": 10,
            "cursorclass": CURSORS.Cursor,
        }
        return self

    def cursor(self) -> contextlib.nullcontext[FakeServer]:
        return contextlib.nullcontext(self)

    def execute(self, statement: str) -> None:
        self.rows = self.answer(statement)

    def fetchall(self) -> list[tuple[str, ...]]:
        return self.rows

    def answer(self, statement: str) -> list[tuple[str, ...]]:
        if statement == "SHOW DATABASES":
            return [(name,) for name in ("information_schema", "mysql", *self.databases)]
        if statement == "SELECT User, Host, Priv FROM mysql.global_priv":
            return [
                (user, host, json.dumps(entry)) for user, host, entry in (("root", "localhost", ROOT), *self.accounts)
            ]
        if statement == "SHOW GRANTS FOR `nova`@`%`":
            return [(line,) for line in self.grants]
        if self.refuse and statement.startswith(self.refuse):
            raise RefusedError(1115, "Unknown character set: 'utf9'")
        self.told.append(statement)
        return []


class DoneError(Exception):
    """The module has ended."""


Run = Callable[..., tuple[dict[str, Any], list[str]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the module on a server. Gives its answer, and the statements that have changed something."""

    def play(
        server: dict[str, Any], *, check: bool = False, fails: bool = False, **parameters: object
    ) -> tuple[dict[str, Any], list[str]]:
        answers: list[tuple[bool, dict[str, Any]]] = []

        def end(failed: bool, answer: dict[str, Any]) -> None:
            answers.append((failed, answer))
            raise DoneError

        module = SimpleNamespace(
            params={**PARAMETERS, **parameters},
            check_mode=check,
            exit_json=lambda **answer: end(failed=False, answer=answer),
            fail_json=lambda **answer: end(failed=True, answer=answer),
        )
        fake = FakeServer(**server)
        driver = SimpleNamespace(connect=fake.connect, MySQLError=RefusedError, cursors=CURSORS)
        monkeypatch.setattr(mariadb_accounts, "AnsibleModule", lambda **_: module)
        monkeypatch.setattr(mariadb_accounts.service_database, "pymysql", driver, raising=False)
        monkeypatch.setattr(mariadb_accounts.service_database, "PYMYSQL_ERROR", "")
        with pytest.raises(DoneError):
            mariadb_accounts.main()
        failed, answer = answers[0]
        assert failed is fails, answer
        return answer, fake.told

    return play


FINISHED: dict[str, Any] = {
    "databases": ("nova", "nova_api"),
    "accounts": (("nova", "%", ENTRY),),
    "grants": (USAGE, ON_NOVA, ON_API),
}
FRESH_CHANGES = [
    "database nova created",
    "database nova_api created",
    "user nova created",
    "all rights on nova granted to nova",
    "all rights on nova_api granted to nova",
]


def test_fresh_server_gets_databases_and_users(run: Run) -> None:
    answer, told = run({})
    assert answer == {
        "changed": True,
        "changes": FRESH_CHANGES,
        "diff": {"before": "", "after": "".join(f"{change}\n" for change in FRESH_CHANGES)},
    }
    assert told == [
        "CREATE DATABASE `nova` CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci",
        "CREATE DATABASE `nova_api` CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci",
        f"CREATE USER `nova`@`%` IDENTIFIED VIA mysql_native_password USING '{HASH}'",
        "GRANT ALL PRIVILEGES ON `nova`.* TO `nova`@`%`",
        "GRANT ALL PRIVILEGES ON `nova\\_api`.* TO `nova`@`%`",
    ]


def test_check_mode_tells_and_does_nothing(run: Run) -> None:
    answer, told = run({}, check=True)
    assert (answer["changes"], told) == (FRESH_CHANGES, [])


def test_finished_server_is_left_alone(run: Run) -> None:
    answer, told = run(FINISHED)
    assert (answer, told) == ({"changed": False, "changes": [], "diff": {}}, [])


@pytest.mark.parametrize("password", HASHES)
def test_no_statement_has_the_password(run: Run, password: str) -> None:
    answer, told = run({}, users=[{"name": "nova", "password": password, "databases": []}])
    assert HASHES[password] in told[-1]
    assert password not in str(answer) + "".join(told)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (ENTRY | {"password_last_changed": 1795659483, "default_role": "r"}, []),
        (ENTRY | {"authentication_string": "*4BC8CD203C36B08647804978A06B7D873CA83322"}, [SET]),
        (ENTRY | {"authentication_string": ""}, [SET]),
        ({"access": 0}, [SET]),
        (ENTRY | {"plugin": "ed25519"}, [SET]),
        # One way in more than the password; an empty alternative stands for what is beside it.
        (ENTRY | {"auth_or": [{}, {"plugin": "unix_socket"}]}, [SET]),
        (ENTRY | {"auth_or": [{}]}, []),
    ],
)
def test_password_that_differs_is_set(run: Run, entry: dict[str, Any], told: list[str]) -> None:
    answer, statements = run(FINISHED | {"accounts": (("nova", "%", entry),)})
    assert statements == told
    assert answer["changes"] == ["password of user nova set"] * len(told)


@pytest.mark.parametrize(
    ("grants", "told", "changes"),
    [
        # community.mysql's, in which the underscore stands for any character.
        (
            (ON_NOVA, "GRANT ALL PRIVILEGES ON `nova_api`.* TO `nova`@`%`"),
            [
                "GRANT ALL PRIVILEGES ON `nova\\_api`.* TO `nova`@`%`",
                "REVOKE ALL PRIVILEGES ON `nova_api`.* FROM `nova`@`%`",
            ],
            ["all rights on nova_api granted to nova", "ALL PRIVILEGES on `nova_api`.* revoked from nova"],
        ),
        (
            (ON_API, "GRANT SELECT, INSERT ON `nova`.* TO `nova`@`%`"),
            ["GRANT ALL PRIVILEGES ON `nova`.* TO `nova`@`%`"],
            ["all rights on nova granted to nova"],
        ),
        (
            (ON_API, f"{ON_NOVA} WITH GRANT OPTION"),
            ["REVOKE GRANT OPTION ON `nova`.* FROM `nova`@`%`"],
            ["GRANT OPTION on `nova`.* revoked from nova"],
        ),
        (
            (ON_API, ON_NOVA, f"{USAGE} WITH GRANT OPTION MAX_QUERIES_PER_HOUR 10"),
            ["REVOKE GRANT OPTION ON *.* FROM `nova`@`%`"],
            ["GRANT OPTION on *.* revoked from nova"],
        ),
        (
            (ON_API, ON_NOVA, USAGE.replace("USAGE", "RELOAD, PROCESS")),
            ["REVOKE RELOAD, PROCESS ON *.* FROM `nova`@`%`"],
            ["RELOAD, PROCESS on *.* revoked from nova"],
        ),
        (
            (ON_API, ON_NOVA, "GRANT SELECT (`a`), UPDATE (`b`) ON `nova`.`t` TO `nova`@`%`"),
            ["REVOKE SELECT (`a`), UPDATE (`b`) ON `nova`.`t` FROM `nova`@`%`"],
            ["SELECT (`a`), UPDATE (`b`) on `nova`.`t` revoked from nova"],
        ),
        (
            (ON_API, ON_NOVA, "GRANT SELECT ON `glance`.`od``d TO` TO `nova`@`%`"),
            ["REVOKE SELECT ON `glance`.`od``d TO` FROM `nova`@`%`"],
            ["SELECT on `glance`.`od``d TO` revoked from nova"],
        ),
        (
            (ON_API, ON_NOVA, "GRANT EXECUTE ON PROCEDURE `glance`.`p` TO `nova`@`%`"),
            ["REVOKE EXECUTE ON PROCEDURE `glance`.`p` FROM `nova`@`%`"],
            ["EXECUTE on PROCEDURE `glance`.`p` revoked from nova"],
        ),
        (
            ("GRANT `r1` TO `nova`@`%`", ON_API, ON_NOVA, "SET DEFAULT ROLE `r1` FOR `nova`@`%`"),
            ["REVOKE `r1` FROM `nova`@`%`"],
            ["role `r1` revoked from nova"],
        ),
        ((ON_API, ON_NOVA, "GRANT SELECT ON `glance`.* TO PUBLIC"), [], []),
    ],
)
def test_grants_that_differ_are_corrected(
    run: Run, grants: tuple[str, ...], told: list[str], changes: list[str]
) -> None:
    answer, statements = run(FINISHED | {"grants": grants})
    assert (statements, answer["changes"]) == (told, changes)


def test_anonymous_users_go_and_others_stay(run: Run) -> None:
    role = {"access": 0, "is_role": True}
    more = (
        ("", "localhost", {"access": 0}),
        ("", "%", ENTRY),
        ("", "", role),
        ("PUBLIC", "", role),
        ("me", "%", ENTRY),
    )
    answer, told = run(FINISHED | {"accounts": (*FINISHED["accounts"], *more)})
    assert told == ["DROP USER ``@`%`", "DROP USER ``@`localhost`"]
    assert answer["changes"] == ["anonymous user at % removed", "anonymous user at localhost removed"]


def test_same_name_at_another_host_is_another_user(run: Run) -> None:
    answer, _ = run(FINISHED | {"accounts": (("nova", "localhost", ENTRY),)})
    assert answer["changes"][0] == "user nova created"


@pytest.mark.parametrize(
    ("parameters", "server", "said"),
    [
        (
            {},
            {"refuse": "CREATE DATABASE"},
            "MariaDB at /run/mysqld/mysqld.sock refused (database nova created): "
            "(1115, \"Unknown character set: 'utf9'\")",
        ),
        (
            {"collation": "x; DROP"},
            {},
            "collation is 'x; DROP'. Expected: a name, of letters, digits and '_'.",
        ),
        (
            {"users": [{"name": "", "password": "x", "databases": []}]},
            {},
            "a user has no name. Expected: one, since anonymous users are removed.",
        ),
        (
            {"users": [{"name": "nova", "password": "a\u0142", "databases": []}]},
            {},
            "the password of nova has a character beyond U+00FF at position 2, which PyMySQL cannot send. "
            "Expected: characters of Latin-1.",
        ),
    ],
)
def test_server_that_refuses_is_reported(
    run: Run, parameters: dict[str, Any], server: dict[str, Any], said: str
) -> None:
    answer, _ = run(server, fails=True, **parameters)
    assert answer["msg"] == said
