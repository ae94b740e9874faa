"""Limits in every unit in a gateway that runs, judged by what its providers have seen."""

import threading
from collections.abc import Iterator

import pytest
import requests

from tests.support.edge import until
from tests.support.limits import used
from tests.support.running import Running, alias, chat, provider, running
from tests.support.upstream_script import Done, ScriptedUpstream, Sse, Status, WaitFor, json_answer, sse_events

USAGE = {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1_000}


@pytest.fixture
def a() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def b() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


def config(a: ScriptedUpstream, b: ScriptedUpstream, *limits: dict[str, object]) -> dict[str, object]:
    return {
        "providers": {"a": provider(a.base_url, apiKey="k-a"), "b": provider(b.base_url, apiKey="k-b")},
        "modelAliases": [alias("best", "a/m", "b/m")],
        "rateLimits": [{"maxQueueSize": 0, **limit} for limit in limits],
    }


def counted(gateway: Running, name: str) -> int:
    limiter = gateway.gateway.runtime.limiters.of(name, "m")
    assert limiter is not None
    return used(limiter)


def units(gateway: Running, name: str) -> dict[str, int]:
    limiter = gateway.gateway.runtime.limiters.of(name, "m")
    assert limiter is not None
    return {unit.unit: unit.used for unit in limiter.status()[0].units}


def message(answer: requests.Response) -> str:
    assert answer.status_code == 429
    return str(answer.json()["error"]["message"])


def test_a_call_that_fails_over_takes_one_from_each_provider_for_each_request_that_it_got(
    a: ScriptedUpstream, b: ScriptedUpstream
) -> None:
    a.answers(lambda request: [Status(500)])
    limits = (
        {"provider": "a", "requestsPerMinute": 3, "maxConcurrent": 1},
        {"provider": "b", "requestsPerDay": 4, "tokensPerMinute": 100_000},
    )
    with running(config(a, b, *limits)) as gateway:
        first = gateway.post(chat("best"))
        assert first.status_code == 200
        assert first.headers["x-gateway-provider"] == "b"
        assert len(a.requests) == 2, "the second try is a request of its own"
        assert units(gateway, "a") == {"maxConcurrent": 0, "requestsPerMinute": 2}
        assert units(gateway, "b") == {"tokensPerMinute": 2, "requestsPerDay": 1}
        answers = [gateway.post(chat("best")).status_code for _ in range(5)]
        assert answers == [200, 200, 200, 429, 429]
        seen = len(a.requests), len(b.requests)
        assert seen[0] <= 3 and seen[1] == 4
        assert units(gateway, "a") == {"maxConcurrent": 0, "requestsPerMinute": seen[0]}
        told = message(gateway.post(chat("b/m")))
        assert told.startswith("requestsPerDay of b: 4 of 4 used; requests do not wait for it; free in 24 hours")
        assert (len(a.requests), len(b.requests)) == seen, "who is refused reaches nobody"


@pytest.mark.parametrize("streamed", [False, True])
def test_tokens_count_as_the_provider_has_told_them(a: ScriptedUpstream, b: ScriptedUpstream, streamed: bool) -> None:
    a.answers(lambda r: [Sse(sse_events("hi", usage=USAGE)), Done()] if streamed else [json_answer("hi", usage=USAGE)])
    with running(config(a, b, {"provider": "a", "model": "m*", "tokensPerMinute": 2_500})) as gateway:
        for calls in (1, 2, 3):
            assert gateway.post(chat("a/m", max_tokens=50, stream=streamed)).status_code == 200
            until(lambda: counted(gateway, "a") == 1_000 * calls)  # noqa: B023 - it is asked in this round
        told = message(gateway.post(chat("a/m", max_tokens=50, stream=streamed)))
        assert told.startswith("tokensPerMinute of a/m*: 3,000 of 2,500 used, this call needs about ")
        assert gateway.post(chat("a/other", max_tokens=50)).status_code == 200, "the row is not for this model"
        assert len(a.requests) == 4


def test_a_stalled_stream_holds_its_place_until_its_last_byte(a: ScriptedUpstream, b: ScriptedUpstream) -> None:
    goes_on = threading.Event()
    events = sse_events("one two three")
    a.plays(Sse(events[:3]), WaitFor(goes_on), Sse(events[3:]), Done())
    limit = {"provider": "a", "maxConcurrent": 1, "maxQueueSize": 5, "maxWaitSeconds": 0.3}
    with running(config(a, b, limit)) as gateway:
        address = f"{gateway.url}/v1/chat/completions"
        with requests.post(address, json=chat("best", stream=True), stream=True, timeout=30) as stalled:
            pieces = stalled.iter_content(None)
            next(pieces)
            assert gateway.post(chat("best")).headers["x-gateway-provider"] == "b", "the next target has room"
            told = gateway.post(chat("a/m"))
            assert message(told).startswith("maxConcurrent of a: 1 of 1 used; free in about ")
            assert int(told.headers["retry-after"]) >= 1
            assert len(a.requests) == 1
            goes_on.set()
            list(pieces)
        until(lambda: counted(gateway, "a") == 0)
        assert gateway.post(chat("a/m")).status_code == 200
        assert gateway.post(chat("best")).headers["x-gateway-provider"] == "a"


def test_a_caller_that_leaves_in_the_middle_gives_its_place_back(a: ScriptedUpstream, b: ScriptedUpstream) -> None:
    never = threading.Event()
    a.plays(Sse(sse_events("one two three")[:3]), WaitFor(never))
    with running(config(a, b, {"provider": "a", "maxConcurrent": 1})) as gateway:
        address = f"{gateway.url}/v1/chat/completions"
        with requests.post(address, json=chat("a/m", stream=True), stream=True, timeout=30) as stalled:
            pieces = stalled.iter_content(None)  # without a name, its end would close the connection at once
            next(pieces)
            assert counted(gateway, "a") == 1
        until(lambda: counted(gateway, "a") == 0)
        assert gateway.post(chat("a/m")).status_code == 200
