"""The page under its own policy: nothing is asked of another origin, and data is text whatever is in it."""

import pytest

from tests.page.browser import Browser
from tests.page.stage import Stage
from tests.page.states import CODE, State, at_a_login, each_state, pending, where_a_key_is_needed, while_unreachable

pytestmark = pytest.mark.slow


@each_state
def test_the_policy_holds_and_every_address_is_ours(stage: Stage, browser: Browser, state: State) -> None:
    state(stage, browser)
    complaints = browser.complaints()
    if state is while_unreachable:
        assert all("net::ERR" in each for each in complaints)
    elif state is where_a_key_is_needed:
        assert all("status of 401" in each for each in complaints)
    else:
        assert complaints == []
    assert browser.origins() == {stage.url}


def test_a_policy_that_is_broken_would_be_seen(stage: Stage, browser: Browser) -> None:
    browser.open(stage.url)
    browser.run(
        "document.body.insertAdjacentElement('beforeend', document.createElement('img')).src = 'http://127.0.0.1:9/'"
    )
    assert browser.wait(browser.complaints, "a complaint")


def test_a_name_of_markup_is_shown_as_text(stage: Stage, browser: Browser) -> None:
    browser.open(stage.url)
    assert "<img src=x onerror=alert(1)>" in browser.text("#models")
    assert browser.run("return document.querySelectorAll('img, iframe').length") == 0
    assert browser.complaints() == []


def test_an_address_of_script_is_no_link(stage: Stage, browser: Browser) -> None:
    stage.login = {**pending(), "verificationUri": "javascript:alert(1)", "verificationUriComplete": None}
    browser.open(stage.url)
    browser.click("#needs [data-action=log-in]")
    browser.says("#logins", CODE)
    assert browser.run("return document.querySelectorAll('#logins a').length") == 0


def test_the_link_to_a_provider_tells_it_nothing(stage: Stage, browser: Browser) -> None:
    at_a_login(stage, browser)
    link = browser.element("#logins a")
    assert link.get_attribute("rel") == "noopener noreferrer"
    assert link.get_attribute("target") == "_blank"
    assert link.get_attribute("href") == stage.login["verificationUriComplete"]
