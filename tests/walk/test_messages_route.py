"""Callers of the Messages API over a socket: answers by a chat provider and by Gemini, token counts, models."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from gateway.server.route_table import Routes
from gateway.server.routes import ENDPOINTS
from tests.support.gemini_answers import call, said, stream, text
from tests.support.messages import HEADERS, KEYS, PATH, WEATHER, ask, calls, chunk, config, post, refused, sound
from tests.support.running import Running, provider, running
from tests.support.upstream_script import (
    Done,
    Json,
    ScriptedUpstream,
    Sse,
    json_answer,
    sse_answer,
)
from tests.validators import anthropic_answers as validate


@pytest.fixture
def google() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
def gateway(up: ScriptedUpstream, google: ScriptedUpstream) -> Iterator[Running]:
    with running(config(up, google)) as served:
        yield served


# Answers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", [PATH, "/messages", "/v1//messages", "/v1/messages?beta=true"])
def test_a_chat_provider_answers(up: ScriptedUpstream, gateway: Running, path: str, streamed: bool) -> None:
    up.plays(*(sse_answer("Hi there.") if streamed else [json_answer("Hi there.")]))
    message = sound(post(gateway, ask("claude-opus-5-5", system="Be short.", stream=streamed), path))
    assert message["content"] == [{"type": "text", "text": "Hi there."}]
    assert (message["model"], message["stop_reason"]) == ("claude-opus-5-5", "end_turn")
    sent = up.requests[-1].json()
    assert sent["model"] == "gpt-4o"
    assert sent["messages"] == [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello"}]
    assert up.requests[-1].headers["authorization"] == f"Bearer {KEYS['openai']}"
    assert "anthropic-version" not in up.requests[-1].headers


@pytest.mark.parametrize("streamed", [False, True])
def test_gemini_answers(google: ScriptedUpstream, gateway: Running, streamed: bool) -> None:
    answer = said(text("Hm.", thought=True), text("I look. "), call("get_weather", {"city": "Seoul"}))
    google.plays(*(stream(answer) if streamed else [Json(200, answer)]))
    fields: dict[str, Any] = {"tools": [WEATHER], "thinking": {"type": "adaptive"}, "stream": streamed}
    message = sound(post(gateway, ask("gem", **fields)))
    thought, words, called = message["content"]
    assert (thought["thinking"], words["text"], called["input"]) == ("Hm.", "I look. ", {"city": "Seoul"})
    assert message["stop_reason"] == "tool_use"
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (7, 3)


def test_a_tool_is_called_and_its_result_comes_back(up: ScriptedUpstream, gateway: Running) -> None:
    deltas = [chunk({"content": "I look."}), calls(0, '{"city"', "get_weather"), calls(0, ': "Seoul"}')]
    up.plays(Sse([*deltas, chunk({}, "tool_calls")]), Done())
    body = ask("best", tools=[WEATHER], tool_choice={"type": "any", "disable_parallel_tool_use": True}, stream=True)
    message = sound(post(gateway, body))
    (called,) = [block for block in message["content"] if block["type"] == "tool_use"]
    sent = up.requests[-1].json()
    assert (sent["tool_choice"], sent["parallel_tool_calls"]) == ("required", False)
    result = {"type": "tool_result", "tool_use_id": called["id"], "content": "sunny", "is_error": True}
    history = [*body["messages"], {"role": "assistant", "content": message["content"]}]
    up.plays(json_answer("It is sunny."))
    sound(post(gateway, {**body, "stream": False, "messages": [*history, {"role": "user", "content": [result]}]}))
    *_, assistant, answer = up.requests[-1].json()["messages"]
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"city": "Seoul"}
    assert answer == {"role": "tool", "tool_call_id": called["id"], "content": "Error: sunny"}


def test_pieces_of_two_calls_that_interleave_become_two_blocks(up: ScriptedUpstream, gateway: Running) -> None:
    begun = [calls(0, "", "get_weather"), calls(1, "", "get_weather")]
    pieces = [calls(0, '{"city":'), calls(1, '{"city":'), calls(0, '"Seoul"}'), calls(1, '"Oslo"}')]
    up.plays(Sse([*begun, *pieces, chunk({}, "tool_calls")]), Done())
    message = sound(post(gateway, ask("best", tools=[WEATHER], stream=True)))
    assert [block["input"] for block in message["content"]] == [{"city": "Seoul"}, {"city": "Oslo"}]


def test_what_is_left_out_is_told_in_the_callers_words(google: ScriptedUpstream, gateway: Running) -> None:
    google.plays(Json(200, said(text("Hi."))))
    fields: dict[str, Any] = {"metadata": {"user_id": "u"}, "context_management": {"edits": [{}]}}
    fields["tools"] = [{"type": "bash_20250124", "name": "bash"}, {**WEATHER, "cache_control": {"type": "ephemeral"}}]
    fields["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    reply = post(gateway, ask("gem", **fields))
    sound(reply)
    told = {"context_management", "tools.bash_20250124"}
    assert set(reply.headers["x-gateway-dropped"].split(",")) == told


def test_a_limit_of_tokens_that_is_lowered_is_told(up: ScriptedUpstream) -> None:
    target = {"provider": "openai", "model": "gpt-*", "maxOutputTokens": 16}
    config = {
        "providers": {"openai": provider(up.base_url)},
        "modelAliases": [{"alias": "claude-*", "providers": [target]}],
    }
    with running(config) as gateway:
        reply = post(gateway, ask("claude-5", max_tokens=128_000))
    assert up.requests[-1].json()["max_tokens"] == 16
    assert reply.headers["x-gateway-dropped"] == "max_tokens"


# Tokens and models ---------------------------------------------------------------------------------------------------


def test_tokens_are_estimated(up: ScriptedUpstream, gateway: Running, caplog: pytest.LogCaptureFixture) -> None:
    body = {"model": "claude-x", "messages": [{"role": "user", "content": "Hello there, friend"}], "tools": [WEATHER]}
    with caplog.at_level(logging.INFO):
        replies = [post(gateway, body, f"{PATH}/count_tokens?beta=true") for _ in range(2)]
    assert replies[0].headers["x-gateway-tokens"] == "estimate"
    count = replies[0].json()
    assert validate.by_schema("MessageTokensCount", count) == []
    assert (list(count), count["input_tokens"] > 10) == (["input_tokens"], True)
    assert up.requests == [] and caplog.records == [], "no provider is asked, and no record is kept"
    refused(post(gateway, {**body, "model": "unknown"}, f"{PATH}/count_tokens"), 404, "not_found_error")
    refused(post(gateway, {"model": "best"}, f"{PATH}/count_tokens"), 400, "invalid_request_error")


def test_many_counts_at_once_are_answered(gateway: Running) -> None:
    """Claude Code asks 24 at once for its /context."""
    body = {"model": "claude-x", "messages": [{"role": "user", "content": "Hello"}]}
    with ThreadPoolExecutor(24) as pool:
        asked = [
            pool.submit(requests.post, gateway.url + PATH + "/count_tokens", json=body, timeout=30) for _ in range(24)
        ]
        assert {each.result().status_code for each in asked} == {200}


def test_models_are_listed_for_the_client_that_asks(gateway: Running) -> None:
    page = gateway.get("/v1/models?limit=1000", headers=HEADERS).json()
    assert validate.of_models(page) == []
    assert [model["id"] for model in page["data"]] == ["best", "gem", "both"]
    assert validate.by_schema("ModelInfo", gateway.get("/v1/models/claude-x", headers=HEADERS).json()) == []
    assert gateway.get("/v1/models").json()["object"] == "list"
    assert gateway.get("/v1/models/best").json()["object"] == "model"


def test_only_the_rows_themselves_are_model_calls() -> None:
    routes = Routes(ENDPOINTS, lambda text: text)
    for path in (PATH, "/messages", f"{PATH}/count_tokens"):
        assert routes.model_call("POST", path) is not None
    assert routes.model_call("POST", f"{PATH}/batches") is None
