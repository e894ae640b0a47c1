"""Horizon, added to the lab that is there: people log in and find a running server and its screen."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import PATIENCE, Console, chromium
from tests.e2e.lab import LiveLab

SERVER = "demo-compute1"
# Where each finds the demonstration's servers: they are in the project demo, which is not the administrator's.
PAGES = {"admin": "admin/instances/", "demo": "project/instances/"}
expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def dashboard(lab: LiveLab) -> dict[str, Any]:
    """The lab as it is described, with the dashboard."""
    lab.describe(**{**lab.description, "dashboard": True})
    lab.up()
    lab.labctl("demo")
    described: dict[str, Any] = json.loads(lab.labctl("describe", "--json").stdout)
    return described


@contextmanager
def login(browser: Browser, url: str, user: str, password: str) -> Iterator[Page]:
    """A window with cookies of its own, in which somebody has tried to log in."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    try:
        page.goto(url)
        page.fill("#id_username", user)
        page.fill("#id_password", password)
        page.click("#loginBtn")
        yield page
    finally:
        context.close()


def test_playbook_again_with_dashboard_changes_nothing(lab: LiveLab, dashboard: dict[str, Any]) -> None:
    assert {counts["changed"] for counts in lab.playbook().values()} == {0}
    assert lab.labctl("describe").stdout.count(dashboard["dashboard_url"]) == 1


def test_dashboard_switched_off_is_refused(lab: LiveLab, dashboard: dict[str, Any]) -> None:
    described = lab.description
    lab.describe(**{**described, "dashboard": not dashboard["dashboard"]})
    try:
        done = lab.labctl("up", check=False)
        assert done.returncode == 2
        assert "dashboard was true, now false" in done.stderr
    finally:
        lab.describe(**described)


@pytest.mark.parametrize("user", PAGES)
def test_dashboard_shows_a_running_server_and_its_screen(
    lab: LiveLab, browser: Browser, dashboard: dict[str, Any], user: str
) -> None:
    with login(browser, dashboard["dashboard_url"], user, lab.secrets[f"keystone_{user}"]) as page:
        expect(page.locator(".user-name")).to_contain_text(user)
        page.goto(dashboard["dashboard_url"] + PAGES[user])
        row = page.locator("table#instances tbody tr", has_text=SERVER)
        expect(row).to_have_count(1)
        expect(row).to_contain_text("Active")
        expect(row).to_contain_text("Running")
        Console(page, page.main_frame).picture(f"dashboard-{user}-instances")
        row.get_by_role("link", name=SERVER, exact=True).click()
        page.locator("#instance_details").get_by_text("Console", exact=True).click()
        frame = page.locator("iframe#console_embed").element_handle().content_frame()
        assert frame is not None
        console = Console(page, frame)
        console.wait_until_connected()
        console.picture(f"dashboard-{user}-console")


def test_dashboard_login_with_a_wrong_password_is_refused(browser: Browser, dashboard: dict[str, Any]) -> None:
    with login(browser, dashboard["dashboard_url"], "demo", "wrong") as page:
        expect(page.locator("form").first).to_contain_text("Invalid credentials")
        page.goto(dashboard["dashboard_url"] + PAGES["demo"])
        assert "/auth/login/" in page.url
        assert SERVER not in page.content()
