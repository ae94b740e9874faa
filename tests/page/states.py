"""The states of a gateway, as the page is to show them: each sets the stage and opens the page."""

from collections.abc import Callable
from typing import Final

import pytest

from tests.page.browser import Browser
from tests.page.stage import Json, Stage, example

CODE: Final = "WDJB-MJHT"
State = Callable[[Stage, Browser], None]


def first_run(status: Json) -> None:
    """The gateway's first minute: the demo, no file, no call."""
    status.update(firstRun=True, needs=[], needCount=0, runningCalls=0, waitingCalls=0, lastCall=0, days=None)
    demo = {**status["models"][0], "name": "demo", "targets": status["models"][0]["targets"][:1], "targetCount": 1}
    status.update(models=[demo], modelCount=1, accounts=status["accounts"][-1:], accountCount=1)
    for name, values in status["series"].items():
        if isinstance(values, list):
            status["series"][name] = [None if name.startswith("first") else 0 for _ in values]


def pending() -> Json:
    """A login under way, ten minutes before its end."""
    uri = "https://accounts.example.com/device"
    return {
        "id": "a1",
        "provider": "gemini",
        "account": "",
        "state": "pending",
        "userCode": CODE,
        "verificationUri": uri,
        "verificationUriComplete": f"{uri}?code={CODE}",
        "expiresAt": example("status")["now"] + 600,
        "message": None,
        "command": None,
    }


def at_first_run(stage: Stage, browser: Browser) -> None:
    assert stage.status is not None and stage.calls is not None
    first_run(stage.status)
    stage.calls["calls"] = []
    browser.open(stage.url)
    assert browser.run("return document.getElementById('help').open")


def while_it_runs(stage: Stage, browser: Browser) -> None:
    assert stage.status is not None
    stage.status.update(needs=[], needCount=0)
    browser.open(stage.url)
    browser.says("#state", "2")


def while_it_fails(stage: Stage, browser: Browser) -> None:
    browser.open(stage.url)
    browser.says("#needs", "together")


def at_a_login(stage: Stage, browser: Browser) -> None:
    stage.login = pending()
    browser.open(stage.url)
    browser.click("#needs [data-action=log-in]")
    browser.says("#logins", CODE)


def while_unreachable(stage: Stage, browser: Browser) -> None:
    browser.open(stage.url)
    stage.down = True
    browser.until("return document.getElementById('state').dataset.state === 'lost'")


def where_a_key_is_needed(stage: Stage, browser: Browser) -> None:
    stage.key = "the-key"
    browser.open(stage.url)
    browser.until("return document.getElementById('key-text')")


def with_every_table(stage: Stage, browser: Browser) -> None:
    browser.open(stage.url)
    for name in ("requests", "first", "tokens", "cost"):
        browser.run(f"document.getElementById('table-{name}').open = true")
        browser.until(f"return document.querySelector('#table-{name} td')")
    browser.run("document.getElementById('help').open = true")


STATES: Final[list[State]] = [
    at_first_run,
    while_it_runs,
    while_it_fails,
    at_a_login,
    while_unreachable,
    where_a_key_is_needed,
    with_every_table,
]
each_state = pytest.mark.parametrize("state", STATES, ids=lambda each: each.__name__)
