"""Messages callers onto a provider of their own wire: all passes but the model's name, and streams can be resumed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.gemini_answers import said, stream, text
from tests.support.messages import PATH, ask
from tests.support.messages_events import MESSAGE, THOUGHT, begun, block, end, event, plays, words
from tests.support.running import Running, alias, running
from tests.support.upstream_script import Cut, Json, ScriptedUpstream, Status
from tests.validators import anthropic_answers as validate

SENTENCE = "The quick brown fox jumps over the lazy dog near the river bank, "


@pytest.fixture
def other() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
def google() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
def gateway(up: ScriptedUpstream, other: ScriptedUpstream, google: ScriptedUpstream) -> Iterator[Running]:
    providers = {
        "anthropic": {"type": "anthropic", "apiKey": "sk-ant-canary-1", "apiEndpoint": up.url},
        "second": {"type": "anthropic", "apiKey": "sk-ant-canary-2", "apiEndpoint": other.url},
        "gemini": {"type": "gemini", "apiKey": "AIza-canary-0123456789", "apiEndpoint": f"{google.url}/v1beta"},
    }
    aliases = [
        alias("claude-*", "anthropic/claude-real"),
        alias("twice", "anthropic/claude-real", "second/claude-other"),
        alias("mixed", "anthropic/claude-real", "gemini/gemini-2.5-pro"),
        alias("mixed-2", "gemini/gemini-2.5-pro", "anthropic/claude-real"),
    ]
    with running({"providers": providers, "modelAliases": aliases}) as served:
        yield served


def post(gateway: Running, body: object, **headers: str) -> Any:
    return gateway.post(body, path=f"{PATH}?beta=true", headers={"anthropic-version": "2023-06-01", **headers})


def test_a_request_passes_with_another_model_and_the_headers_of_its_wire(
    up: ScriptedUpstream, gateway: Running
) -> None:
    up.plays(Json(200, {**MESSAGE, "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"}))
    body = ask("claude-x", invented={"b": 1, "a": [None, 1.0]}, metadata={"user_id": "u"})
    reply = post(gateway, body, **{"anthropic-beta": "one-2026,two-2026", "x-secret": "no"})
    assert reply.json() == {
        **MESSAGE,
        "model": "claude-x",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
    }
    (sent,) = up.requests
    assert sent.body == json.dumps({**body, "model": "claude-real"}, separators=(",", ":")).encode()
    assert sent.path == "/v1/messages?beta=true"
    assert (sent.headers["anthropic-version"], sent.headers["anthropic-beta"]) == ("2023-06-01", "one-2026,two-2026")
    assert sent.headers["x-api-key"] == "sk-ant-canary-1" and "x-secret" not in sent.headers


def test_a_stream_passes_byte_for_byte_but_for_the_models_name(up: ScriptedUpstream, gateway: Running) -> None:
    search = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
    ping = event("ping")
    unknown = event("event_of_tomorrow", index=3, value={"a": 1})
    rest = THOUGHT + ping + words(1, "Hel", "lö \U0001f600") + block(2, search) + unknown + end()
    up.plays(*plays(begun() + rest))
    reply = post(gateway, ask("claude-x", stream=True))
    assert reply.content == begun("claude-x") + rest
    assert reply.headers["anthropic-ratelimit-requests-remaining"] == "7"


def test_a_stream_that_breaks_behind_its_stop_reason_has_no_end(up: ScriptedUpstream, gateway: Running) -> None:
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    broken = begun() + words(0, "Hello") + event("message_delta", delta=delta, usage={"output_tokens": 5})
    fault = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    up.plays(*plays(broken + fault))
    reply = post(gateway, ask("claude-x", stream=True))
    assert validate.of_stream(reply.content, complete=False) == []
    assert validate.events_of(reply.content)[-1][1]["error"]["type"] == "overloaded_error"


def test_a_block_that_the_server_did_not_close_is_closed(up: ScriptedUpstream, gateway: Running) -> None:
    up.plays(*plays(begun() + words(0, "Hello", stop=False) + words(1, " there", stop=False) + end()))
    reply = post(gateway, ask("claude-x", stream=True))
    assert validate.of_stream(reply.content) == []


def test_a_second_provider_of_the_wire_continues_the_text(
    up: ScriptedUpstream, other: ScriptedUpstream, gateway: Running
) -> None:
    up.plays(*plays(begun() + THOUGHT + words(1, SENTENCE, stop=False), Cut()))
    other.plays(*plays(begun("claude-other") + THOUGHT + words(1, SENTENCE[-60:], "and sleeps.") + end(output=7)))
    reply = post(gateway, ask("twice", stream=True))
    assert validate.of_stream(reply.content) == []
    message = validate.message_of(reply.content)
    assert [each.get("text") for each in message["content"]] == [None, f"{SENTENCE}and sleeps."]
    assert (message["model"], message["usage"]["output_tokens"]) == ("twice", 8)
    assert b": resumed on second/claude-other\n\n" in reply.content


@pytest.mark.parametrize("first", ["mixed", "mixed-2"])
def test_providers_of_two_wires_continue_each_other(
    up: ScriptedUpstream, google: ScriptedUpstream, gateway: Running, first: str
) -> None:
    if first == "mixed":
        up.plays(*plays(begun() + words(0, SENTENCE, stop=False), Cut()))
        google.plays(*stream(said(text(f"{SENTENCE[-60:]}and sleeps."))))
    else:
        google.plays(*stream(said(text(SENTENCE), finish=None)), Cut())
        up.plays(*plays(begun() + words(0, SENTENCE[-60:], "and sleeps.") + end()))
    reply = post(gateway, ask(first, stream=True))
    assert validate.of_stream(reply.content) == []
    (told,) = validate.message_of(reply.content)["content"]
    assert told["text"] == f"{SENTENCE}and sleeps."


def test_a_provider_that_fails_is_replaced_by_one_of_another_wire(
    up: ScriptedUpstream, google: ScriptedUpstream, gateway: Running
) -> None:
    up.answers(lambda _: [Status(529)])
    google.plays(*stream(said(text("Hello."))))
    reply = post(gateway, ask("mixed", stream=True))
    assert validate.of_stream(reply.content) == []
    assert reply.headers["x-gateway-provider"] == "gemini"
