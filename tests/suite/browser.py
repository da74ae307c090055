"""A headless browser for tests of pages: Debian's chromium by its chromedriver, without a network."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: quiet and alone: nothing is fetched, nothing of the user is read
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)


def programs() -> tuple[str, str] | None:
    """Paths of chromium and chromedriver, or None where one is missing."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Page:
    """A page open in a browser."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path, width: int, height: int = 900, dark: bool = False) -> None:
        """Load a file at a width in CSS pixels, under a colour scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        # From a blank page, so that an equal address loads anew; what was logged before is not of this page.
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get(path.resolve().as_uri())

    def run(self, script: str, *given: Any) -> Any:
        """Run a script in the page; promises are awaited."""
        wrapped = f"const done = arguments[arguments.length - 1]; (async (...given) => {{ {script} }})(...arguments)"
        wrapped += ".then(done, (fault) => done('script failed: ' + fault))"
        answer = self.driver.execute_async_script(wrapped, *given)
        assert not str(answer).startswith("script failed"), answer
        return answer

    def errors(self) -> list[str]:
        """What the console said since the page was opened, warnings too."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def shoot(self, path: Path, full: bool = False) -> None:
        """Save what is seen, or the whole page, as PNG."""
        import base64

        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": full})
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser() -> Iterator[Page]:
    """Start a browser with an empty profile, and end it."""
    from selenium import webdriver

    found = programs()
    assert found is not None
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = found[0]
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=found[1]))
        driver.set_script_timeout(20)
        try:
            yield Page(driver)
        finally:
            driver.quit()
