"""The page of a real gateway: each number on it is one that `usage` and /metrics say, its first call passes, and a
login on it ends in a token that the next call uses."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from gateway.cli import commands
from tests.page.browser import Browser
from tests.support.auth_server import AuthServer
from tests.support.reloading import edited, manual
from tests.support.running import Running, alias, chat, provider, running
from tests.support.scrapes import Scrape, read_scrape
from tests.support.upstream_script import Json, Request, ScriptedUpstream, Step, json_answer, sse_answer

pytestmark = pytest.mark.slow
SECONDS: Final = 10.0
USAGE: Final[dict[str, Any]] = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
PROGRAMS: Final = {"curl": ["bash", "-c"], "python": [sys.executable, "-c"]}
PROMPT, ANSWER, KEY = "canary-of-prompts 1", "canary-of-answers 2", "canary-of-keys-3"
MARKUP: Final = "<img src=x onerror=alert(1)>"
PRICES: Final = [{"provider": "good", "model": "priced", "inputPerMillion": 2.5, "outputPerMillion": 10}]
KINDS: Final = {"answered": "2", "refused": "4", "failed": "5"}  # the first digit of the status
KINDS_IN_ORDER: Final = ("answered", "failed", "refused", "cancelled")


def answering(request: Request) -> tuple[Step, ...]:
    if request.json().get("stream"):
        return tuple(sse_answer(ANSWER, usage=USAGE))
    return (json_answer(ANSWER, usage=USAGE),)


def config(good: ScriptedUpstream, bad: ScriptedUpstream) -> dict[str, object]:
    return {
        "providers": {
            "good": provider(good.base_url, apiKey=KEY),
            "bad": provider(bad.base_url, apiKey=KEY),
        },
        "modelAliases": [
            alias("fine", "good/priced"),
            alias("second", "bad/down", "good/priced"),
            alias("broken", "bad/down"),
            alias(MARKUP, "good/unpriced"),
        ],
        "rateLimits": [{"provider": "good", "requestsPerMinute": 100}],
        "prices": PRICES,
        "gateway": {"port": 0},
    }


class Called:
    """A gateway with a ledger file that has had calls of every kind."""

    def __init__(self, gateway: Running, path: Path) -> None:
        self.gateway = gateway
        self.path = path
        for model in ("fine", "fine", "second", "broken", "nobody", MARKUP, "good/priced"):
            gateway.post(chat(model, PROMPT))
        gateway.post(chat("fine", PROMPT, stream=True))
        self.count = 8
        gateway.settle()

    def usage(self, by: str) -> dict[str, Any]:
        """`usage --json`."""
        done = CliRunner().invoke(commands, ["usage", "--json", "--by", by, "-c", str(self.path)])
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def metrics(self) -> Scrape:
        return read_scrape(self.gateway.get("/metrics").text)


@pytest.fixture
def called(tmp_path: Path) -> Iterator[Called]:
    with ScriptedUpstream() as good, ScriptedUpstream() as bad:
        good.answers(answering)
        bad.answers(lambda _: (Json(503, {"error": {"message": "down"}}),))
        with edited(tmp_path, manual(config(good, bad))) as served:
            yield Called(served.served, served.path)


def column(browser: Browser, table: str, number: int) -> list[float]:
    """The exact values of a column of a chart's table, counted from 1 after the time."""
    selector = f"#table-{table} tbody td:nth-of-type({number})"
    script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.querySelector('data')?.value)"
    return [float(each) for each in browser.run(script, selector) if each is not None]


def opened(browser: Browser, url: str) -> None:
    """The page with every table."""
    browser.open(url)
    for name in ("requests", "first", "tokens", "cost"):
        browser.run(f"document.getElementById('table-{name}').open = true")
        browser.until(f"return document.querySelector('#table-{name} td')")


def test_each_number_is_what_usage_and_metrics_say(called: Called, browser: Browser) -> None:
    opened(browser, called.gateway.url)
    total, metrics = called.usage("model")["total"], called.metrics()
    outcomes = {name: sum(column(browser, "requests", place)) for place, name in enumerate(KINDS_IN_ORDER, 1)}
    assert sum(outcomes.values()) == called.count == total["calls"] == metrics.of("llm_gateway_requests_total")
    by_status = Counter[str]()
    for (name, labels), value in metrics.values.items():
        if name == "llm_gateway_requests_total":
            by_status[dict(labels)["status"][0]] += int(value)
    assert {name: outcomes[name] for name in KINDS} == {name: by_status[digit] for name, digit in KINDS.items()}
    for place, kind in enumerate(("input", "output"), 1):
        shown = sum(column(browser, "tokens", place))
        assert shown == total[kind] == metrics.of("llm_gateway_tokens_total", type=kind)
    assert sum(column(browser, "cost", 1)) == pytest.approx(total["cost_usd"])
    assert total["cost_usd"] == pytest.approx(metrics.of("llm_gateway_cost_usd_total"))
    for place, name in ((2, "unpriced"), (3, "calls"), (4, "failed")):
        assert sum(column(browser, "cost", place)) == total[name]
    assert browser.complaints() == []


def test_no_prompt_no_answer_and_no_secret_is_on_the_page(called: Called, browser: Browser) -> None:
    opened(browser, called.gateway.url)
    token = called.gateway.gateway.runtime.page_token.reveal()
    texts = [browser.run("return document.documentElement.outerHTML")]
    texts += [called.gateway.get(path).text for path in ("/", "/gateway/status.json", "/gateway/calls.json")]
    for text in texts:
        assert [each for each in (PROMPT, ANSWER, KEY, token) if each in text] == []


def test_the_calls_add_up_to_the_same(called: Called, browser: Browser) -> None:
    browser.open(called.gateway.url)
    browser.until("return document.querySelector('#calls tbody tr')")
    shown = browser.run(
        "return [...document.querySelectorAll('#calls tbody tr')].map((row) => [...row.children]"
        ".map((cell) => [...cell.querySelectorAll('data')].map((each) => Number(each.value))))"
    )
    total = called.usage("model")["total"]
    assert len(shown) == total["calls"]
    assert sum(row[8][0] for row in shown if row[8]) == total["input"]
    assert sum(row[8][1] for row in shown if row[8]) == total["output"]
    assert sum(row[8][2] for row in shown if row[8]) == total["cached"]
    assert sum(row[8][3] for row in shown if row[8]) == total["reasoning"]
    assert sum(row[9][0] for row in shown if row[9]) == pytest.approx(total["cost_usd"])
    statuses = Counter(row[3][0] for row in shown)
    assert statuses == {200: 6, 503: 1, 404: 1}


def test_limits_and_models_are_what_metrics_and_explain_say(called: Called, browser: Browser) -> None:
    browser.open(called.gateway.url)
    metrics = called.metrics()
    row = "#accounts tr[data-key=good]"
    used, limit = (
        float(each.get_attribute("value")) for each in browser.driver.find_elements("css selector", f"{row} data")
    )
    assert used == metrics.of("llm_gateway_limit_used", provider="good", limit="rpm")
    assert limit == metrics.of("llm_gateway_limit_max", provider="good", limit="rpm") == 100
    explained = called.gateway.get("/gateway/explain?model=second").json()
    order = [f"{each['provider']}/{each['model']}" for each in explained["candidates"]]
    shown = browser.run(
        "return [...document.querySelectorAll('#models tbody[data-key=second] tr')]"
        ".map((each) => each.querySelector('td:nth-of-type(2)').textContent)"
    )
    assert shown == order
    assert MARKUP in browser.text("#models")
    assert MARKUP in browser.text("#calls")


def test_a_test_call_from_the_page_is_the_first_call(browser: Browser) -> None:
    with running() as gateway:
        browser.open(gateway.url)
        browser.says("#help", "No call has come yet")
        browser.click("[data-action=test]")
        browser.says("#test-result", "answered in")
        browser.says("#calls", "demo/demo 200")
        assert "No call has come yet" not in browser.text("#help")
        assert browser.complaints() == []
        assert browser.origins() == {gateway.url}


def test_the_code_for_clients_runs_as_it_stands(browser: Browser) -> None:
    with running() as gateway:
        browser.open(gateway.url)
        for name, program in PROGRAMS.items():
            code = browser.run(f"return document.querySelector('#panel-{name} pre').textContent")
            done = subprocess.run([*program, code], capture_output=True, text=True, timeout=60, check=False)
            assert "Hello" in done.stdout, (name, done.stderr)


@contextmanager
def with_a_login(folder: Path, **gateway: object) -> Iterator[tuple[AuthServer, Running]]:
    """A provider that needs a login, whose server is real, and a gateway that asks it."""
    with AuthServer() as server:
        server.grants.interval = 0.1
        oauth = {
            "clientId": server.client_id,
            "authEndpoint": server.authorization_endpoint,
            "tokenEndpoint": server.token_endpoint,
            "deviceAuthorizationEndpoint": server.device_authorization_endpoint,
        }
        settings = {
            "providers": {"acme": provider(f"{server.url}/v1", **oauth)},
            "modelAliases": [alias("m", "acme/model")],
            "gateway": {"port": 0, **gateway},
            "auth": {"tokenStorePath": str(folder / "tokens.json")},
        }
        with edited(folder, manual(settings)) as made:
            yield server, made.served


def logged_in(browser: Browser, server: AuthServer, gateway: Running, address: str) -> None:
    """Log in on the page at an address of it, and see that the next call carries the token."""
    browser.open(address)
    browser.says("#needs", "Log in to acme")
    browser.click("#needs [data-action=log-in]")
    browser.until("return document.querySelector('.code output')")
    code = browser.text(".code output")
    assert [code] == server.grants.user_codes
    assert browser.element("#logins a").get_attribute("href").startswith(f"{server.url}/device")
    server.approve(code)
    browser.says("#logins", "The next call uses it")
    browser.says("#state", "Nothing needs you")
    gateway.post(chat("m"))
    shown = [each.headers.get("authorization", "") for each in server.received("/v1/chat/completions")]
    assert len(shown) == 1
    assert server.check(shown[0].removeprefix("Bearer "))


def test_a_login_on_the_page_ends_in_a_token_that_the_next_call_uses(tmp_path: Path, browser: Browser) -> None:
    with with_a_login(tmp_path) as (server, gateway):
        token = gateway.gateway.runtime.page_token.reveal()
        logged_in(browser, server, gateway, f"{gateway.url}/#token={token}")
        assert token not in browser.driver.current_url
        assert token not in browser.run("return document.documentElement.outerHTML")
        browser.run("window.confirm = () => true")
        browser.click("#accounts [data-action=log-out]")
        browser.says("#logins", "Logged out of acme")
        browser.says("#needs", "Log in to acme")
        assert browser.complaints() == []


def test_where_keys_are_needed_the_key_may_act(tmp_path: Path, browser: Browser) -> None:
    with with_a_login(tmp_path, apiKeys=["the-key"]) as (server, gateway):
        browser.open(gateway.url)
        browser.until("return document.getElementById('key-text')")
        browser.element("#key-text").send_keys("the-key")
        browser.press("ENTER")
        browser.says("#needs", "Log in to acme")
        browser.click("#needs [data-action=log-in]")
        browser.until("return document.querySelector('.code output')")
        assert server.grants.user_codes == [browser.text(".code output")]
        browser.click("[data-action=cancel-login]")
        browser.says("#logins", "was cancelled")


def test_without_the_token_nobody_acts_and_the_page_says_how(tmp_path: Path, browser: Browser) -> None:
    with with_a_login(tmp_path) as (server, gateway):
        browser.open(gateway.url)
        browser.says("#needs", "Log in to acme")
        browser.click("#needs [data-action=log-in]")
        browser.says("#logins", "python app.py open")
        assert server.requests == []
