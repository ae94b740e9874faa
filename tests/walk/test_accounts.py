"""Several accounts at one provider in a gateway that runs, judged by what its providers have seen."""

import json
import logging
from collections.abc import Iterator, Sequence

import pytest

from gateway.greeting import greeting
from tests.support.edge import until
from tests.support.running import alias, chat, provider, running
from tests.support.upstream_script import Json, Request, ScriptedUpstream, Status, Step, healthy

KEYS = {"work": "canary-key-work", "home": "canary-key-home", "team": "canary-key-team"}


@pytest.fixture
def a() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def b() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


def config(a: ScriptedUpstream, b: ScriptedUpstream, **settings: object) -> dict[str, object]:
    accounts = [{"name": name, "apiKey": key, "priority": n} for n, (name, key) in enumerate(KEYS.items())]
    return {
        "providers": {
            "acme": provider(a.base_url, accounts=accounts, **settings),
            "other": provider(b.base_url, apiKey="canary-key-other"),
        },
        "modelAliases": [alias("best", "acme/m", "other/m")],
    }


def key_of(request: Request) -> str:
    return request.headers["authorization"].removeprefix("Bearer ")


def refusing(request: Request) -> Sequence[Step]:
    """Work is limited, home has spent its quota, and the server fails whoever else asks."""
    limited: dict[str, object] = {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}
    spent: dict[str, object] = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
    if key_of(request) == KEYS["work"]:
        return [Json(429, limited, {"retry-after": "30"})]
    if key_of(request) == KEYS["home"]:
        return [Json(429, spent)]
    return list(healthy(request))


def test_a_call_is_told_truthfully_in_one_header_and_no_key_goes_astray(
    a: ScriptedUpstream, b: ScriptedUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    a.answers(refusing)
    with running(config(a, b)) as gateway:
        answer = gateway.post(chat("best"))
        assert answer.headers["x-gateway-attempts"] == "acme@work/m=429,acme@home/m=429,acme@team/m=200"
        assert (answer.headers["x-gateway-provider"], answer.headers["x-gateway-account"]) == ("acme", "team")
        a.answers(lambda request: [Json(503, {"error": {"message": f"down, {key_of(request)}"}})])
        second = gateway.post(chat("best"))
        tried = "acme@work/m=resting,acme@home/m=resting,acme@team/m=503,acme@team/m=503,other/m=200"
        assert second.headers["x-gateway-attempts"] == tried
        assert "x-gateway-account" not in second.headers
        explained = gateway.get("/gateway/explain?model=best").text
        metrics = gateway.get("/metrics").text
    first = [key_of(request) for request in a.requests[:3]]
    assert first == list(KEYS.values())
    assert {key_of(request) for request in b.requests} == {"canary-key-other"}
    seen = [str(answer.headers), answer.text, str(second.headers), second.text, explained, metrics, caplog.text]
    assert not [text for text in seen if "canary" in text]
    for request in (*a.requests, *b.requests):
        whole = f"{request.headers!r} {request.body!r}"
        assert whole.count("canary") == 1, "its own key and no other"
    resting = [each["account"] for each in json.loads(explained)["candidates"] if each["health"]["state"] == "resting"]
    assert resting == ["work", "home"]
    assert 'llm_gateway_target_resting{account="work",model="m",provider="acme"} 1' in metrics.replace(
        'provider="acme",account="work",model="m"', 'account="work",model="m",provider="acme"'
    )


def test_a_session_named_by_its_caller_stays_at_an_account(a: ScriptedUpstream, b: ScriptedUpstream) -> None:
    settings = config(a, b, accountStrategy="sticky")
    for account in settings["providers"]["acme"]["accounts"]:  # type: ignore[index]
        account["priority"] = 1
    with running(settings) as gateway:
        by_header = {
            n: [
                gateway.post(chat("best"), headers={"x-session-id": f"s{n}"}).headers["x-gateway-account"]
                for _ in "123"
            ]
            for n in range(12)
        }
        by_text = [gateway.post(chat("best", "the same beginning")).headers["x-gateway-account"] for _ in "123"]
        by_user = [gateway.post(chat("best", str(n), user="u")).headers["x-gateway-account"] for n in range(3)]
    assert all(len(set(found)) == 1 for found in (*by_header.values(), by_text, by_user))
    assert len({found[0] for found in by_header.values()}) > 1


def test_the_ledger_adds_up_by_account(a: ScriptedUpstream, b: ScriptedUpstream) -> None:
    with running(config(a, b)) as gateway:
        gateway.post(chat("best"))
        gateway.post(chat("other/m"))

        def both_are_there() -> bool:
            found = gateway.get("/gateway/usage.json?by=account").json()
            return {"acme@work", "other"} <= {row["key"] for row in found["rows"]}

        until(both_are_there)


def test_a_call_that_reaches_the_second_provider_too_is_told_in_one_header(
    a: ScriptedUpstream, b: ScriptedUpstream
) -> None:
    """The healthy account's key is good, and its server fails: no other account is ready, so it gets the second try,
    and the provider's turn is over."""

    def failing(request: Request) -> Sequence[Step]:
        return [Status(503)] if key_of(request) == KEYS["team"] else refusing(request)

    a.answers(failing)
    b.answers(healthy)
    with running(config(a, b)) as gateway:
        answer = gateway.post(chat("best"))
    assert answer.status_code == 200
    tries = "acme@work/m=429,acme@home/m=429,acme@team/m=503,acme@team/m=503,other/m=200"
    assert answer.headers["x-gateway-attempts"] == tries
    assert "x-gateway-account" not in answer.headers
    assert [key_of(each) for each in b.requests] == ["canary-key-other"]


def test_the_greeting_and_the_page_know_each_account(a: ScriptedUpstream, b: ScriptedUpstream) -> None:
    settings = config(a, b) | {"rateLimits": [{"provider": "acme", "account": "work", "requestsPerMinute": 5}]}
    with running(settings) as gateway:
        told = list(greeting(gateway.gateway.assembly, gateway.url, {}))
        shown = gateway.get("/gateway/status.json").json()
    assert not any("Warning" in line for line in told)
    accounts = {each["account"]: each for each in shown["accounts"] if each["provider"] == "acme"}
    assert {name: len(each["limits"]) for name, each in accounts.items()} == {"work": 1, "home": 0, "team": 0}
    [model] = shown["models"]
    assert [target["account"] for target in model["targets"]] == ["work", "home", "team", ""]
