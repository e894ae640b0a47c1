"""Horizon lets in whom Keystone knows."""

import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://controller"]
UNITS = ["horizon"]
SETTINGS = "/etc/openstack-dashboard/local_settings.d/_9000_novalab.py"


class Visitor:
    """Somebody with a browser's cookies."""

    def __init__(self, address: str) -> None:
        self.root = f"http://{address}"
        self.open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar())).open

    def get(self, path: str, form: dict[str, str] | None = None) -> tuple[str, str]:
        """Where a path leads to, and the page there."""
        data = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(self.root + path, data, {"Referer": self.root})  # noqa: S310 (the scheme stands above)
        with self.open(request, timeout=60) as answer:
            return answer.url.removeprefix(self.root), answer.read().decode()

    def login(self, user: str, password: str) -> tuple[str, str]:
        """Where the login leads to."""
        _, page = self.get("/auth/login/")
        found = re.search(r"name='?\"?csrfmiddlewaretoken'?\"? value=['\"]([^'\"]+)", page)
        assert found, page
        token = {"csrfmiddlewaretoken": found[1], "region": "default"}
        return self.get("/auth/login/", {**token, "username": user, "password": password, "next": "/identity/"})


@pytest.mark.parametrize("user", ["admin", "demo"])
def test_login_of_a_keystone_user_is_let_in(address: str, secrets: dict[str, str], user: str) -> None:
    """To the one page that asks nobody but Keystone: alone, the scenario has no other service."""
    path, page = Visitor(address).login(user, secrets[f"keystone_{user}"])
    assert path.startswith("/identity/")
    assert user in page


def test_login_with_a_wrong_password_is_refused(address: str) -> None:
    visitor = Visitor(address)
    path, page = visitor.login("demo", "wrong")
    assert path == "/auth/login/"
    assert "Invalid credentials" in page
    assert visitor.get("/identity/")[0].startswith("/auth/login/")


def test_style_named_by_the_page_is_served(address: str) -> None:
    """The style that the page names is there, as it was compressed when the package was installed."""
    visitor = Visitor(address)
    _, page = visitor.get("/auth/login/")
    styles = re.findall(r'href="(/static/[^"]+\.css)"', page)
    assert styles
    for path in styles:
        assert "{" in visitor.get(path)[1]


def test_request_for_a_different_host_name_is_refused(address: str) -> None:
    """Asked for by a name that is not its own, it does not answer."""
    request = urllib.request.Request(f"http://{address}/auth/login/", headers={"Host": "elsewhere.example"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)  # noqa: S310 (the scheme stands above)
    assert caught.value.code == 400


def test_horizon_listens_on_one_address_only(host: Host, address: str) -> None:
    assert host.socket(f"tcp://{address}:80").is_listening
    assert not host.socket("tcp://127.0.0.1:80").is_listening


def test_secret_key_with_odd_characters_is_the_labs(host: Host, secrets: dict[str, str]) -> None:
    """What it runs with is the lab's, whatever characters are in it."""
    file = host.file(SETTINGS)
    assert (file.user, file.group, file.mode) == ("root", "www-data", 0o640)
    values: dict[str, str] = {}
    exec(file.content_string, values)  # noqa: S102 (it is Python, written by the role)
    assert values["SECRET_KEY"] == secrets["horizon_secret_key"]
