"""What labctl says of instances, without a cloud behind it."""

from __future__ import annotations

import json
import socket
import webbrowser
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from openstack.exceptions import HttpException

from labctl.errors import BadInput, LabError
from labctl.lifecycle import instances
from labctl.lifecycle.instances import Cloud, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths


class Compute:
    """A Nova with three servers, two of one name."""

    def servers(self, *, all_projects: bool) -> list[SimpleNamespace]:
        assert all_projects
        names = {"1": "demo-compute1", "2": "web", "3": "web"}
        return [SimpleNamespace(id=number, name=name, status="ACTIVE") for number, name in names.items()]

    def create_server_remote_console(self, server: str, **kind: str) -> SimpleNamespace:
        assert kind == {"protocol": "vnc", "type": "novnc"}
        if server != "1":
            raise HttpException("Instance not yet ready")
        return SimpleNamespace(url="http://192.168.56.11:6080/vnc_lite.html?path=%3Ftoken%3Dx")

    def get_server_console_output(self, server: str, length: int | None) -> dict[str, Any]:
        return {"output": f"{server} {length}"}


@pytest.fixture
def cloud() -> Cloud:
    made = Cloud.__new__(Cloud)
    made._compute = Compute()
    return made


def test_server_is_found_by_unique_name_or_id(cloud: Cloud) -> None:
    assert cloud.find("demo-compute1") == Server("1", "demo-compute1", "ACTIVE")
    assert cloud.find("3").name == "web"
    with pytest.raises(BadInput, match="There is no server 'x'\nServers: demo-compute1, web, web"):
        cloud.find("x")
    with pytest.raises(BadInput, match="2 servers are named 'web'\nGive the id of one: 2, 3"):
        cloud.find("web")


def test_console_of_a_server_that_is_not_ready_explains(cloud: Cloud) -> None:
    server = cloud.find("1")
    assert cloud.console_url(server).endswith("token%3Dx")
    assert cloud.console_log(server, 7) == "1 7"
    with pytest.raises(
        LabError, match=r"no console of web, status ACTIVE: (.|\n)*not yet ready(.|\n)*explain web"
    ) as told:
        cloud.console_url(cloud.find("2"))
    assert told.value.exit_status == 1


def test_cloud_that_does_not_answer_is_reported(make_lab: Callable[..., Lab], paths: LabPaths) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    auth = {"auth_url": f"http://127.0.0.1:{port}/v3", "username": "admin", "password": "x", "project_name": "admin"}
    clouds = {"lab": {"auth": {**auth, "user_domain_name": "Default", "project_domain_name": "Default"}}}
    paths.clouds_yaml.write_text(json.dumps({"clouds": clouds}), encoding="utf-8")
    with pytest.raises(LabError, match="Nova does not answer: ") as told:
        Cloud(make_lab(), paths)
    assert told.value.remedy == "`labctl verify` says more."
    with pytest.raises(LabError, match="Nova does not answer: Cloud other was not found"):
        Cloud(make_lab(name="other"), paths)


def test_preflight_without_a_network_or_lab_is_refused(make_lab: Callable[..., Lab], paths: LabPaths) -> None:
    with pytest.raises(BadInput, match=r"networking: none; nothing was changed"):
        instances.preflight(make_lab(networking="none"), paths)
    with pytest.raises(LabError, match=r"There is no lab in .* yet"):
        instances.preflight(make_lab(), paths)
    paths.hosts_ini.touch()
    paths.clouds_yaml.touch()
    instances.preflight(make_lab(), paths)


def test_browser_opens_with_a_display_only(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def take(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", take)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert not instances.open_browser("http://a")
    monkeypatch.setenv("DISPLAY", ":0")
    assert instances.open_browser("http://b")
    assert opened == ["http://b"]


def test_table_of_servers_is_aligned() -> None:
    rows = [{"name": "demo-compute1", "host": "compute1", "addresses": ["172.24.4.157"], "console": "http://c"}]
    assert instances.table(rows) == (
        "Server         Host      Address       Console\ndemo-compute1  compute1  172.24.4.157  http://c"
    )
