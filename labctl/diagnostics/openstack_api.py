"""The lab's APIs over plain HTTP, for verbs that must answer at once.

To import openstacksdk takes longer than all of `labctl status` may take (0.9 s of processor time, and keystoneauth
alone 0.4 s), so verbs that only look use Python's own client. Verbs that change something use the SDK.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ansible_collections.novalab.openstack.plugins.module_utils import keystone

from labctl.errors import LabError
from labctl.lab.paths import LabPaths
from labctl.lab.yaml_reader import read


class Question(NamedTuple):
    """A list that an API has: the type of the service, the path below its endpoint, the key of the list."""

    service: str
    path: str
    key: str


def ask(
    paths: LabPaths, cloud: str, questions: Mapping[str, Question], *, timeout: float = 10.0
) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Several lists at the same time, by the names of the questions, and why others are missing.

    cloud is one of the lab's clouds.yaml; timeout is in seconds, for each request. Raises LabError if the cloud is not
    there, or Keystone gives no token.
    """
    token, endpoints = _token(paths, cloud, timeout)
    found, problems = {}, []
    with ThreadPoolExecutor() as pool:
        asked = {name: pool.submit(_rows, token, endpoints, question, timeout) for name, question in questions.items()}
        for name, rows in asked.items():
            try:
                found[name] = rows.result()
            except LabError as error:
                problems.append(error.message)
    return found, problems


def _token(paths: LabPaths, cloud: str, timeout: float) -> tuple[str, Mapping[str, str]]:
    """A token, and the public endpoint of each type of service."""
    data = read(paths.clouds_yaml).data
    try:
        auth = data["clouds"][cloud]["auth"]
        user = {"name": auth["username"], "password": auth["password"], "domain": {"name": auth["user_domain_name"]}}
        project = {"name": auth["project_name"], "domain": {"name": auth["project_domain_name"]}}
        url = f"{auth['auth_url']}/auth/tokens"
    except (KeyError, TypeError) as error:
        raise LabError(f"{paths.clouds_yaml} has no cloud {cloud}", "`labctl verify` writes it.") from error
    answer, token = _call("POST", url, timeout, body=keystone.password_login(user, {"project": project}))
    try:
        return token, keystone.endpoints(json.loads(answer)["token"]["catalog"], ("public",))
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{url} does not answer with a token: {error!r}") from error


def _rows(token: str, endpoints: Mapping[str, str], question: Question, timeout: float) -> list[dict[str, Any]]:
    """All rows of a list, page by page."""
    if question.service not in endpoints:
        raise LabError(f"there is no service {question.service} in the catalog")
    url: str | None = f"{endpoints[question.service].rstrip('/')}{question.path}"
    found: list[dict[str, Any]] = []
    try:
        while url is not None:
            document = json.loads(_call("GET", url, timeout, token=token)[0])
            found += document[question.key]
            links = document.get(f"{question.key}_links", ())
            url = next((link["href"] for link in links if link.get("rel") == "next"), None)
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{url} does not answer with a list of {question.key}: {error!r}") from error
    return found


def _call(
    method: str, url: str, timeout: float, *, token: str = "", body: dict[str, Any] | None = None
) -> tuple[str, str]:
    """The body of an answer, and the token with it. Raises LabError with the answer to a request that failed."""
    try:
        answer: tuple[str, str] = keystone.call(method, url, body, token=token, timeout=timeout)
    except keystone.KeystoneError as error:
        if error.status:
            raise LabError(f"{url} answers {error.status} {error.reason}") from error
        why = f" within {timeout:g} s" if isinstance(error.__cause__, TimeoutError) else f": {error.reason}"
        raise LabError(f"{url} does not answer{why}") from error
    return answer
