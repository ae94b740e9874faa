"""Callers of the Messages API over a socket: onto a chat provider and onto Gemini, answers and refusals."""

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
import requests

from gateway.server.routes import ENDPOINTS, Routes
from tests.support.edge import connect_to, read_all
from tests.support.fakes import FastClock
from tests.support.gemini_answers import call, said, stream, text
from tests.support.messages import HEADERS, PATH, WEATHER, ask, calls, chunk
from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import (
    Cut,
    Done,
    Json,
    ScriptedUpstream,
    Sse,
    Status,
    WaitFor,
    json_answer,
    sse_answer,
    sse_events,
)
from tests.validators import anthropic_answers as validate

KEYS = {"openai": "sk-canary-0123456789", "gemini": "AIza-canary-0123456789"}


@pytest.fixture
def google() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


def config(up: ScriptedUpstream, google: ScriptedUpstream, **settings: object) -> dict[str, object]:
    gemini = {"type": "gemini", "apiKey": KEYS["gemini"], "apiEndpoint": f"{google.url}/v1beta"}
    aliases = [
        alias("best", "openai/gpt-4o"),
        alias("gem", "gemini/gemini-3-pro-preview"),
        alias("both", "openai/gpt-4o", "gemini/gemini-3-pro-preview"),
        alias("claude-*", "openai/gpt-4o"),
    ]
    return {
        "providers": {"openai": provider(up.base_url, apiKey=KEYS["openai"]), "gemini": gemini},
        "modelAliases": aliases,
        **settings,
    }


@pytest.fixture
def gateway(up: ScriptedUpstream, google: ScriptedUpstream) -> Iterator[Running]:
    with running(config(up, google)) as served:
        yield served


def post(gateway: Running, body: object, path: str = PATH, **headers: str) -> requests.Response:
    return gateway.post(body, path=path, headers={**HEADERS, **headers})


def sound(reply: requests.Response) -> Any:
    """The message of a reply, whole or streamed, which is as clients expect it."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["request-id"] == reply.headers["x-request-id"]
    if reply.headers["content-type"] == "text/event-stream; charset=utf-8":
        assert validate.of_stream(reply.content) == []
        return validate.message_of(reply.content)
    message = reply.json()
    assert validate.of_message(message) == []
    return message


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
    told = {"context_management", "tools.bash_20250124", "tool_choice.disable_parallel_tool_use"}
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


# Refusals ------------------------------------------------------------------------------------------------------------


def refused(reply: requests.Response, status: int, kind: str) -> str:
    """The message of an error, which is as clients expect it."""
    body = reply.json()
    assert (reply.status_code, body["error"]["type"]) == (status, kind)
    assert validate.of_error(body, status) == []
    assert reply.headers["request-id"] == reply.headers["x-request-id"]
    return str(body["error"]["message"])


def test_every_refusal_below_the_path_has_anthropics_shape(gateway: Running) -> None:
    good = ask("best")
    refused(post(gateway, b"{"), 400, "invalid_request_error")
    refused(post(gateway, {**good, "max_tokens": None}), 400, "invalid_request_error")
    refused(post(gateway, ask("unknown")), 404, "not_found_error")
    refused(post(gateway, good, f"{PATH}/batches"), 404, "not_found_error")
    refused(post(gateway, good, "/messages/batches/x"), 404, "not_found_error")
    refused(gateway.get(PATH), 405, "invalid_request_error")
    refused(gateway.get(f"{PATH}/files"), 404, "not_found_error")
    refused(post(gateway, b"x", **{"content-type": "text/plain"}), 415, "invalid_request_error")
    refused(post(gateway, good, origin="https://evil.example"), 403, "permission_error")
    refused(post(gateway, good, host="evil.example"), 421, "invalid_request_error")
    assert "type" not in gateway.get("/v1/messagesx").json(), "other paths keep OpenAI's shape"


def test_the_servers_own_refusals_have_it_too(gateway: Running) -> None:
    with connect_to(gateway) as connection:
        connection.sendall(b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ") and b"\r\nrequest-id: req_" in head.lower()
    assert validate.of_error(json.loads(body), 413) == []


def test_a_key_of_the_gateway_is_shown_in_either_header(up: ScriptedUpstream, google: ScriptedUpstream) -> None:
    with running(config(up, google, gateway={"apiKeys": ["right"]})) as gateway:
        refused(post(gateway, ask("best")), 401, "authentication_error")
        refused(post(gateway, ask("best"), **{"x-api-key": "wrong"}), 401, "authentication_error")
        sound(post(gateway, ask("best"), **{"x-api-key": "right"}))
        sound(post(gateway, ask("best"), authorization="Bearer right", **{"x-api-key": "wrong"}))


@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        (Status(529), 529, "overloaded_error"),
        (Status(503), 503, "overloaded_error"),
        (Json(401, {"error": {"message": "bad key"}}), 403, "permission_error"),
        (Json(404, {"error": {"message": "no such model", "code": "model_not_found"}}), 404, "not_found_error"),
        (Json(400, {"error": {"message": "bad"}}), 400, "invalid_request_error"),
    ],
)
def test_what_a_provider_refuses(
    up: ScriptedUpstream, gateway: Running, answer: Status | Json, status: int, kind: str
) -> None:
    up.answers(lambda _: [answer])
    refused(post(gateway, ask("best")), status, kind)


def test_a_wait_is_told_in_the_headers_that_clients_read(up: ScriptedUpstream, gateway: Running) -> None:
    up.answers(lambda _: [Json(429, {"error": {"message": "slow down"}}, {"retry-after": "9"})])
    reply = post(gateway, ask("best"))
    refused(reply, 429, "rate_limit_error")
    assert (reply.headers["retry-after"], reply.headers["retry-after-ms"]) == ("9", "9000")


def test_a_conversation_that_is_too_long_is_told_so_that_clients_shorten_it(
    up: ScriptedUpstream, gateway: Running
) -> None:
    words = "This model's maximum context length is 1000 tokens. However, your messages resulted in 2000 tokens."
    up.answers(lambda _: [Json(400, {"error": {"message": words, "code": "context_length_exceeded"}})])
    message = refused(post(gateway, ask("best")), 400, "invalid_request_error")
    assert message == "prompt is too long: 2000 tokens > 1000 maximum"


def test_a_conversation_that_the_server_would_keep_is_refused(gateway: Running) -> None:
    reply = post(gateway, ask("best", thread={"type": "create"}))
    refused(reply, 400, "invalid_request_error")
    assert reply.json()["error"]["details"]["error_code"] == "thread_unsupported_request"


# Streams -------------------------------------------------------------------------------------------------------------


def test_a_stream_that_breaks_ends_with_an_error_event(up: ScriptedUpstream, gateway: Running) -> None:
    up.plays(Sse(sse_events("one two three")[:3]), Cut())
    reply = post(gateway, ask("best", stream=True))
    assert validate.of_stream(reply.content, complete=False) == []
    assert validate.events_of(reply.content)[-1][1]["error"]["type"] == "api_error"


def test_a_stream_that_breaks_is_continued_by_another_provider(
    up: ScriptedUpstream, google: ScriptedUpstream, gateway: Running
) -> None:
    sentence = "The quick brown fox jumps over the lazy dog near the river bank, "
    up.plays(Sse([chunk({"reasoning_content": "Hm."}), chunk({"content": sentence})]), Cut())
    google.plays(*stream(said(text(f"{sentence[-60:]}and sleeps."))))
    reply = post(gateway, ask("both", stream=True, thinking={"type": "adaptive"}))
    message = sound(reply)
    assert [block["type"] for block in message["content"]] == ["thinking", "text"]
    assert message["content"][1]["text"] == f"{sentence}and sleeps."
    assert b": resumed on gemini/gemini-3-pro-preview\n\n" in reply.content


def until_line(reply: HTTPResponse, line: bytes) -> bytes:
    received = b""
    while not received.endswith(line):
        one = reply.readline()
        assert one, received
        received += one
    return received


def test_a_caller_that_waits_gets_comments_and_then_pings(
    up: ScriptedUpstream, google: ScriptedUpstream, often_looked_after: None
) -> None:
    first, second = threading.Event(), threading.Event()
    pieces = sse_events("one two three")
    up.plays(WaitFor(first), Sse(pieces[:2]), WaitFor(second), Sse(pieces[2:]), Done())
    with running(config(up, google, gateway={"requestTimeoutSeconds": 3600}), clock=FastClock(100.0)) as gateway:
        connection = HTTPConnection(gateway.url.removeprefix("http://"), timeout=30)
        body = json.dumps(ask("best", stream=True))
        connection.request("POST", PATH, body, {"content-type": "application/json"})
        reply = connection.getresponse()
        came = until_line(reply, b": keep-alive\n")
        first.set()
        came += until_line(reply, b"event: ping\n")
        second.set()
        came += reply.read()
        connection.close()
    assert came.index(b": keep-alive") < came.index(b"message_start") < came.index(b"event: ping")
    assert validate.of_stream(came) == []


def test_a_failure_after_a_heartbeat_is_an_event(
    up: ScriptedUpstream, google: ScriptedUpstream, often_looked_after: None
) -> None:
    go = threading.Event()
    up.plays(WaitFor(go), Status(503))
    up.answers(lambda _: [Status(503)])
    with running(config(up, google, gateway={"requestTimeoutSeconds": 3600}), clock=FastClock(100.0)) as gateway:
        connection = HTTPConnection(gateway.url.removeprefix("http://"), timeout=30)
        connection.request("POST", PATH, json.dumps(ask("best", stream=True)), {"content-type": "application/json"})
        reply = connection.getresponse()
        came = until_line(reply, b": keep-alive\n")
        go.set()
        came += reply.read()
        connection.close()
    assert validate.of_stream(came, complete=False) == []
    assert validate.events_of(came)[-1][1]["error"]["type"] == "overloaded_error"


def test_a_quota_that_is_used_up_is_not_asked_for_again(up: ScriptedUpstream, gateway: Running) -> None:
    up.answers(lambda _: [Json(429, {"error": {"message": "No credit.", "code": "insufficient_quota"}})])
    reply = post(gateway, ask("best"))
    refused(reply, 429, "rate_limit_error")
    assert reply.headers["x-should-retry"] == "false"


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
