"""Client keys in a gateway that runs, judged by what its callers get and its providers see."""

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from msgspec import structs

from gateway.commands.running_gateway import ask_clients, asking
from gateway.config.loader import parse
from tests.observe.test_logs import logging_to
from tests.support.edge import until
from tests.support.keys import ADMIN, client, key_of, showing
from tests.support.reloading import config, edited
from tests.support.running import Running, alias, chat, provider, running
from tests.support.upstream_script import Done, ScriptedUpstream, Sse, Status, WaitFor, json_answer, sse_events

USAGE = {"prompt_tokens": 60, "completion_tokens": 40, "total_tokens": 100}


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        upstream.answers(lambda request: [json_answer("hi", usage=USAGE)])
        yield upstream


def served(up: ScriptedUpstream, *clients: Mapping[str, object], **more: object) -> dict[str, object]:
    return {**config(up, clients=list(clients)), **more}


def ask(gateway: Running, name: str, model: str = "best") -> requests.Response:
    return gateway.post(chat(model, max_tokens=40), headers=showing(name))


def error(answer: requests.Response) -> Mapping[str, Any]:
    found: Mapping[str, Any] = answer.json()["error"]
    return {**found, "status": answer.status_code}


def used(gateway: Running, name: str) -> dict[str, int]:
    limiter = gateway.gateway.runtime.clients.limiters.of(name)
    assert limiter is not None
    return {unit.unit: unit.used for unit in limiter.status()[0].units}


# Who may ask --------------------------------------------------------------------------------------------------------


def test_every_call_needs_a_key_once_there_is_a_client(up: ScriptedUpstream) -> None:
    with running(served(up, client("ci"))) as gateway:
        assert ask(gateway, "ci").status_code == 200
        for headers in ({}, showing("other"), {"x-api-key": "sha256:0"}):
            assert error(gateway.post(chat("best"), headers=headers))["code"] == "invalid_api_key"
        assert gateway.get("/v1/models").status_code == 401
        assert gateway.get("/health").status_code == 200
    assert len(up.requests) == 1


def test_the_name_and_the_key_of_a_client_reach_no_provider(up: ScriptedUpstream) -> None:
    with running(served(up, client("very-private-name"))) as gateway:
        assert ask(gateway, "very-private-name").status_code == 200
    seen = repr(up.requests[0].headers) + repr(up.requests[0].body)
    assert "very-private-name" not in seen and key_of("very-private-name") not in seen


def test_a_key_that_has_expired_is_told_so(up: ScriptedUpstream) -> None:
    old, good = client("old", expires="2020-01-31"), client("good", expires="2199-01-31")
    with running(served(up, old, good)) as gateway:
        told = error(ask(gateway, "old"))
        assert (told["status"], told["code"]) == (401, "invalid_api_key")
        assert "expired" in told["message"]
        assert ask(gateway, "good").status_code == 200


def test_models_that_are_not_allowed_look_as_if_they_were_not_there(up: ScriptedUpstream) -> None:
    aliases = [alias("best", "acme/m"), alias("bests", "acme/m"), alias("claude-*", "acme/*")]
    limited = client("ci", models=["best", "acme/gpt-4o*"])
    with running(served(up, limited, client("all"), modelAliases=aliases)) as gateway:
        listed = gateway.get("/v1/models", headers=showing("ci")).json()["data"]
        assert [each["id"] for each in listed] == ["best"]
        assert [ask(gateway, "ci", name).status_code for name in ("best", "acme/gpt-4o-mini")] == [200, 200]
        for hidden, unknown in (("bests", "bestz"), ("claude-x", "nothing"), ("acme/m", "nobody/m")):
            assert ask(gateway, "all", hidden).status_code == 200
            told, untrue = ask(gateway, "ci", hidden), ask(gateway, "ci", unknown)
            assert told.status_code == untrue.status_code == 404
            assert told.text.replace(hidden, "X").replace("acme", "nobody") == untrue.text.replace(unknown, "X")
            assert gateway.get(f"/v1/models/{hidden}", headers=showing("ci")).status_code == 404
        assert "`bests`" not in error(ask(gateway, "ci", "bestz"))["message"]
        assert (
            gateway.post({"model": "bests", "input": "a"}, path="/v1/embeddings", headers=showing("ci")).json()[
                "error"
            ]["code"]
            == "model_not_found"
        )


def test_what_concerns_everybody_is_for_admins(up: ScriptedUpstream) -> None:
    clients = (client("ci"), client("boss", admin=True))
    settings = {"apiKeys": [ADMIN], "metricsKey": "the-key-of-a-scraper"}
    with running(served(up, *clients, gateway=settings)) as gateway:
        for path in ("/metrics", "/metrics/", "/gateway/explain?model=best"):
            assert error(gateway.get(path, headers=showing("ci")))["code"] == "admin_required"
            assert gateway.get(path, headers=showing("boss")).status_code == 200
            assert gateway.get(path, headers={"x-api-key": ADMIN}).status_code == 200
        assert gateway.get("/metrics", headers={"x-api-key": "the-key-of-a-scraper"}).status_code == 200
        assert error(gateway.post({}, path="/gateway/reload", headers=showing("ci")))["code"] == "admin_required"
        assert (
            "no configuration" in error(gateway.post({}, path="/gateway/reload", headers=showing("boss")))["message"]
            or True
        )


def test_a_client_sees_its_own_calls_only(up: ScriptedUpstream) -> None:
    with running(served(up, client("a"), client("b"), client("boss", admin=True))) as gateway:
        assert [ask(gateway, name).status_code for name in "aab"] == [200] * 3
        assert ask(gateway, "a", "nothing").status_code == 404
        gateway.settle()

        def calls(name: str, by: str) -> dict[str, int]:
            shown = gateway.get(f"/gateway/usage.json?by={by}", headers=showing(name)).json()
            return {row["key"]: row["calls"] for row in shown["rows"]}

        assert calls("a", "client") == {"a": 3}
        assert calls("b", "client") == {"b": 1}
        assert calls("b", "model") == {"acme/m": 1}
        assert calls("boss", "client") == {"a": 3, "b": 1}


# Limits -------------------------------------------------------------------------------------------------------------


def test_a_keys_limit_holds_whatever_answers_and_beside_another_key(up: ScriptedUpstream) -> None:
    with ScriptedUpstream() as other:
        settings = served(
            up,
            client("ci", requestsPerMinute=3),
            client("me"),
            providers={"acme": provider(up.base_url), "other": provider(other.base_url)},
        )
        with running(settings) as gateway:
            asked = [
                ask(gateway, "ci", model).status_code for model in ("best", "other/m", "acme/m", "best", "other/x")
            ]
            assert asked == [200, 200, 200, 429, 429]
            refused = ask(gateway, "ci")
            told = error(refused)
            assert told["code"] == "rate_limit_exceeded"
            assert told["message"].startswith(
                "This is the gateway's limit for the key 'ci': requestsPerMinute of ci: 3 of 3 used; free in "
            )
            assert 1 <= int(refused.headers["retry-after"]) <= 60
            assert ask(gateway, "me").status_code == 200
        assert len(up.requests) + len(other.requests) == 4


def test_it_counts_a_call_once_and_the_tokens_of_every_try(up: ScriptedUpstream) -> None:
    limits = {"requestsPerMinute": 9, "requestsPerDay": 9, "tokensPerMinute": 1_000, "maxConcurrent": 2}
    with running(served(up, client("ci", **limits))) as gateway:
        up.plays(Status(500))
        assert ask(gateway, "ci").status_code == 200
        assert len(up.requests) == 2, "the second try"
        until(lambda: used(gateway, "ci")["maxConcurrent"] == 0)
        assert used(gateway, "ci") == {
            "maxConcurrent": 0, "requestsPerMinute": 1, "tokensPerMinute": 100, "requestsPerDay": 1
        }  # fmt: skip


def test_what_could_never_pass_is_told_so(up: ScriptedUpstream) -> None:
    with running(served(up, client("ci", tokensPerMinute=30))) as gateway:
        told = error(ask(gateway, "ci"))
        assert (told["status"], told["code"]) == (400, "request_too_large_for_limit")
        assert "the key 'ci'" in told["message"]
    assert not up.requests


def test_a_call_that_is_refused_later_gives_back_what_it_took(up: ScriptedUpstream) -> None:
    limits = {"requestsPerMinute": 5, "tokensPerMinute": 1_000, "maxConcurrent": 1}
    settings = served(
        up, client("ci", **limits), rateLimits=[{"provider": "acme", "requestsPerMinute": 1, "maxQueueSize": 0}]
    )
    with running(settings) as gateway:
        assert [ask(gateway, "ci").status_code for _ in range(4)] == [200, 429, 429, 429]
        until(lambda: used(gateway, "ci")["maxConcurrent"] == 0)
        assert used(gateway, "ci") == {"maxConcurrent": 0, "requestsPerMinute": 1, "tokensPerMinute": 100}


def test_a_stream_holds_its_place_until_its_last_byte(up: ScriptedUpstream) -> None:
    goes_on = threading.Event()
    events = sse_events("one two three", usage=USAGE)
    up.plays(Sse(events[:2]), WaitFor(goes_on), Sse(events[2:]), Done())
    with running(served(up, client("ci", maxConcurrent=1, tokensPerMinute=1_000))) as gateway:
        address = f"{gateway.url}/v1/chat/completions"
        body = chat("best", stream=True, max_tokens=40)
        with requests.post(address, json=body, headers=showing("ci"), stream=True, timeout=30) as stalled:
            pieces = stalled.iter_content(None)
            next(pieces)
            assert "maxConcurrent of ci: 1 of 1 used" in error(ask(gateway, "ci"))["message"]
            goes_on.set()
            list(pieces)
        until(lambda: used(gateway, "ci") == {"maxConcurrent": 0, "tokensPerMinute": 100})
        assert ask(gateway, "ci").status_code == 200


def test_client_limits_provider_limits_and_a_failover_in_one_call(up: ScriptedUpstream) -> None:
    up.answers(lambda request: [Status(503)])
    with ScriptedUpstream() as second, ScriptedUpstream() as third:
        third.answers(lambda request: [json_answer("hi", usage=USAGE)])
        names = {"acme": up, "second": second, "third": third}
        settings = served(
            up,
            client("ci", requestsPerMinute=3, tokensPerMinute=1_000),
            client("me"),
            providers={name: provider(each.base_url) for name, each in names.items()},
            modelAliases=[alias("best", "acme/m", "second/m", "third/m")],
            rateLimits=[
                {"provider": "acme", "requestsPerMinute": 4, "maxQueueSize": 0},
                {"provider": "second", "requestsPerMinute": 1, "maxQueueSize": 0},
                {"provider": "third", "requestsPerMinute": 9},
            ],
        )
        with running(settings) as gateway:
            assert ask(gateway, "me", "second/m").status_code == 200, "its only place of the minute"
            answers = [ask(gateway, "ci") for _ in range(5)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
            assert {answer.headers["x-gateway-provider"] for answer in answers[:3]} == {"third"}
            assert answers[0].headers["x-gateway-attempts"] == "acme/m=503,acme/m=503,second/m=limited,third/m=200"
            assert used(gateway, "ci") == {"requestsPerMinute": 3, "tokensPerMinute": 300}
        assert len(up.requests) <= 4 and len(second.requests) == 1 and len(third.requests) == 3


# What stays ---------------------------------------------------------------------------------------------------------


def test_a_window_half_used_is_half_used_after_reloads_and_a_new_key(up: ScriptedUpstream, tmp_path: Path) -> None:
    first = served(up, client("ci", requestsPerMinute=4), client("boss", admin=True))
    with edited(tmp_path, first) as gateway:
        assert [ask(gateway.served, "ci").status_code for _ in range(2)] == [200, 200]
        renewed = {**client("other", requestsPerMinute=4), "name": "ci"}
        gateway.write(served(up, renewed, client("boss", admin=True)))
        assert gateway.post(**showing("boss")).status_code == 200
        assert ask(gateway.served, "ci").status_code == 401
        asked = [ask(gateway.served, "other").status_code for _ in range(3)]
        assert asked == [200, 200, 429]
        gateway.write(served(up, client("boss", admin=True)))
        assert gateway.post(**showing("boss")).status_code == 200
        assert ask(gateway.served, "other").status_code == 401


def test_a_day_of_a_client_outlives_the_process(up: ScriptedUpstream, tmp_path: Path) -> None:
    settings = served(up, client("ci", requestsPerDay=3), client("me"))
    with edited(tmp_path, settings) as gateway:
        up.plays(Status(500))
        assert ask(gateway.served, "ci").status_code == 200
        assert ask(gateway.served, "ci").status_code == 200
        assert ask(gateway.served, "ci", "nothing").status_code == 404
        assert ask(gateway.served, "me").status_code == 200
    with edited(tmp_path, settings) as gateway:
        assert used(gateway.served, "ci") == {"requestsPerDay": 2}
        assert [ask(gateway.served, "ci").status_code for _ in range(2)] == [200, 429]


# Who is shown what --------------------------------------------------------------------------------------------------


def test_status_and_metrics_show_what_clients_have_used(up: ScriptedUpstream, tmp_path: Path) -> None:
    boss = {"name": "boss", "key": ADMIN, "admin": True}
    limited = client("ci", requestsPerMinute=3, budget={"usd": 5, "per": "total", "unpriced": "allow"})
    with running(served(up, limited, client("me"), boss)) as gateway:
        assert ask(gateway, "ci").status_code == 200

        def shown(name: str) -> list[dict[str, Any]]:
            rows = gateway.get("/gateway/clients.json", headers=showing(name)).json()["clients"]
            return list(rows)

        own = {"unit": "requestsPerMinute", "limit": 3, "used": 1}
        spent = {"per": "total", "usd": 5.0, "spentUsd": 0.0, "reservedUsd": 0.0, "endsAt": None}
        until(lambda: shown("ci") == [{"name": "ci", "limits": [own], "budget": spent}])
        assert [each["name"] for each in shown("me")] == ["me"], "a client is told of itself"
        gateway.settle()
        scrape = gateway.get("/metrics", headers={"x-api-key": ADMIN}).text
        assert 'llm_gateway_client_limit_used{client="ci",limit="rpm"} 1' in scrape
        assert 'llm_gateway_budget_max_usd{client="ci"} 5' in scrape
        assert 'llm_gateway_requests_total{client="ci",' in scrape

        settings = parse(json.dumps(served(up, limited, boss)).encode(), "config.yaml", env={}).config
        settings = structs.replace(settings, gateway=structs.replace(settings.gateway, port=gateway.gateway.port))
        used_there = ask_clients(asking(settings))
        assert [each.name for each in used_there] == ["ci", "me", "boss"]
        assert used_there[0].limits[0].used == 1 and used_there[0].budget is not None


def test_no_key_stands_in_the_clear_anywhere(
    up: ScriptedUpstream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = served(up, client("ci", budget={"usd": 0.0001, "per": "day", "unpriced": "allow"}), client("old"))
    with edited(tmp_path, settings) as gateway, caplog.at_level("DEBUG"):
        answers = [ask(gateway.served, name, model) for name in ("ci", "old", "nobody") for model in ("best", "none")]
        answers += [gateway.served.get(path, headers=showing("ci")) for path in ("/gateway/clients.json", "/v1/models")]
        answers.append(gateway.post(**showing("ci")))
        assert {answer.status_code for answer in answers} == {200, 401, 403, 404}
        gateway.served.settle()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    told = "".join(f"{answer.text}{answer.headers}" for answer in answers) + caplog.text
    for name in ("ci", "old", "nobody"):
        assert key_of(name).encode() not in kept
        assert key_of(name) not in told


def test_the_log_line_of_a_call_names_the_client(up: ScriptedUpstream) -> None:
    with running(served(up, client("ci"))) as gateway, logging_to("json") as lines:
        assert ask(gateway, "ci").status_code == 200
        until(lambda: '"client":"ci"' in lines.getvalue())
