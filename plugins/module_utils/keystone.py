# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Keystone and other APIs by their own JSON: importing the SDK costs more processor time than what is asked of it here.

C(labctl status) and the doctor's programs on nodes use it too.
"""

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
    """An answer that says no, or none at all, which has the status 0.

    C(reason) is HTTP's for the status, or why there is no answer; C(__cause__) is then the error.
    """

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def call(
    method: str, url: str, body: dict[str, Any] | None = None, *, token: str = "", timeout: float = TIMEOUT
) -> tuple[str, str]:
    """What an API answers, and the token that comes with it; both may be empty. KeystoneError.

    No proxy is asked: these are addresses of a cloud's own network.
    """
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    headers.update({"X-Auth-Token": token} if token else {})
    data = json.dumps(body) if body else None  # unread by the server it would reset the connection
    try:
        place = urllib.parse.urlsplit(url)
        if not place.hostname:
            raise ValueError(f"{url!r} is no URL")
        kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        with contextlib.closing(kind(place.hostname, place.port, timeout=timeout)) as connection:
            connection.request(method, place._replace(scheme="", netloc="").geturl() or "/", data, headers)
            answer = connection.getresponse()
            said = answer.read().decode(errors="replace")
    except (OSError, ValueError, http.client.HTTPException) as error:
        strerror = error.strerror if isinstance(error, OSError) else None
        raise KeystoneError(0, str(error), strerror or str(error) or type(error).__name__) from error
    if answer.status >= 400:
        raise KeystoneError(answer.status, f"{answer.status} {message_of(said)}", answer.reason)
    return said, answer.headers.get("X-Subject-Token", "")


def password_login(user: dict[str, Any], scope: Any) -> dict[str, Any]:
    """The body of a request for a token. C(user) has name, password and domain; C(scope) may be C(unscoped)."""
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}


def endpoints(catalog: list[dict[str, Any]], interfaces: tuple[str, ...], region: str = "") -> dict[str, str]:
    """The URL of each type of service in a token's catalog, by the first of the interfaces that it has."""
    found = {}
    for service in catalog:
        here = [e for e in service["endpoints"] if region in ("", e.get("region_id"), e.get("region"))]
        urls = {endpoint["interface"]: str(endpoint["url"]) for endpoint in here}
        if url := next((urls[name] for name in interfaces if name in urls), None):
            found[service["type"]] = url
    return found


class Keystone:
    """The API's version 3 as one user sees it (Keystone: Identity API v3)."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.token = ""

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[dict[str, Any], str]:
        """What is answered, and the token that comes with it; both may be empty. KeystoneError."""
        try:
            said, token = call(method, f"{self.url}/{path}", body, token=self.token)
            return json.loads(said or "{}"), token
        except KeystoneError as error:
            raise KeystoneError(error.status, f"{method} {path}: {error}") from error
        except ValueError as error:
            raise KeystoneError(0, f"{method} {path}: {error}") from error

    def log_in(self, user: str, password: str, project: str = "") -> bool:
        """Whether the password is the user's, and with a project whether the user has a role there.

        The token is kept for what is asked next. Other errors than a refusal are raised.
        """
        domain = {"id": DOMAIN}
        who = {"name": user, "password": password, "domain": domain}
        scope: Any = {"project": {"name": project, "domain": domain}} if project else "unscoped"
        try:
            self.token = self.request("POST", "auth/tokens", password_login(who, scope))[1]
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
