"""Callers of the Messages API over a socket: refusals, streams that break, and signs of life."""

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import pytest

from tests.support.edge import connect_to, read_all
from tests.support.fakes import FastClock
from tests.support.gemini_answers import said, stream, text
from tests.support.messages import PATH, ask, chunk, config, post, refused, sound
from tests.support.running import Running, running
from tests.support.upstream_script import (
    Cut,
    Done,
    Json,
    ScriptedUpstream,
    Sse,
    Status,
    WaitFor,
    sse_events,
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


# Refusals ------------------------------------------------------------------------------------------------------------


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
