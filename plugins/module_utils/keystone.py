# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Keystone by its own JSON: importing the SDK costs more processor time than all that is asked of it here."""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    T = TypeVar("T")

DOMAIN = "default"
REFUSALS = (401, 404)
# One that has just been started takes connections and answers when it has imported itself.
TIMEOUT = 300
# The threads of a Keystone as the role runs it.
AT_ONCE = 4


class KeystoneError(Exception):
    """An answer that says no, or none at all, which has the status 0."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Keystone:
    """The API's version 3 as one user sees it (Keystone: Identity API v3)."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.token = ""

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[dict[str, Any], str]:
        """What is answered, and the token that comes with it; both may be empty. KeystoneError."""
        headers = {"Content-Type": "application/json", **({"X-Auth-Token": self.token} if self.token else {})}
        data = json.dumps(body) if body else None  # unread by the server it would reset the connection
        place = urllib.parse.urlsplit(f"{self.url}/{path}")
        kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        try:
            # The address of its own node, so through no proxy.
            with contextlib.closing(kind(place.hostname or "", place.port, timeout=TIMEOUT)) as connection:
                connection.request(method, place._replace(scheme="", netloc="").geturl(), data, headers)
                answer = connection.getresponse()
                said = answer.read().decode()
            if answer.status >= 400:
                raise KeystoneError(answer.status, f"{method} {path}: {answer.status} {message_of(said)}")
            return json.loads(said or "{}"), answer.headers.get("X-Subject-Token", "")
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise KeystoneError(0, f"{method} {path}: {error}") from error

    def log_in(self, user: str, password: str, project: str = "") -> bool:
        """Whether the password is the user's, and with a project whether the user has a role there.

        The token is kept for what is asked next. Other errors than a refusal are raised.
        """
        domain = {"id": DOMAIN}
        who = {"name": user, "password": password, "domain": domain}
        scope: Any = {"project": {"name": project, "domain": domain}} if project else "unscoped"
        identity = {"methods": ["password"], "password": {"user": who}}
        try:
            self.token = self.request("POST", "auth/tokens", {"auth": {"identity": identity, "scope": scope}})[1]
        except KeystoneError as error:
            if error.status not in REFUSALS:
                raise
            return False
        return True

    def all(self, kind: str, query: str = "") -> list[dict[str, Any]]:
        """All objects of a kind, which is in the plural."""
        found: list[dict[str, Any]] = self.request("GET", kind + query)[0][kind]
        return found

    def create(self, kind: str, **fields: object) -> str:
        """The id of a new object of a kind, which is in the singular."""
        made: str = self.request("POST", f"{kind}s", {kind: fields})[0][kind]["id"]
        return made

    def update(self, kind: str, identity: str, **fields: object) -> None:
        """Change an object of a kind, which is in the singular."""
        self.request("PATCH", f"{kind}s/{identity}", {kind: fields})

    def assign(self, role: str, user: str, project: str) -> None:
        """Give a user a role on a project, all by their ids."""
        self.request("PUT", f"projects/{project}/users/{user}/roles/{role}")


def message_of(said: str) -> str:
    """Keystone's own words where the answer has them."""
    try:
        return str(json.loads(said)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return said[:200]


def at_once(calls: Iterable[Callable[[], T]]) -> list[T]:
    """The results of calls that are made side by side. The first one that fails fails them all."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]
