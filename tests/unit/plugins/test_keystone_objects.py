# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What is made and changed in Keystone, and how its answers are understood."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils import keystone
from ansible_collections.novalab.openstack.plugins.modules import keystone_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASSWORD = 'nova\'s "50%" $HOME \\ /?#@:;=&+ ü 🔑'
PARAMETERS: dict[str, Any] = {
    "url": "http://10.0.0.1:5000/v3",
    "admin_password": "admin's",
    "region": "RegionOne",
    "projects": ["service"],
    "roles": ["service"],
    "users": [{"name": "nova", "password": PASSWORD, "project": "service", "roles": ["admin", "service"]}],
    "services": [{"name": "nova", "type": "compute", "url": "http://10.0.0.1:8774/v2.1"}],
}
CHANGES = [
    "role service created",
    "project service created",
    "user nova created",
    "service nova created",
    "role admin of nova on service assigned",
    "role service of nova on service assigned",
    "public endpoint of nova created",
    "internal endpoint of nova created",
    "admin endpoint of nova created",
]


class Cloud:
    """Keystone's answers and its memory, for requests as they go over the wire."""

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}
        self.kinds: dict[str, list[dict[str, Any]]] = {
            kind: [] for kind in ("roles", "projects", "users", "role_assignments", "services", "endpoints")
        }
        self.asked: list[str] = []
        self.refuse: dict[str, int] = {}
        self.lock = threading.Lock()

    def bootstrap(self, password: str) -> None:
        if not self.kinds["users"]:
            for kind, name in (("role", "admin"), ("role", "member"), ("project", "admin"), ("user", "admin")):
                self.add(kind, {"name": name})
        self.passwords["admin"] = password

    def add(self, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in fields.items() if name != "password"}
        made = {**kept, "id": f"{kind}-{fields.get('interface', fields.get('name'))}"}
        self.kinds[f"{kind}s"].append(made)
        if kind == "user" and "password" in fields:
            self.passwords[fields["name"]] = fields["password"]
        return made

    def answer(self, method: str, path: str, body: dict[str, Any], token: str | None) -> tuple[int, Any, str]:
        with self.lock:
            what = f"{method} {path.removeprefix('/v3/')}"
            if what in self.refuse:
                return self.refuse[what], {"error": {"message": "Because."}}, ""
            if what == "POST auth/tokens":
                user = body["auth"]["identity"]["password"]["user"]
                assert user["domain"] == {"id": "default"}
                right = self.passwords.get(user["name"]) == user["password"]
                self.asked.append(f"login {user['name']} {'right' if right else 'wrong'}")
                return (201, {}, f"{user['name']}'s token") if right else (401, {"error": {"message": "No."}}, "")
            assert token == "admin's token"
            self.asked.append(what)
            kind = path.removeprefix("/v3/").partition("?")[0].split("/")
            if method == "GET":
                return 200, {kind[0]: self.kinds[kind[0]]}, ""
            if method == "POST":
                ((single, fields),) = body.items()
                return 201, {single: self.add(single, fields)}, ""
            if method == "PATCH":
                ((single, fields),) = body.items()
                found = next(item for item in self.kinds[kind[0]] if item["id"] == kind[1])
                if "password" in fields:
                    self.passwords[found["name"]] = fields["password"]
                else:
                    found |= fields
                return 200, {single: found}, ""
            assert method == "PUT"
            scope = {"project": {"id": kind[1]}}
            self.kinds["role_assignments"].append({"scope": scope, "user": {"id": kind[3]}, "role": {"id": kind[5]}})
            return 204, None, ""


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def server(cloud: Cloud) -> Iterator[str]:
    """The cloud behind a real socket; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or "{}")
            status, said, token = cloud.answer(self.command, self.path, body, self.headers.get("X-Auth-Token"))
            self.send_response(status)
            if token:
                self.send_header("X-Subject-Token", token)
            self.end_headers()
            self.wfile.write(b"" if said is None else json.dumps(said).encode())

        do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 (the base class asks for these names)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_address[1]}/v3"
    http.shutdown()
    http.server_close()


class DoneError(Exception):
    """The module has ended."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, cloud: Cloud, server: str) -> Callable[..., dict[str, Any]]:
    """Run the module; its answer, with the key failed where it has failed."""

    def play(*, check: bool = False, **parameters: object) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []

        def end(answer: dict[str, Any]) -> None:
            answers.append(answer)
            raise DoneError

        def command(words: list[str], environ_update: dict[str, str]) -> tuple[int, str, str]:
            assert words[:7] == ["runuser", "-u", "keystone", "--", "keystone-manage", "bootstrap", words[6]]
            assert "admin's" not in str(words)
            cloud.asked.append("bootstrap")
            cloud.bootstrap(environ_update["OS_BOOTSTRAP_PASSWORD"])
            return 0, "", ""

        module = SimpleNamespace(
            params={**PARAMETERS, "url": server, **parameters},
            check_mode=check,
            exit_json=lambda **answer: end(answer),
            fail_json=lambda **answer: end({"failed": True, **answer}),
            run_command=command,
        )
        monkeypatch.setattr(keystone_objects, "AnsibleModule", lambda **_: module)
        cloud.asked.clear()
        with pytest.raises(DoneError):
            keystone_objects.main()
        return answers[0]

    return play


def changing(asked: list[str]) -> list[str]:
    return [what for what in asked if not what.startswith(("GET", "login"))]


def other(kind: str, **fields: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (JSON)
    return [{**PARAMETERS[kind][0], **fields}]


def test_fresh_keystone_gets_every_object(run: Callable[..., dict[str, Any]], cloud: Cloud) -> None:
    answer = run()
    assert answer == {
        "changed": True,
        "bootstrapped": True,
        "changes": ["Keystone bootstrapped", *CHANGES],
        "diff": {"before": "", "after": "Keystone bootstrapped\n" + "".join(f"{change}\n" for change in CHANGES)},
    }
    assert cloud.asked[:3] == ["login admin wrong", "bootstrap", "login admin right"]
    assert cloud.asked.count("login nova right") == 0  # a user that was made now has its password
    assert cloud.passwords == {"admin": "admin's", "nova": PASSWORD}
    assert {
        (item["service_id"], item["interface"], item["url"], item["region_id"]) for item in cloud.kinds["endpoints"]
    } == {
        ("service-nova", interface, "http://10.0.0.1:8774/v2.1", "RegionOne")
        for interface in keystone_objects.INTERFACES
    }


def test_what_is_named_twice_is_made_once(run: Callable[..., dict[str, Any]]) -> None:
    user = other("users", roles=["admin", "service", "service"])
    assert run(roles=["service"] * 2, projects=["service"] * 2, users=user)["changes"][1:] == CHANGES


def test_finished_keystone_is_left_alone(run: Callable[..., dict[str, Any]], cloud: Cloud) -> None:
    run()
    assert run() == {"changed": False, "bootstrapped": False, "changes": [], "diff": {}}
    assert sorted(cloud.asked) == [
        "GET endpoints",
        "GET projects?domain_id=default",
        "GET role_assignments",
        "GET roles",
        "GET services",
        "GET users?domain_id=default",
        "login admin right",
        "login nova right",
    ]


def test_check_mode_before_the_bootstrap(run: Callable[..., dict[str, Any]], cloud: Cloud) -> None:
    assert run(check=True) == {"changed": True, "bootstrapped": True, "changes": ["Keystone bootstrapped"]}
    assert cloud.asked == ["login admin wrong"]


def test_check_mode_tells_and_does_nothing(run: Callable[..., dict[str, Any]], cloud: Cloud) -> None:
    cloud.bootstrap("admin's")
    answer = run(check=True)
    assert (answer["changes"], answer["changed"], changing(cloud.asked)) == (CHANGES, True, [])


def test_a_changed_password_of_the_administrator_is_set(run: Callable[..., dict[str, Any]], cloud: Cloud) -> None:
    run()
    assert run(admin_password="another")["changes"] == ["Keystone bootstrapped"]
    assert cloud.passwords["admin"] == "another"


def moved(interface: str) -> str:
    return f"{interface} endpoint of nova moved from http://10.0.0.1:8774/v2.1 to http://new"


@pytest.mark.parametrize(
    ("parameters", "changes", "told"),
    [
        ({"users": other("users", password="new")}, ["password of user nova set"], {"PATCH users/user-nova"}),
        (
            {"users": other("users", roles=["member"])},
            ["role member of nova on service assigned"],
            {"PUT projects/project-service/users/user-nova/roles/role-member"},
        ),
        (
            {"users": other("users", project="admin", roles=["service"])},
            ["role service of nova on admin assigned"],
            {"PUT projects/project-admin/users/user-nova/roles/role-service"},
        ),
        (
            {"services": other("services", name="nova2")},
            ["service nova renamed to nova2"],
            {"PATCH services/service-nova"},
        ),
        (
            {"services": other("services", url="http://new")},
            [moved(interface) for interface in keystone_objects.INTERFACES],
            {f"PATCH endpoints/endpoint-{interface}" for interface in keystone_objects.INTERFACES},
        ),
        (
            {"region": "Two"},
            [f"{interface} endpoint of nova created" for interface in keystone_objects.INTERFACES],
            {"POST endpoints"},
        ),
    ],
)
def test_only_what_differs_is_changed(
    run: Callable[..., dict[str, Any]], cloud: Cloud, parameters: dict[str, Any], changes: list[str], told: set[str]
) -> None:
    run()
    assert run(check=True, **parameters)["changes"] == changes
    assert changing(cloud.asked) == []
    assert run(**parameters)["changes"] == changes
    assert set(changing(cloud.asked)) == told
    assert run(**parameters)["changes"] == []


@pytest.mark.parametrize(
    ("assignment", "held"),
    [
        ({"user": {"id": "u"}, "scope": {"project": {"id": "p"}}, "role": {"id": "r"}}, ("u", "p", "r")),
        ({"group": {"id": "u"}, "scope": {"project": {"id": "p"}}, "role": {"id": "r"}}, (None, "p", "r")),
        ({"user": {"id": "u"}, "scope": {"system": {"all": True}}, "role": {"id": "r"}}, ("u", None, "r")),
        (
            {
                "user": {"id": "u"},
                "scope": {"project": {"id": "p"}, "OS-INHERIT:inherited_to": "projects"},
                "role": {"id": "r"},
            },
            ("u", None, "r"),
        ),
    ],
)
def test_role_held_is_read_from_an_assignment(
    assignment: dict[str, Any], held: tuple[str | None, str | None, str]
) -> None:
    assert keystone_objects.held_role(assignment) == held


def test_what_users_need_is_named(run: Callable[..., dict[str, Any]], cloud: Cloud) -> None:
    cloud.bootstrap("admin's")
    answer = run(users=other("users", project="serivce", roles=["amdin"]))
    assert answer["msg"] == (
        "users need what is not there: role amdin, project serivce. Expected: named in the arguments too."
    )
    assert changing(cloud.asked) == []


def test_an_error_is_told_with_keystones_words(run: Callable[..., dict[str, Any]], cloud: Cloud, server: str) -> None:
    cloud.bootstrap("admin's")
    cloud.refuse["POST services"] = 500
    said = f"Keystone at {server} answered: POST services: 500 Because.. Expected: a running Keystone there."
    assert run() == {"failed": True, "msg": said}


def test_an_error_at_login_is_no_refusal(run: Callable[..., dict[str, Any]], cloud: Cloud, server: str) -> None:
    cloud.refuse["POST auth/tokens"] = 503
    said = f"Keystone at {server} answered: POST auth/tokens: 503 Because.. Expected: a running Keystone there."
    assert run() == {"failed": True, "msg": said}


def test_keystone_that_does_not_listen_is_an_error(server: str) -> None:
    url = server.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(keystone.KeystoneError, match=r"GET roles: \[Errno 111\] Connection refused") as refused:
        keystone.Keystone(url).all("roles")
    assert refused.value.status == 0
