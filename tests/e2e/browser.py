"""A browser for tests: Debian's Chromium without a screen, which opens an instance's console as people do."""

import base64
import os
import string
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Frame, Page, sync_playwright

from labctl.providers.engine import as_root

CHROMIUM = Path("/usr/bin/chromium")
# Pictures of what was seen, also when all was well.
ARTIFACTS = Path(os.environ.get("NOVALAB_ARTIFACTS", "/var/tmp/novalab-e2e-artifacts"))
PATIENCE = 60.0  # seconds, many times what a console needs
# Text of one character is some dozens of pixels, and a cursor sixteen.
SOME_TEXT = 200
_SHIFTED = frozenset(string.ascii_uppercase + '~!@#$%^&*()_+{}|:"<>?')
_CANVAS = "#screen canvas"
_BRIGHT_PIXELS = """canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i] + data[i + 1] + data[i + 2] > 96) { count += 1; }
  }
  return count;
}"""


def ensure_chromium() -> None:
    """Install Chromium where it is missing."""
    if CHROMIUM.exists():
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", CHROMIUM.name]):
        subprocess.run([*as_root(), "apt-get", "-q", *words], check=True, capture_output=True, env=environment)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. It keeps nothing; its own sandbox does not work as root."""
    ensure_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class Console:
    """noVNC's page in the browser, with an instance's screen in it or the reason why there is none."""

    page: Page
    frame: Frame  # where noVNC is, the page's own or one inside it

    @property
    def status(self) -> str:
        """What the bar at the top says."""
        return self.frame.inner_text("#status").strip()

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds. Raises AssertionError with the status and a picture when it does not."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                picture = self.picture("failed")
                raise AssertionError(f"{what}: not within {PATIENCE:.0f} s; noVNC says {self.status!r}, see {picture}")
            self.page.wait_for_timeout(100)

    def wait_until_connected(self) -> None:
        """Wait until the instance's screen is there, with text on it."""
        self.wait("the console is connected", lambda: self.status.startswith("Connected"))
        self.wait("the screen has text", lambda: self.bright() > SOME_TEXT)

    def refusal(self) -> str:
        """Wait until the connection has ended, and return what is said about it."""
        ended = ("Something went wrong", "Disconnected", "Failed")
        self.wait("the console is refused", lambda: self.status.startswith(ended))
        return self.status

    def bright(self) -> int:
        """How many pixels of the screen are not dark."""
        return int(self.frame.locator(_CANVAS).evaluate(_BRIGHT_PIXELS))

    def screen(self) -> bytes:
        """The screen as it is now, as PNG."""
        data = str(self.frame.locator(_CANVAS).evaluate("canvas => canvas.toDataURL('image/png')"))
        return base64.b64decode(data.partition(",")[2])

    def type(self, text: str) -> None:
        """Type on the instance's American keyboard; a line feed is the Enter key."""
        self.frame.locator(_CANVAS).focus()
        for character in text:
            # The browser is given characters, the instance keys: on its keyboard Shift must be down as well.
            key = "Enter" if character == "\n" else f"Shift+{character}" if character in _SHIFTED else character
            # An emulated instance that is busy loses keys that come faster than hands can.
            self.page.keyboard.press(key, delay=30)
            self.page.wait_for_timeout(30)

    def picture(self, name: str) -> Path:
        """Keep a picture of the page."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


@contextmanager
def console(browser: Browser, url: str) -> Iterator[Console]:
    """Open a console's URL in a window of its own."""
    page = browser.new_page(viewport={"width": 1024, "height": 800})
    try:
        page.goto(url, wait_until="load")
        yield Console(page, page.main_frame)
    finally:
        page.close()
