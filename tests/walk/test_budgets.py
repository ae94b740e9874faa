"""Budgets in a gateway that runs, where a token costs a thousandth of a dollar."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.clients.budget import BudgetView
from tests.support.edge import until
from tests.support.keys import client, priced, showing
from tests.support.reloading import config, edited
from tests.support.running import Running, alias, chat, provider, running
from tests.support.upstream_script import (
    Done,
    Request,
    ScriptedUpstream,
    Sse,
    Status,
    Step,
    WaitFor,
    json_answer,
    sse_events,
)

PROMPT = 6
"""Tokens of the chat as they are estimated: five letters, and four for the message."""


def usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": PROMPT, "completion_tokens": tokens - PROMPT, "total_tokens": tokens}


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        upstream.answers(lambda request: [json_answer("hi", usage=usage(100))])
        yield upstream


def served(up: ScriptedUpstream, *clients: Mapping[str, object], **more: object) -> dict[str, object]:
    return {**config(up, clients=list(clients), prices=priced("acme")), **more}


def budget(usd: float, per: str = "day", **more: object) -> dict[str, object]:
    return {"budget": {"usd": usd, "per": per, **more}}


def ask(gateway: Running, name: str = "ci", model: str = "best", tokens: int = 100, **fields: Any) -> requests.Response:
    """A call that is estimated at so many tokens."""
    body = chat(model, max_tokens=tokens - PROMPT, **fields)
    return requests.post(f"{gateway.url}/v1/chat/completions", json=body, headers=showing(name), timeout=30)


def view(gateway: Running, name: str = "ci") -> BudgetView:
    return gateway.gateway.runtime.clients.budgets.views()[name]


def settled(gateway: Running, dollars: float, name: str = "ci") -> bool:
    now = view(gateway, name)
    return (now.spent, now.reserved) == (round(dollars * 1e6), 0)


def error(answer: requests.Response) -> Mapping[str, Any]:
    found: Mapping[str, Any] = answer.json()["error"]
    return {**found, "status": answer.status_code}


def test_what_was_spent_is_what_the_ledger_says(up: ScriptedUpstream) -> None:
    with running(served(up, client("ci", **budget(1)))) as gateway:
        assert ask(gateway, tokens=200).status_code == 200
        until(lambda: settled(gateway, 0.1))
        gateway.settle()
        rows = gateway.get("/gateway/usage.json?by=client", headers=showing("ci")).json()["rows"]
        assert [(row["key"], float(row["cost_usd"])) for row in rows] == [("ci", 0.1)]


def test_an_exhausted_budget_is_no_reason_to_try_again(up: ScriptedUpstream) -> None:
    with running(served(up, client("ci", **budget(0.25)), client("me"))) as gateway:
        assert [ask(gateway).status_code for _ in range(2)] == [200, 200]
        until(lambda: settled(gateway, 0.2))
        refused = ask(gateway)
        told = error(refused)
        assert (told["status"], told["code"], told["type"]) == (429, "insufficient_quota", "insufficient_quota")
        assert refused.headers["x-should-retry"] == "false" and "retry-after" not in refused.headers
        assert "$0.20 of $0.25 a day are spent; this call needs about $0.10. It begins anew at" in told["message"]
        assert ask(gateway, tokens=50).status_code == 200, "a smaller one has room, and costs more than was thought"
        until(lambda: settled(gateway, 0.3))
        assert ask(gateway, tokens=10).status_code == 429
        assert ask(gateway, "me").status_code == 200
    assert len(up.requests) == 4


@pytest.mark.parametrize("streamed", [False, True])
def test_twenty_calls_at_once_against_a_budget_of_three(up: ScriptedUpstream, streamed: bool) -> None:
    def answer(request: Request) -> list[Step]:
        if streamed:
            return [Sse(sse_events("hi", usage=usage(100))), Done()]
        return [json_answer("hi", usage=usage(100))]

    up.answers(answer)
    with running(served(up, client("ci", **budget(0.3)))) as gateway, ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(gateway, stream=streamed), range(20)))
        codes = [answer.status_code for answer in answers]
        until(lambda: view(gateway).reserved == 0)
        assert len(up.requests) == codes.count(200) == 3
        assert {error(each)["code"] for each in answers if each.status_code != 200} == {"insufficient_quota"}
        assert settled(gateway, 0.3)
        assert ask(gateway, tokens=10).status_code == 429


def test_the_overrun_is_what_estimates_of_calls_under_way_were_too_low(up: ScriptedUpstream) -> None:
    up.answers(lambda request: [json_answer("hi", usage=usage(150))])
    with running(served(up, client("ci", **budget(0.3)))) as gateway, ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda _: ask(gateway).status_code, range(20)))
        until(lambda: view(gateway).reserved == 0)
        passed = codes.count(200)
        assert 2 <= passed <= 3, "whoever came after the first ones had ended saw what they have cost"
        assert view(gateway).spent == passed * 150_000 <= 300_000 + passed * 50_000
        assert ask(gateway).status_code == 429


def test_a_call_that_cost_nothing_gives_all_back(up: ScriptedUpstream) -> None:
    limited = client("ci", requestsPerMinute=2, **budget(1))
    with running(served(up, limited)) as gateway:
        up.answers(lambda request: [Status(400)])
        assert ask(gateway).status_code == 400
        up.answers(lambda request: [json_answer("hi", usage=usage(100))])
        assert ask(gateway, model="nothing").status_code == 404
        assert ask(gateway).status_code == 200
        assert error(ask(gateway))["code"] == "rate_limit_exceeded"
        until(lambda: settled(gateway, 0.1))


def test_a_stream_that_is_cut_costs_its_estimate(up: ScriptedUpstream) -> None:
    never = threading.Event()
    up.plays(Sse(sse_events("one two three")[:3]), WaitFor(never))
    with running(served(up, client("ci", **budget(1)))) as gateway:
        body = chat("best", stream=True, max_tokens=94)
        address = f"{gateway.url}/v1/chat/completions"
        with requests.post(address, json=body, headers=showing("ci"), stream=True, timeout=30) as cut:
            pieces = cut.iter_content(None)  # without a name, its end would close the connection at once
            next(pieces)
            assert (view(gateway).spent, view(gateway).reserved) == (0, 100_000)
        until(lambda: settled(gateway, 0.1))


def test_a_model_without_a_price_is_passed_over(up: ScriptedUpstream) -> None:
    with ScriptedUpstream() as other:
        other.answers(lambda request: [json_answer("hi", usage=usage(100))])
        settings = served(
            up,
            client("ci", **budget(1)),
            client("lax", **budget(1, unpriced="allow")),
            providers={"free": provider(other.base_url), "acme": provider(up.base_url)},
            modelAliases=[alias("best", "free/m", "acme/m"), alias("unknown", "free/m")],
        )
        with running(settings) as gateway:
            passed = ask(gateway)
            assert passed.headers["x-gateway-attempts"] == "free/m=unpriced,acme/m=200"
            told = error(ask(gateway, model="unknown"))
            assert (told["status"], told["code"]) == (403, "price_unknown")
            assert not other.requests
            allowed = ask(gateway, "lax")
            assert allowed.headers["x-gateway-attempts"] == "free/m=200"
            until(lambda: settled(gateway, 0.1) and settled(gateway, 0, "lax"))


def test_spending_survives_restarts_reloads_and_a_new_key(up: ScriptedUpstream, tmp_path: Path) -> None:
    boss = client("boss", admin=True)
    settings = served(up, client("ci", **budget(0.35)), boss)
    with edited(tmp_path, settings) as gateway:
        assert ask(gateway.served).status_code == 200
        until(lambda: settled(gateway.served, 0.1))
        for _ in range(3):
            gateway.write(settings)
            assert gateway.post(**showing("boss")).status_code == 200
        assert settled(gateway.served, 0.1)
    renewed = {**client("other", **budget(0.35, "month")), "name": "ci"}
    with edited(tmp_path, served(up, renewed, boss)) as gateway:
        assert settled(gateway.served, 0.1)
        assert ask(gateway.served, "other").status_code == 200
        until(lambda: settled(gateway.served, 0.2))
        gateway.write(served(up, {**renewed, **budget(0.35, "total")}, boss))
        assert gateway.post(**showing("boss")).status_code == 200
        assert settled(gateway.served, 0.2)
        assert [ask(gateway.served, "other").status_code for _ in range(2)] == [200, 429]


def test_each_budget_has_its_own_period(up: ScriptedUpstream) -> None:
    clients = (client("ci", **budget(0.15)), client("me", **budget(9, "week")))
    with running(served(up, *clients)) as gateway:
        assert [ask(gateway).status_code for _ in range(2)] == [200, 429]
        assert ask(gateway, "me").status_code == 200
        until(lambda: settled(gateway, 0.1, "me"))
        assert (view(gateway).per, view(gateway, "me").per) == ("day", "week")


def test_what_is_free_needs_no_budget(up: ScriptedUpstream) -> None:
    settings = served(
        up,
        client("ci", **budget(0.1)),
        providers={"acme": provider(up.base_url), "demo": {}},
        modelAliases=[alias("best", "acme/m")],
    )
    with running(settings) as gateway:
        assert ask(gateway).status_code == 200
        until(lambda: settled(gateway, 0.1))
        assert ask(gateway).status_code == 429
        assert ask(gateway, model="demo/demo").status_code == 200
        until(lambda: settled(gateway, 0.1))
