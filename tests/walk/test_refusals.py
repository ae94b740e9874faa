"""Refusals that are told in words, on the whole walk: another target answers where one can, and alone the caller reads
the reason.

A line of refusals.jsonl is what a provider answers (`status` with a `body`, or the events of a stream), what
`x-gateway-attempts` then says where a sound target stands behind it (`two`), and what the caller gets where none does
(`alone`: status and code; `words`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from gateway.core.clock import Clock
from tests.support.fakes import FastClock
from tests.support.running import Running, alias, events, provider, running
from tests.support.upstream_script import Request, ScriptedUpstream, Sse, Status, Step, json_answer, sse_answer

LINES: Final = (Path(__file__).parent / "refusals.jsonl").read_text(encoding="utf-8").splitlines()
CASES: Final[tuple[dict[str, Any], ...]] = tuple(map(json.loads, LINES))
TEXT: Final = "It can be done."
each_case = pytest.mark.parametrize("case", CASES, ids=[case["kind"] for case in CASES])
whole_or_streamed = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


class Scene:
    """A gateway with a target that refuses, and a sound one that only the alias `both` has."""

    def __init__(self, closing: ExitStack, clock: Clock) -> None:
        self.own, self.spare = (closing.enter_context(ScriptedUpstream()) for _ in range(2))
        self.spare.answers(answers)
        settings = {
            "providers": {
                "own": provider(self.own.base_url, apiKey="k"),
                "spare": provider(self.spare.base_url, apiKey="k"),
            },
            "modelAliases": [alias("both", "own/m", "spare/ok"), alias("alone", "own/m")],
        }
        self.gateway: Running = closing.enter_context(running(settings, clock=clock))

    def ask(self, model: str, case: Mapping[str, Any], *, streamed: bool) -> requests.Response:
        self.own.answers(lambda _: refusal(case))
        body = {"model": model, "stream": streamed, "messages": [{"role": "user", "content": "Do it."}]}
        return self.gateway.post(body)


def refusal(case: Mapping[str, Any]) -> Sequence[Step]:
    if "sse" in case:
        return [Sse([json.dumps(event) for event in case["sse"]])]
    body = case["body"]
    is_text = isinstance(body, str)
    fields = {"content-type": "text/plain" if is_text else "application/json"}
    return [Status(case["status"], fields, body.encode() if is_text else json.dumps(body).encode())]


def answers(request: Request) -> Sequence[Step]:
    return sse_answer(TEXT) if request.json().get("stream") else [json_answer(TEXT)]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ExitStack() as closing:
        yield Scene(closing, FastClock(5.0))


@each_case
@whole_or_streamed
def test_another_target_answers_where_it_can(scene: Scene, case: Mapping[str, Any], streamed: bool) -> None:
    if "sse" in case and not streamed:
        pytest.skip("a stream answers a request for one")
    reply = scene.ask("both", case, streamed=streamed)
    assert reply.headers["x-gateway-attempts"] == case["two"]
    goes_on = case["two"].endswith("=200")
    assert len(scene.own.requests) == case["two"].count("own/m=")
    assert len(scene.spare.requests) == goes_on
    assert reply.status_code == (200 if goes_on else case["alone"][0])
    if goes_on:
        assert said(reply, streamed=streamed) == TEXT


@each_case
@whole_or_streamed
def test_alone_the_caller_reads_the_reason(scene: Scene, case: Mapping[str, Any], streamed: bool) -> None:
    if "sse" in case and not streamed:
        pytest.skip("a stream answers a request for one")
    reply = scene.ask("alone", case, streamed=streamed)
    error = reply.json()["error"]
    assert [reply.status_code, error["code"]] == case["alone"]
    assert error["message"].removeprefix("own refused its key (providers.own.apiKey): ") == case["words"]
    assert len(scene.own.requests) == case["two"].count("own/m=")


@pytest.mark.parametrize("case", [case for case in CASES if "=cannot" in case["two"] and "error" in case["body"]])
def test_what_only_this_model_cannot_do_is_shown_as_it_came(scene: Scene, case: Mapping[str, Any]) -> None:
    reply = scene.ask("alone", case, streamed=False)
    assert reply.json() == case["body"]
    assert reply.headers["x-gateway-attempts"] == "own/m=cannot"


def test_what_is_larger_than_a_minutes_tokens_is_not_advised_to_be_asked_again(scene: Scene) -> None:
    case = next(case for case in CASES if case["kind"].startswith("larger"))
    reply = scene.ask("alone", case, streamed=False)
    assert "retry-after" not in reply.headers and reply.headers["x-gateway-attempts"] == "own/m=413"


def test_a_failed_generation_is_held_against_nobody(scene: Scene) -> None:
    case = next(case for case in CASES if case["kind"].startswith("generation"))
    for _ in range(6):  # more than the breaker would bear
        scene.ask("alone", case, streamed=False)
    reply = scene.gateway.get("/gateway/explain?model=alone")
    health = reply.json()["candidates"][0]["health"]
    assert (health["state"], health["failures"]) == ("closed", 0)


def test_a_failed_generation_as_the_first_event_of_a_stream_is_the_same(scene: Scene) -> None:
    case = next(case for case in CASES if case["kind"].startswith("generation"))
    reply = scene.ask("both", {"sse": [case["body"]]}, streamed=True)
    assert reply.headers["x-gateway-attempts"] == case["two"]


def said(reply: requests.Response, *, streamed: bool) -> str:
    if not streamed:
        found: str = reply.json()["choices"][0]["message"]["content"]
        return found
    deltas = [event["choices"][0]["delta"] for event in events(reply.text) if isinstance(event, dict)]
    return "".join(delta.get("content") or "" for delta in deltas)
