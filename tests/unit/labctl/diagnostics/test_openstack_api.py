"""The APIs over plain HTTP, against a server that answers as they do."""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from labctl.diagnostics import openstack_api
from labctl.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.lab.paths import LabPaths

PASSWORD = "p@:/#%?$'\" x"


class Handler(http.server.BaseHTTPRequestHandler):
    """Keystone and Nova in one."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        identity = body["auth"]["identity"]["password"]["user"]
        if identity["password"] != PASSWORD:
            self.answer({}, 401)
            return
        catalog = [
            {
                "type": "compute",
                "endpoints": [{"interface": "admin", "url": "no"}, {"interface": "public", "url": self.base}],
            }
        ]
        self.answer({"token": {"catalog": catalog}}, 201, {"X-Subject-Token": "token"})

    def do_GET(self) -> None:
        if self.headers["X-Auth-Token"] != "token":
            self.answer({}, 401)
        elif self.path == "/servers?page=2":
            self.answer({"servers": [{"name": "b"}]})
        elif self.path == "/servers":
            self.answer(
                {"servers": [{"name": "a"}], "servers_links": [{"rel": "next", "href": f"{self.base}/servers?page=2"}]}
            )
        elif self.path == "/broken":
            self.answer([])
        elif self.path == "/slow":
            threading.Event().wait(3)
        elif self.path == "/closed":
            self.wfile.write(b"not HTTP\r\n\r\n")
        else:
            self.answer({}, 503)

    @property
    def base(self) -> str:
        return f"http://{self.headers['Host']}"

    def answer(self, document: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:  # noqa: ANN401
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # not for the lab's own addresses
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def write_clouds(paths: LabPaths, url: str, password: str = PASSWORD) -> None:
    auth = {"auth_url": url, "username": "admin", "password": password, "project_name": "admin"}
    auth |= {"user_domain_name": "Default", "project_domain_name": "Default"}
    paths.clouds_yaml.write_text(json.dumps({"clouds": {"lab": {"auth": auth}}}), encoding="utf-8")


def test_lists_come_page_by_page(paths: LabPaths, url: str) -> None:
    write_clouds(paths, url)
    servers = openstack_api.Question("compute", "/servers", "servers")
    assert openstack_api.ask(paths, "lab", {"it": servers}) == ({"it": [{"name": "a"}, {"name": "b"}]}, [])


@pytest.mark.parametrize(
    ("service", "path", "problem"),
    [
        ("network", "/v2.0/agents", "there is no service network in the catalog"),
        ("compute", "/os-services", "/os-services answers 503"),
        ("compute", "/broken", "/broken does not answer with a list of x"),
        ("compute", "/slow", "/slow does not answer within 1 s"),
        ("compute", "/closed", "/closed does not answer"),
    ],
)
def test_list_that_fails_says_why(paths: LabPaths, url: str, service: str, path: str, problem: str) -> None:
    write_clouds(paths, url)
    found, problems = openstack_api.ask(paths, "lab", {"it": openstack_api.Question(service, path, "x")}, timeout=1)
    assert found == {}
    assert problem in problems[0]


def test_ask_without_a_token_says_why(paths: LabPaths, url: str) -> None:
    with pytest.raises(LabError, match="has no cloud lab"):
        openstack_api.ask(paths, "lab", {})
    write_clouds(paths, url, "wrong")
    with pytest.raises(LabError, match="/auth/tokens answers 401") as error:
        openstack_api.ask(paths, "lab", {})
    assert "wrong" not in str(error.value)
    write_clouds(paths, "http://127.0.0.1:1")
    with pytest.raises(LabError, match="does not answer: Connection refused"):
        openstack_api.ask(paths, "lab", {})
