"""Chromium, driven by selenium; both are looked for when a test wants them (requirements-browser.txt)."""

import base64
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

WAIT_SECONDS: Final = 20
OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
VIOLATIONS: Final = (
    "window.violations = [];"
    "document.addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective));"
)


class Browser:
    """One Chromium with one tab.

    Args:
        language: the browser's, such as `ko`.
    """

    def __init__(self, language: str = "en") -> None:
        chromium, chromedriver = needed()
        options = _chromium(chromium)
        for each in (*OPTIONS, f"--lang={language}"):
            options.add_argument(each)
        options.add_experimental_option("prefs", {"intl.accept_languages": language})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver: Any = _started(options, chromedriver, {**os.environ, "LANGUAGE": language})
        self.command("Page.addScriptToEvaluateOnNewDocument", source=VIOLATIONS)
        self.size(1280, 900)

    def command(self, name: str, **arguments: object) -> Any:
        """One of the browser's own commands (CDP)."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def size(self, width: int, height: int, scale: float = 1) -> None:
        """The size of the window in CSS pixels."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def media(self, **features: str) -> None:
        """What the reader's system asks for, such as prefers_color_scheme="dark"."""
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.command("Emulation.setEmulatedMedia", media="", features=listed)

    def open(self, url: str) -> None:
        """Open an address, and wait until the page has shown what it was told."""
        self.driver.get("about:blank")  # so that an address of the same page, with another fragment, is opened anew
        self.complaints()
        self.origins()
        self.driver.get(url)
        self.until("return document.querySelector('#facts dl, #key input, #state[data-state=lost]')")

    def reset(self) -> None:
        """Forget what a test has set and kept."""
        self.run("try { sessionStorage.clear() } catch { /* about:blank has none */ }")
        self.driver.get("about:blank")
        self.size(1280, 900)
        self.media()

    def run(self, script: str, *arguments: object) -> Any:
        """The value of JavaScript's `return ...`."""
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str, *arguments: object) -> Any:
        """Wait for JavaScript to return something true; gives it."""
        return self.wait(lambda: self.run(script, *arguments), script)

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for a condition; gives its value."""
        support = pytest.importorskip("selenium.webdriver.support.ui")
        return support.WebDriverWait(self.driver, WAIT_SECONDS, poll_frequency=0.05).until(lambda _: condition(), what)

    def text(self, selector: str) -> str:
        """What can be read in the first element of that kind; "" where there is none."""
        found: str = self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return found

    def says(self, selector: str, text: str) -> None:
        """Wait until an element has a text in it."""
        self.wait(lambda: text in self.text(selector), f"{selector} says {text!r}")

    def element(self, selector: str) -> Any:
        """The first element of that kind."""
        return self.driver.find_element("css selector", selector)

    def click(self, selector: str) -> None:
        """Press it."""
        self.driver.execute_script("document.querySelector(arguments[0]).click()", selector)

    def press(self, *keys: str) -> None:
        """Type on the keyboard, by the names of selenium's Keys."""
        names = pytest.importorskip("selenium.webdriver.common.keys").Keys
        actions = pytest.importorskip("selenium.webdriver.common.action_chains").ActionChains(self.driver)
        for key in keys:
            actions.send_keys(getattr(names, key, key))
        actions.perform()

    def picture(self) -> bytes:
        """The whole page as a PNG."""
        size = self.run("return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        taken = self.command("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(taken["data"])

    def complaints(self) -> list[str]:
        """What the console has, above INFO, and violations of the policy since the last `open`."""
        entries = [each["message"] for each in self.driver.get_log("browser") if each["level"] not in ("INFO", "DEBUG")]
        return [*entries, *self.run("return window.violations ?? []")]

    def origins(self) -> set[str]:
        """Of everything that was asked for since this was last called, but what stands in the page itself."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message: Mapping[str, Any] = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                parts = urlsplit(message["params"]["request"]["url"])
                if parts.scheme not in ("data", "chrome", "about"):
                    found.add(f"{parts.scheme}://{parts.netloc}")
        return found

    def close(self) -> None:
        """End it."""
        self.driver.quit()


def needed() -> Sequence[str]:
    """The programs. Skips the test, with the reason, where one is not there."""
    pytest.importorskip("selenium", reason="selenium is not installed (requirements-browser.txt)")
    found = [shutil.which("chromium") or "", shutil.which("chromedriver") or ""]
    if not all(found):
        pytest.skip("chromium and chromedriver are not installed")
    return found


def _chromium(program: str) -> Any:
    options = pytest.importorskip("selenium.webdriver").ChromeOptions()
    options.binary_location = program
    return options


def _started(options: Any, driver: str, environment: Mapping[str, str]) -> Any:
    service = pytest.importorskip("selenium.webdriver.chrome.service")
    made = service.Service(driver, env={**environment, "SE_OFFLINE": "true"})
    return pytest.importorskip("selenium.webdriver").Chrome(options=options, service=made)
