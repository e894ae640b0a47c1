# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Which accounts of MariaDB and RabbitMQ are as they should be."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.novalab.openstack.plugins.modules import check_accounts

SOCKET = {"plugin": "unix_socket"}
INVALID = {"plugin": "mysql_native_password", "authentication_string": "invalid"}
EMPTY = {"plugin": "mysql_native_password", "authentication_string": ""}


@pytest.mark.parametrize(
    ("priv", "is_open"),
    [
        ({"access": 0, **INVALID}, False),
        ({"access": 0, **EMPTY}, True),
        ({"access": 0}, True),
        ({"access": 0, **SOCKET}, False),
        # As MariaDB makes root: a password that nobody can have, or the socket.
        ({**INVALID, "auth_or": [{}, SOCKET]}, False),
        ({**EMPTY, "auth_or": [{}, SOCKET]}, True),
        ({**SOCKET, "auth_or": [EMPTY, {}]}, True),
        ({**SOCKET, "auth_or": [INVALID, {}]}, False),
        # As mariadb.sys.
        ({**EMPTY, "account_locked": True}, False),
        ({"access": 0, "is_role": True}, False),
    ],
)
def test_accounts_open_to_all_are_found(priv: dict[str, Any], is_open: bool) -> None:
    assert check_accounts.open_to_all(priv) is is_open


def account(user: str, host: str = "%", **priv: object) -> dict[str, str]:
    return {"user": user, "host": host, "priv": json.dumps({"access": 0, **INVALID, **priv})}


@pytest.mark.parametrize(
    ("accounts", "found"),
    [
        ([account("nova"), account("root", "localhost", **SOCKET)], "2 accounts, none such"),
        ([account("nova"), account("PUBLIC", "", is_role=True), account("", "", is_role=True)], "3 accounts"),
        ([account("", "localhost"), account("nova")], "anonymous at localhost"),
        ([account("nova", authentication_string=""), account("", "h")], "anonymous at h, nova@% without a password"),
    ],
)
def test_accounts_that_let_anybody_in_fail_the_check(accounts: list[dict[str, str]], found: str) -> None:
    check = check_accounts.check_entry("controller", accounts)
    assert check.found.startswith(found)
    assert check.ok is ("none such" in check.found)


EXPECTED = {"glance": ["glance"], "nova": ["nova", "nova_api"]}
ACCOUNTS = [account("glance"), account("nova"), account("nova", "localhost"), account("root", access=2**64 - 1)]
GRANTS = [
    {"user": "glance", "db": "glance"},
    {"user": "nova", "db": "nova"},
    {"user": "nova", "db": "nova\\_api"},
    {"user": "root", "db": "sys"},
]


@pytest.mark.parametrize(
    ("accounts", "grants", "found"),
    [
        (ACCOUNTS, GRANTS, "the same"),
        (ACCOUNTS, GRANTS[:2], "nova does not reach nova_api"),
        (ACCOUNTS, [*GRANTS, {"user": "glance", "db": "nova"}], "glance reaches nova"),
        (ACCOUNTS, [*GRANTS, {"user": "glance", "db": "%"}], "glance reaches %"),
        (ACCOUNTS[1:], GRANTS, "no user glance"),
        ([*ACCOUNTS, account("nova", "h", access=1)], GRANTS, "nova has global privileges"),
        (ACCOUNTS[1:], GRANTS[1:], "no user glance; glance does not reach glance"),
    ],
)
def test_grants_that_differ_fail_the_check(
    accounts: list[dict[str, str]], grants: list[dict[str, str]], found: str
) -> None:
    check = check_accounts.check_grants("controller", EXPECTED, accounts, grants)
    assert (check.found, check.ok) == (found, found == "the same")
    assert check.expected == "glance on glance; nova on nova, nova_api"


@pytest.mark.parametrize(
    ("code", "out", "err", "ok", "found"),
    [
        (0, '[{"user": "nova", "tags": []}]', "", True, "nova"),
        (0, '[{"user": "nova"}, {"user": "guest"}]', "", False, "guest, nova"),
        (0, "[]", "", False, "none"),
        (69, "", "Error:\nunable to connect\n", False, "'rabbitmqctl' ended with status 69: unable to connect"),
    ],
)
def test_users_of_rabbitmq_that_differ_fail_the_check(code: int, out: str, err: str, ok: bool, found: str) -> None:
    module = SimpleNamespace(run_command=lambda _: (code, out, err))
    check = check_accounts.check_queue(module, "controller", ["nova"])
    assert (check.ok, check.found) == (ok, found)
