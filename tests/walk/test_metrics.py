"""/metrics of a gateway that has had calls of every kind: what it says is what the answers said."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.edge import connect_to, post, until
from tests.support.reloading import edited, manual
from tests.support.running import Running, alias, chat, events, provider, running
from tests.support.scrapes import Scrape, read_scrape
from tests.support.upstream_script import (
    Head,
    Json,
    Request,
    ScriptedUpstream,
    Sse,
    Step,
    WaitFor,
    json_answer,
    sse_answer,
    sse_events,
)

SECONDS = 10.0
REQUESTS, ATTEMPTS, TOKENS = "llm_gateway_requests_total", "llm_gateway_attempts_total", "llm_gateway_tokens_total"
CANARY = "canary 2236067977"
KEY, SCRAPER = "gw-canary-3162277660", "gw-canary-3316624790"
USAGE: dict[str, Any] = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
VECTORS = Json(200, {"object": "list", "model": "m", "data": [], "usage": {"prompt_tokens": 7, "total_tokens": 7}})


def scrape(gateway: Running, *, open_metrics: bool = False) -> Scrape:
    """What it says when every call that has ended is counted."""
    gateway.settle()
    accept = "application/openmetrics-text" if open_metrics else "text/plain"
    answer = gateway.get("/metrics", headers={"Accept": accept, "Authorization": f"Bearer {SCRAPER}"})
    assert answer.status_code == 200, answer.text
    return read_scrape(answer.text, open_metrics=open_metrics)


def answering(request: Request) -> tuple[Step, ...]:
    if request.path.endswith("/embeddings"):
        return (VECTORS,)
    if request.json().get("stream"):
        return tuple(sse_answer(CANARY, usage=USAGE))
    return (json_answer(CANARY, usage=USAGE),)


class Kinds:
    """A gateway, its providers, and what its callers were answered."""

    def __init__(self, gateway: Running, slow: ScriptedUpstream) -> None:
        self.gateway = gateway
        self.answers: list[requests.Response] = []
        self._slow = slow
        self.left = 0

    def asked(self, model: str, **fields: object) -> None:
        self.posted(chat(model, CANARY, **fields))

    def posted(self, body: object, path: str = "/v1/chat/completions", **headers: str) -> None:
        fields = {"Authorization": f"Bearer {KEY}", **headers}
        self.answers.append(self.gateway.post(body, path=path, headers=fields))

    def leave(self) -> None:
        """A call whose caller leaves in the middle of a stream."""
        over = threading.Event()
        self._slow.plays(
            Head(200, {"content-type": "text/event-stream"}), Sse(sse_events("one two")[:2]), WaitFor(over)
        )
        body = b'{"model": "slow", "stream": true, "messages": [{"role": "user", "content": "x"}]}'
        with connect_to(self.gateway) as caller:
            caller.sendall(post(b"/v1/chat/completions", body, b"Authorization: Bearer " + KEY.encode()))
            text = b""
            while b"one" not in text:
                text += caller.recv(1 << 16)
                assert b"error" not in text, text
        self.left += 1
        assert self.gateway.gateway.idle(SECONDS)
        over.set()

    @property
    def attempts(self) -> Counter[str]:
        """How often each outcome stands in the header x-gateway-attempts."""
        headers = [answer.headers.get("x-gateway-attempts", "") for answer in self.answers]
        return Counter(entry.rpartition("=")[2] for header in headers for entry in header.split(",") if entry)

    @property
    def usages(self) -> list[dict[str, int]]:
        """The sums of tokens that the callers were told."""
        return [usage for answer in self.answers for usage in _usages(answer)]


def _usages(answer: requests.Response) -> Iterator[dict[str, int]]:
    streamed = answer.headers["content-type"].startswith("text/event-stream")
    for each in events(answer.text) if streamed else [answer.json()]:
        if isinstance(each, dict) and each.get("usage"):
            yield each["usage"]


@contextmanager
def gateway_for_every_kind() -> Iterator[Kinds]:
    with ExitStack() as closing:
        up, bad, slow = (closing.enter_context(ScriptedUpstream()) for _ in range(3))
        up.answers(answering)
        bad.answers(lambda request: (Json(400 if "refused" in request.json()["model"] else 503, {"error": {}}),))
        config = {
            "gateway": {"apiKeys": [KEY], "metricsKey": SCRAPER},
            "providers": {
                "acme": provider(up.base_url, apiKey="k1"),
                "bad": provider(bad.base_url, apiKey="k2"),
                "slow": provider(slow.base_url, apiKey="k3"),
            },
            "modelAliases": [
                alias("best", "acme/m"),
                alias("spare", "bad/m", "acme/m"),
                alias("down", "bad/m"),
                alias("refused", "bad/refused"),
                alias("slow", "slow/m"),
                alias("like-*", "acme/star-*"),
            ],
            "prices": [{"provider": "acme", "model": "*", "inputPerMillion": 1, "outputPerMillion": 2}],
        }
        yield Kinds(closing.enter_context(running(config)), slow)


def ask_every_kind(kinds: Kinds) -> None:
    kinds.asked("best")
    kinds.asked("best", stream=True, stream_options={"include_usage": True})
    kinds.asked("spare")
    kinds.asked("spare", stream=True, stream_options={"include_usage": True})
    kinds.asked("down")
    kinds.asked("refused")
    kinds.asked("acme/direct")
    kinds.asked("like-this")
    kinds.asked(CANARY)
    kinds.asked(f"acme2/{CANARY}")
    kinds.posted({"model": "best", "input": CANARY}, "/v1/embeddings")
    kinds.posted({"model": "best", "max_tokens": 9, "messages": [{"role": "user", "content": CANARY}]}, "/v1/messages")
    kinds.posted(b"{")
    kinds.posted({"model": "best"}, Authorization="Bearer wrong")
    kinds.leave()


@pytest.mark.parametrize("open_metrics", [False, True])
def test_after_calls_of_every_kind_the_sums_are_those_of_the_answers(open_metrics: bool) -> None:
    with gateway_for_every_kind() as kinds:
        ask_every_kind(kinds)
        found = scrape(kinds.gateway, open_metrics=open_metrics)
        statuses = Counter(str(answer.status_code) for answer in kinds.answers)
        assert found.of(REQUESTS) == len(kinds.answers) + kinds.left == 15
        for status, count in statuses.items():
            assert found.of(REQUESTS, status=status) == count + (kinds.left if status == "200" else 0)
        assert (
            found.of(REQUESTS, model="(unknown)") == 4
        )  # two names that nobody has, one that nobody read, a wrong key
        assert found.of(REQUESTS, model="like-*") == found.of(REQUESTS, model="(direct)") == 1
        assert found.of("llm_gateway_request_duration_seconds_count") == found.of(REQUESTS)

        answered = kinds.attempts
        assert found.of(ATTEMPTS) == sum(answered.values()) + kinds.left
        for outcome, count in answered.items():
            assert found.of(ATTEMPTS, outcome=outcome) - found.of(ATTEMPTS, outcome=outcome, provider="slow") == count
        assert found.of(ATTEMPTS, model="direct") == found.of(ATTEMPTS, model="star-this") == 1

        told = kinds.usages
        assert found.of(TOKENS, type="input") == sum(u.get("prompt_tokens", 0) or _input(u) for u in told)
        assert found.of(TOKENS, type="output") == sum(
            u.get("completion_tokens", 0) or u.get("output_tokens", 0) for u in told
        )
        assert found.of(TOKENS, type="cached_input") == 30 * 7 and found.of(TOKENS, type="reasoning") == 5 * 7
        told_cost = (found.of(TOKENS, type="input") + 2 * found.of(TOKENS, type="output")) / 1e6
        assert found.of("llm_gateway_cost_usd_total") == pytest.approx(told_cost) and told_cost > 0
        assert found.of("gen_ai_client_token_usage_sum") == found.of(TOKENS, type="input") + found.of(
            TOKENS, type="output"
        )


def _input(usage: dict[str, int]) -> int:
    """All tokens of a request in Anthropic's shape, which counts those of its cache apart."""
    return usage.get("input_tokens", 0) + usage.get("cache_read_input_tokens", 0)


def test_two_scrapes_without_a_call_between_differ_in_gauges_only() -> None:
    with gateway_for_every_kind() as kinds:
        ask_every_kind(kinds)
        first = scrape(kinds.gateway)
        assert scrape(kinds.gateway).sums == first.sums
        assert len(first.sums) > 100


def test_no_secret_and_nothing_that_was_said_is_in_it() -> None:
    with gateway_for_every_kind() as kinds:
        ask_every_kind(kinds)
        kinds.asked(f"acme/{KEY}")
        kinds.gateway.settle()
        text = kinds.gateway.get("/metrics", headers={"x-api-key": SCRAPER}).text
        for canary in (CANARY, "2236067977", "3162277660", "3316624790"):
            assert canary not in text


def test_invented_names_add_two_series() -> None:
    with gateway_for_every_kind() as kinds:
        before = len(scrape(kinds.gateway).sums)
        for number in range(50):
            kinds.asked(f"invented-{number}")
        found = scrape(kinds.gateway)
        bound = 13 + 3  # lines of a histogram, which is one series
        assert len(found.sums) - before == 1 + bound
        assert found.of(REQUESTS, model="(unknown)", status="404") == 50


def test_no_counter_goes_down_over_reloads(tmp_path: Path) -> None:
    with ScriptedUpstream() as up, ScriptedUpstream() as other:
        up.answers(answering)
        other.answers(answering)
        here = manual({"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/m")]})
        there = manual({"providers": {"b": provider(other.base_url)}, "modelAliases": [alias("new", "b/m")]})
        with edited(tmp_path, here) as gateway:
            earlier = scrape(gateway.served)
            for config, model in ((here, "best"), (there, "new"), (here, "best")):
                gateway.reload(config)
                assert gateway.served.post(chat(model)).status_code == 200
                now = scrape(gateway.served)
                assert all(now.sums[key] >= value for key, value in earlier.sums.items())
                assert now.of("llm_gateway_target_resting", provider="b") == 0
                earlier = now
            gateway.reload(b"gateway: [")
            failed = scrape(gateway.served)
            assert (earlier.of(REQUESTS, model="best"), earlier.of(REQUESTS, model="new")) == (2, 1)
            reloads = [earlier.of("llm_gateway_config_reloads_total", result=each) for each in ("success", "failed")]
            assert reloads == [3, 0] and failed.of("llm_gateway_config_reloads_total", result="failed") == 1
            assert earlier.of("llm_gateway_config_last_reload_successful") == 1
            assert failed.of("llm_gateway_config_last_reload_successful") == 0


def test_a_reload_turns_it_off_and_then_it_is_an_unknown_path(tmp_path: Path) -> None:
    with ScriptedUpstream() as up:
        on = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/m")]}
        off = {**on, "gateway": {"metrics": False, "metricsKey": SCRAPER}}
        with edited(tmp_path, on) as gateway:
            served = gateway.served
            assert served.get("/metrics").status_code == 200
            assert served.post({}, path="/metrics").status_code == 405
            gateway.reload(manual(off))
            for ask in (served.get, lambda path: served.post({}, path=path)):
                unknown, metrics = ask("/metricx"), ask("/metrics")
                assert metrics.status_code == 404
                assert metrics.text == unknown.text.replace("/metricx", "/metrics")


def test_who_may_not_read_it_gets_an_error_object() -> None:
    page = "https://app.example"
    with ScriptedUpstream() as up:
        settings = {"apiKeys": [KEY], "metricsKey": SCRAPER, "allowedOrigins": [page]}
        config = {
            "gateway": settings,
            "providers": {"a": provider(up.base_url)},
            "modelAliases": [alias("best", "a/m")],
        }
        with running(config) as gateway:
            key = {"Authorization": f"Bearer {SCRAPER}"}
            assert gateway.get("/metrics", headers=key).status_code == 200
            refused = [
                (gateway.get("/metrics"), 401, "invalid_api_key"),
                (gateway.get("/v1/models", headers=key), 401, "invalid_api_key"),
                (gateway.get("/metrics", headers={**key, "Host": "evil.example"}), 421, "host_not_allowed"),
                (gateway.get("/metrics", headers={**key, "Origin": page}), 403, "origin_not_allowed"),
            ]
            for answer, status, code in refused:
                assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
                assert not answer.headers.keys() & {"access-control-allow-origin"} or status != 403


def test_it_says_what_is_under_way_and_answers_while_every_thread_is_taken() -> None:
    over = threading.Event()
    with ScriptedUpstream() as up:
        up.answers(lambda request: (WaitFor(over), json_answer("late")))
        config = {
            "gateway": {"threads": 4},
            "providers": {"a": provider(up.base_url)},
            "modelAliases": [alias("best", "a/m")],
            "rateLimits": [{"provider": "a", "requestsPerMinute": 3, "maxQueueSize": 4}],
        }
        with running(config) as gateway:
            callers = [
                threading.Thread(target=gateway.client().chat.completions.create, kwargs=chat("best")) for _ in range(3)
            ]
            for caller in callers:
                caller.start()
            until(lambda: len(up.requests) == 3)
            found = read_scrape(gateway.get("/metrics").text)
            assert found.of("llm_gateway_active_requests") == 3 and found.of("llm_gateway_active_streams") == 0
            limit = {"provider": "a", "limit": "rpm"}
            assert (found.of("llm_gateway_limit_used", **limit), found.of("llm_gateway_limit_max", **limit)) == (3, 3)
            assert found.of("llm_gateway_queue_waiting", provider="a") == 0
            over.set()
            for caller in callers:
                caller.join(SECONDS)


def test_a_target_that_rests_is_named_with_its_seconds() -> None:
    with ScriptedUpstream() as up:
        up.answers(lambda request: (Json(429, {"error": {"message": "slow down"}}, {"retry-after": "50"}),))
        config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/m")]}
        with running(config) as gateway:
            assert gateway.post(chat("best")).status_code == 429
            found = scrape(gateway)
            target = {"provider": "a", "model": "m"}
            assert found.of("llm_gateway_target_resting", **target) == 1
            assert 0 < found.of("llm_gateway_target_rest_seconds", **target) <= 50
