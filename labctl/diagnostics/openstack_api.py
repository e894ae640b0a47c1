"""The lab's APIs over plain HTTP, for verbs that must answer at once.

Importing openstacksdk takes longer than all of `labctl status` may (0.9 s of processor time, and keystoneauth alone
0.4 s), so what only looks asks with Python's own client. Verbs that do something use the SDK.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.novalab.openstack.plugins.module_utils import keystone

from labctl.errors import LabError
from labctl.lab.paths import LabPaths
from labctl.lab.yaml_reader import read


@dataclass(frozen=True)
class Rows:
    """What an API lists. problem is why there is nothing, empty when it has answered."""

    rows: list[dict[str, Any]]
    problem: str = ""


@dataclass(frozen=True)
class Question:
    """A list that an API has: the type of the service, the path below its endpoint, the key of the list."""

    service: str
    path: str
    key: str


@dataclass(frozen=True)
class Cloud:
    """A token, and the public endpoint of each type of service. timeout is in seconds, for each request."""

    token: str = field(repr=False)
    endpoints: Mapping[str, str]
    timeout: float

    def rows(self, question: Question) -> Rows:
        """All rows of a list, page by page. A service that does not answer is a problem, never an exception."""
        base = self.endpoints.get(question.service)
        if base is None:
            return Rows([], f"there is no service {question.service} in the catalog")
        url: str | None = f"{base.rstrip('/')}{question.path}"
        found: list[dict[str, Any]] = []
        try:
            while url is not None:
                document = json.loads(_ask("GET", url, self.timeout, token=self.token)[0])
                found += document[question.key]
                links = document.get(f"{question.key}_links", ())
                url = next((link["href"] for link in links if link.get("rel") == "next"), None)
        except LabError as error:
            return Rows([], error.message)
        except (ValueError, KeyError, TypeError) as error:
            return Rows([], f"{url} answers something else than a list of {question.key}: {error!r}")
        return Rows(found)

    def all_rows(self, questions: Mapping[str, Question]) -> dict[str, Rows]:
        """Several lists at the same time, by the names of the questions."""
        with ThreadPoolExecutor(max_workers=max(1, len(questions))) as pool:
            return dict(zip(questions, pool.map(self.rows, questions.values()), strict=True))


def connect(paths: LabPaths, cloud: str, *, timeout: float = 10.0) -> Cloud:
    """A token for a cloud of the lab's clouds.yaml. Raises LabError when there is none, or Keystone gives none."""
    data = read(paths.clouds_yaml).data
    try:
        auth = data["clouds"][cloud]["auth"]
        user = {
            "name": auth["username"],
            "password": auth["password"],
            "domain": {"name": auth["user_domain_name"]},
        }
        project = {"name": auth["project_name"], "domain": {"name": auth["project_domain_name"]}}
        url = f"{auth['auth_url']}/auth/tokens"
    except (KeyError, TypeError) as error:
        raise LabError(
            f"{paths.clouds_yaml} says nothing of the cloud {cloud}", "`labctl verify` writes it."
        ) from error
    answer, token = _ask("POST", url, timeout, body=keystone.password_login(user, {"project": project}))
    try:
        return Cloud(token, keystone.endpoints(json.loads(answer)["token"]["catalog"], ("public",)), timeout)
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{url} answers something else than a token: {error!r}") from error


def _ask(
    method: str, url: str, timeout: float, *, token: str = "", body: dict[str, Any] | None = None
) -> tuple[str, str]:
    """The body of an answer, and the token with it. Raises LabError with what was said instead."""
    try:
        answer: tuple[str, str] = keystone.call(method, url, body, token=token, timeout=timeout)
    except keystone.KeystoneError as error:
        if error.status:
            raise LabError(f"{url} answers {error.status} {error.reason}") from error
        if isinstance(error.__cause__, TimeoutError):
            raise LabError(f"{url} does not answer within {timeout:g} s") from error
        raise LabError(f"{url} does not answer: {error.reason}") from error
    return answer
