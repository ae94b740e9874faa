"""The page in use: the keyboard, the focus, what is read out, pauses, failures, rights, the filter."""

import ast
import json
import shlex
import tomllib

import pytest
import yaml

from tests.page.browser import Browser
from tests.page.stage import Stage
from tests.page.states import CODE, at_a_login, at_first_run, where_a_key_is_needed, while_unreachable

pytestmark = pytest.mark.slow


def test_the_tab_key_follows_the_order_of_reading(stage: Stage, browser: Browser) -> None:
    at_first_run(stage, browser)
    order = browser.run(
        "return [...document.querySelectorAll('a[href], button, summary, select, input, [tabindex=\"0\"]')]"
        ".filter((each) => each.tabIndex >= 0 && each.checkVisibility({visibilityProperty: true}))"
        ".map((each, place) => { each.dataset.place = place; return String(place) })"
    )
    stage.status = None  # so that nothing is shown anew, and the marks stay
    reached = []
    for _ in order:
        browser.press("TAB")
        reached.append(browser.run("return document.activeElement.dataset.place"))
        visible = "const style = getComputedStyle(document.activeElement); return style.outlineStyle !== 'none'"
        assert browser.run(visible), browser.run("return document.activeElement.outerHTML")
    assert reached == order
    assert browser.run("return document.querySelector('[data-place=\"0\"]').className") == "skip"


def test_the_skip_link_leads_to_the_content(stage: Stage, browser: Browser) -> None:
    browser.open(stage.url)
    browser.press("TAB", "ENTER")
    assert browser.run("return document.activeElement.id") == "content"


def test_arrow_keys_choose_a_client(stage: Stage, browser: Browser) -> None:
    at_first_run(stage, browser)
    browser.run("document.getElementById('tab-curl').focus()")
    seen = []
    for key in (
        "ARROW_RIGHT",
        "ARROW_RIGHT",
        "ARROW_RIGHT",
        "ARROW_RIGHT",
        "ARROW_RIGHT",
        "ARROW_RIGHT",
        "END",
        "HOME",
    ):
        browser.press(key)
        seen.append(browser.run("return document.activeElement.id.replace('tab-', '')"))
        assert browser.run("return document.querySelectorAll('[role=tabpanel]:not([hidden])').length") == 1
    assert seen == ["python", "node", "codex", "claude", "continue", "curl", "continue", "curl"]


def test_each_client_has_its_base_address(stage: Stage, browser: Browser) -> None:
    at_first_run(stage, browser)
    panels = browser.run(
        "return [...document.querySelectorAll('[role=tabpanel]')].map((each) => [each.id, each.textContent])"
    )
    with_version = {name: "http://127.0.0.1:8080/v1" in text for name, text in panels}
    assert with_version.pop("panel-claude") is False
    assert list(with_version.values()) == [True] * 5


def test_a_name_with_every_quote_is_quoted_in_every_language(stage: Stage, browser: Browser) -> None:
    at_first_run(stage, browser)
    name = """it's "a" \\ $HOME `b` é"""
    assert stage.status is not None
    stage.status["models"][0]["name"] = name
    browser.says("#models", name)
    codes = browser.run(
        "return Object.fromEntries([...document.querySelectorAll('[role=tabpanel]')]"
        ".map((each) => [each.id.replace('panel-', ''), each.querySelector('pre').textContent]))"
    )
    assert tomllib.loads(codes["codex"])["model"] == name
    assert yaml.safe_load(codes["continue"])["models"][0]["model"] == name
    assert json.loads(shlex.split(codes["curl"])[-1])["model"] == name
    assert shlex.split(codes["claude"])[-1] == name
    assert name in [each.value for each in ast.walk(ast.parse(codes["python"])) if isinstance(each, ast.Constant)]
    assert json.dumps(name, ensure_ascii=False) in codes["node"]


def test_the_focus_stays_while_numbers_change(stage: Stage, browser: Browser) -> None:
    browser.open(stage.url)
    browser.run("document.querySelector('#accounts [data-action=log-out]').focus()")
    assert stage.status is not None
    stage.status["runningCalls"] = 7
    browser.says("#state", "7 calls")
    assert browser.run("return document.activeElement.dataset.action") == "log-out"


def test_only_what_needs_a_person_is_read_out(stage: Stage, browser: Browser) -> None:
    assert stage.status is not None
    needs, stage.status["needs"], stage.status["needCount"] = stage.status["needs"], [], 0
    browser.open(stage.url)
    stage.status["runningCalls"] = 7
    browser.says("#state", "7 calls")
    assert browser.text("#announce") == ""
    stage.status["needs"], stage.status["needCount"] = needs[:1], 1
    browser.says("#announce", "Log in to gemini")


def test_a_code_is_read_out_and_its_end_too(stage: Stage, browser: Browser) -> None:
    at_a_login(stage, browser)
    browser.says("#announce", CODE)
    assert "Valid for 10m" in browser.text("#logins") or "Valid for 9m" in browser.text("#logins")
    stage.login = {**stage.login, "state": "done", "userCode": None, "verificationUri": None}
    browser.says("#announce", "Logged in to gemini")
    browser.says("#logins", "The next call uses it")


def test_pause_asks_nothing_until_it_is_resumed(stage: Stage, browser: Browser) -> None:
    browser.open(stage.url)
    browser.click("#pause")
    browser.says("#link", "Paused")
    assert browser.element("#pause").get_attribute("aria-pressed") == "true"
    asked = len(stage.asked)
    browser.run("document.dispatchEvent(new Event('visibilitychange'))")
    assert len(stage.asked) == asked
    browser.click("#pause")
    browser.wait(lambda: len(stage.asked) > asked, "it asks again")


def test_a_hidden_page_asks_nothing(stage: Stage, browser: Browser) -> None:
    browser.open(stage.url)
    browser.run("Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})")
    browser.click("#pause")
    asked = len(stage.asked)
    browser.click("#pause")  # it would ask at once
    assert len(stage.asked) == asked
    browser.run("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait(lambda: len(stage.asked) > asked, "it asks again")


def test_after_a_failure_nothing_is_thrown_away_and_it_comes_back(stage: Stage, browser: Browser) -> None:
    while_unreachable(stage, browser)
    assert "Not reachable since" in browser.text("#state")
    assert "groq" in browser.text("#accounts")
    stage.down = False
    browser.says("#state", "Serving 4 models")


def test_the_token_leaves_the_address_and_stays_in_the_tab(stage: Stage, browser: Browser) -> None:
    browser.open(f"{stage.url}/#token=from-the-command")
    assert browser.run("return location.href") == f"{stage.url}/"
    assert browser.run("return sessionStorage.getItem('llm-gateway-token')") == "from-the-command"


def test_a_key_is_asked_for_once_and_kept_in_the_tab(stage: Stage, browser: Browser) -> None:
    where_a_key_is_needed(stage, browser)
    browser.run("document.getElementById('key-text').value = 'wrong'; document.getElementById('key').requestSubmit()")
    browser.says("#key", "does not take this key")
    browser.run("document.getElementById('key-text').value = 'the-key'; document.getElementById('key').requestSubmit()")
    browser.says("#state", "Serving 4 models")
    browser.driver.refresh()
    browser.says("#state", "Serving 4 models")
    assert "the-key" not in browser.run("return document.documentElement.outerHTML")


def test_the_filter_finds_by_text_and_by_failure(stage: Stage, browser: Browser) -> None:
    browser.open(stage.url)
    everything = browser.run("return document.querySelectorAll('#calls tbody tr').length")
    browser.element("#calls-failed").click()
    assert 0 < browser.run("return document.querySelectorAll('#calls tbody tr').length") < everything
    assert "answered" not in browser.text("#calls tbody")
    browser.element("#calls-text").send_keys("gpt-17 404")
    assert browser.run("return document.querySelectorAll('#calls tbody tr').length") == 1
    assert browser.text("#calls-list .count").startswith("1 of")


def test_tries_are_spelled_out(stage: Stage, browser: Browser) -> None:
    browser.open(stage.url)
    spelled = "openai/gpt-4o 503 → deepseek/deepseek-chat resting → anthropic/claude-sonnet-4-5 200"
    assert spelled in browser.text("#calls").replace("\n", " ")


def test_without_script_it_says_in_both_languages_what_to_ask_with_curl(stage: Stage, browser: Browser) -> None:
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.driver.get(stage.url)
        shown = browser.element("body").text
    finally:
        browser.command("Emulation.setScriptExecutionDisabled", value=False)
    assert shown.count("curl http://127.0.0.1:8080/gateway/status.json") == 2
    assert "This page needs JavaScript" in shown and "자바스크립트" in shown
