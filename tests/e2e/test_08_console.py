"""The screen of an instance in a browser, as somebody gets it from `labctl console`; and who does not get it."""

import re
from collections.abc import Iterator
from typing import Any

import openstack
import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import chromium, console
from tests.e2e.lab import LiveLab

SERVER = "demo-compute1"
REFUSED = "Something went wrong, connection is closed"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def demo(lab: LiveLab) -> LiveLab:
    """The lab with the demo's servers in it."""
    lab.labctl("demo")
    return lab


@pytest.fixture(scope="module")
def cloud(demo: LiveLab) -> Any:  # noqa: ANN401 (the SDK's own types are not checked)
    """The cloud as its administrator sees it."""
    config = openstack.config.OpenStackConfig(config_files=[str(demo.directory / "clouds.yaml")])
    return openstack.connection.Connection(config=config.get_one(demo.description["name"]))


@pytest.fixture
def server(cloud: Any) -> Any:  # noqa: ANN401 (as above)
    """The demo's first server."""
    (found,) = cloud.compute.servers(name=f"^{SERVER}$", all_projects=True)
    return found


@pytest.fixture
def url(demo: LiveLab) -> str:
    """A new URL of its console, which holds a token of its own."""
    (found,) = re.findall(r"^https?://\S+$", demo.labctl("console", SERVER).stdout, re.MULTILINE)
    return str(found)


def token(url: str) -> str:
    return url.partition("token%3D")[2]


def refused(browser: Browser, url: str, picture: str) -> bool:
    with console(browser, url) as page:
        status = page.refusal()
        page.picture(picture)
        return status == REFUSED


def connects(browser: Browser, url: str) -> bool:
    with console(browser, url) as page:
        page.wait_until_connected()
    return True


def test_keys_typed_in_the_browser_reach_the_instance(
    browser: Browser,
    cloud: Any,  # noqa: ANN401 (as above)
    server: Any,  # noqa: ANN401 (as above)
    url: str,
) -> None:
    """It is seen on the screen, and what it makes the instance do on the other console."""
    with console(browser, url) as page:
        page.wait_until_connected()
        page.picture("console")
        assert "novalab-42" not in cloud.compute.get_server_console_output(server)["output"]
        before = page.screen()
        page.type("echo Typed")
        page.wait("the screen changes", lambda: page.screen() != before)
        page.type(' "novalab-$((6 * 7))" | tee /dev/ttyS0\n')
        page.wait(
            "the instance has done it",
            lambda: "novalab-42" in cloud.compute.get_server_console_output(server)["output"],
        )
        page.picture("console-typed")


def test_console_with_a_wrong_token_is_refused(browser: Browser, url: str) -> None:
    right = token(url)
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    assert refused(browser, url.replace(right, wrong), "console-wrong-token")
    assert refused(browser, url.partition("?")[0], "console-no-token")
    assert connects(browser, url)


def test_console_with_an_expired_token_is_refused(browser: Browser, demo: LiveLab, url: str) -> None:
    """Its time is put back in the cell's database, where the proxy has it looked up."""
    assert connects(browser, url)
    expire = f"UPDATE console_auth_tokens SET expires = 1 WHERE token_hash = SHA2('{token(url)}', 256)"  # noqa: S608
    said = demo.on("controller", "mariadb --batch --skip-column-names nova", stdin=f"{expire}; SELECT ROW_COUNT();\n")
    assert said.split() == ["1"]
    assert refused(browser, url, "console-expired-token")


def test_console_of_a_deleted_server_is_refused(browser: Browser, cloud: Any, server: Any) -> None:  # noqa: ANN401 (as above)
    port = next(cloud.network.ports(device_id=server.id))
    made = cloud.compute.create_server(
        name="console-deleted",
        image_id=server.image.id,
        flavor_id=cloud.compute.find_flavor(server.flavor.original_name).id,
        networks=[{"uuid": port.network_id}],
    )
    try:
        cloud.compute.wait_for_server(made, wait=300)
        url = cloud.compute.create_console(made, "novnc")["url"]
        assert connects(browser, url)
    finally:
        cloud.compute.delete_server(made)
        cloud.compute.wait_for_delete(made, wait=120)
    assert refused(browser, url, "console-deleted-server")
