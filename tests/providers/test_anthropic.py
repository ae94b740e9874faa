"""Anthropic on a real socket: where it is asked, how the credential is shown, and which headers go along."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.auth.credential import Credential
from gateway.auth.tokens.expiry import fingerprint
from gateway.core.clock import SystemClock
from gateway.core.no_op import no_op
from gateway.core.provider_failures import CredentialRefused, InvalidAnswer, Unavailable
from gateway.core.rendered import Adjustments
from gateway.core.request import ChatRequest, Message, Params, Prompt, Text
from gateway.core.secrets import Secret
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.base import AttemptContext
from gateway.providers.token_limits import TokenLimits
from gateway.upstream.session import UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.anthropic_messages.outbound import AnthropicMessagesProvider
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.anthropic_answers import error, message, refusal, sse, stream, text
from tests.support.upstream_script import Body, Head, Json, ScriptedUpstream, Stall

KEY, TOKEN = "sk-ant-canary-0123456789", "sk-ant-oat-canary-0123456789"
WITH_KEY = Credential("api_key", Secret(KEY), fingerprint(Secret(KEY)))
WITH_TOKEN = Credential("token", Secret(TOKEN), fingerprint(Secret(TOKEN)))
KEYLESS = Credential("none", None, "")
SHOWN = ("authorization", "x-api-key", "anthropic-version", "anthropic-beta", "own-header")
SOURCE: JsonObject = {"model": "alias", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


def provider(up: ScriptedUpstream, path: str = "", **settings: Any) -> AnthropicProvider:
    session = UpstreamSession("anthropic", up.url, pool_size=4, connect_seconds=5, environ={})
    return AnthropicProvider(
        "anthropic",
        up.url + path,
        session=session,
        user_agents=UserAgentPool(()),
        wire=AnthropicMessagesProvider(ReasoningMemory()),
        clock=SystemClock(),
        **settings,
    )


def context(credential: Credential = WITH_KEY, most: int | None = None) -> AttemptContext:
    return AttemptContext(
        model="claude-opus-5-5",
        credential=credential,
        deadline=SystemClock().monotonic() + 20,
        first_content=20,
        on_wait=lambda waiting: None,
        on_sent=no_op,
        adjustments=Adjustments(max_tokens=most),
    )


def own(headers: Mapping[str, str] | None = None, query: str = "", **fields: Any) -> ChatRequest:
    """A request of a caller that speaks the wire."""
    body: JsonObject = {**SOURCE, **fields}
    return ChatRequest(
        "alias", False, True, Source("anthropic_messages", body, headers or {}, query), lambda: Prompt(())
    )


def foreign(**params: Any) -> ChatRequest:
    """A request of a caller that speaks another wire."""
    prompt = Prompt((Message("user", (Text("Hi"),)),), params=Params(**params))
    return ChatRequest("alias", False, True, Source("another", {}), lambda: prompt)


@pytest.mark.parametrize("path", ["", "/v1", "/anthropic", "/anthropic/v1"])
def test_the_address_has_one_v1(up: ScriptedUpstream, path: str) -> None:
    up.plays(Json(200, message(text("Hi"))))
    with closing(provider(up, path)) as asked:
        asked.send(foreign(), context())
    assert up.requests[0].path == f"{path.removesuffix('/v1')}/v1/messages"


@pytest.mark.parametrize(
    ("credential", "settings", "headers", "expected"),
    [
        (WITH_KEY, {}, {}, {"x-api-key": KEY}),
        (WITH_TOKEN, {}, {}, {"authorization": f"Bearer {TOKEN}", "anthropic-beta": "oauth-2025-04-20"}),
        (
            WITH_TOKEN,
            {},
            {"anthropic-beta": "a,b"},
            {"authorization": f"Bearer {TOKEN}", "anthropic-beta": "a,b,oauth-2025-04-20"},
        ),
        (WITH_KEY, {}, {"anthropic-beta": "a"}, {"x-api-key": KEY, "anthropic-beta": "a"}),
        (WITH_KEY, {"api_key_header": "own-header"}, {}, {"own-header": KEY}),
        (WITH_TOKEN, {"api_key_header": "own-header"}, {}, {"own-header": TOKEN}),
        (KEYLESS, {}, {}, {}),
    ],
)
def test_a_credential_is_shown_once(
    up: ScriptedUpstream,
    credential: Credential,
    settings: dict[str, str],
    headers: Mapping[str, str],
    expected: Mapping[str, str],
) -> None:
    up.plays(Json(200, message(text("Hi"))))
    with closing(provider(up, **settings)) as asked:
        asked.send(own(headers), context(credential))
    sent = up.requests[0].headers
    assert {name: sent[name] for name in SHOWN if name in sent} == {"anthropic-version": "2023-06-01", **expected}


def test_a_callers_version_betas_and_query_go_on(up: ScriptedUpstream) -> None:
    up.plays(Json(200, message(text("Hi"))))
    with closing(provider(up)) as asked:
        asked.send(own({"anthropic-version": "2026-10-21", "x-other": "1"}, "beta=true&x=1"), context())
    (sent,) = up.requests
    assert (sent.path, sent.headers["anthropic-version"]) == ("/v1/messages?beta=true", "2026-10-21")
    assert "x-other" not in sent.headers


def test_a_callers_own_request_goes_on_and_its_answer_comes_back_as_it_was(up: ScriptedUpstream) -> None:
    up.plays(Json(200, message(text("Hi"))))
    with closing(provider(up)) as asked:
        answer = asked.send(own(odd={"x": [1]}), context())
    assert up.requests[0].json() == {**SOURCE, "odd": {"x": [1]}, "model": "claude-opus-5-5"}
    assert answer.response.source.body == message(text("Hi"))


@pytest.mark.parametrize(("learned", "sent"), [(None, 500), (900, 500), (300, 300)])
def test_the_limit_of_an_answer_is_the_smaller_one(up: ScriptedUpstream, learned: int | None, sent: int) -> None:
    with closing(provider(up, max_tokens=TokenLimits(500))) as asked:
        for request in (own(max_tokens=1_000), foreign(max_tokens=1_000)):
            up.plays(Json(200, message(text("Hi"))))
            answer = asked.send(request, context(most=learned))
            assert (up.requests[-1].json()["max_tokens"], answer.dropped) == (sent, ("max_tokens",))


def test_a_stream_begins_with_its_first_content(up: ScriptedUpstream) -> None:
    up.plays(*stream(message(text("Hello there")), upto=4), Stall())
    with closing(provider(up)) as asked:
        opened = asked.open(replace(foreign(), stream=True), context())
        with closing(opened.body):
            assert opened.wire == "anthropic_messages"
            assert "".join(chunk.plain or "" for chunk in opened.first) == "Hell"
    assert up.requests[0].json()["stream"] is True


def test_an_error_before_any_content_is_a_true_status(up: ScriptedUpstream) -> None:
    head = Head(200, {"Content-Type": "text/event-stream"})
    with closing(provider(up)) as asked:
        for steps in (
            (head, Body(sse([error("overloaded_error")]))),
            (*stream(message(text("Hi")), upto=2), Body(sse([error("overloaded_error")]))),
            (refusal(529, "overloaded_error"),),
            (Json(200, error("overloaded_error")),),
        ):
            up.plays(*steps)
            with pytest.raises(Unavailable) as failed:
                asked.open(foreign(), context())
            assert failed.value.evidence.status == 529


def test_a_stream_that_ends_before_any_content_is_no_answer(up: ScriptedUpstream) -> None:
    with closing(provider(up)) as asked:
        for upto in (1, 2, 3):
            up.plays(*stream(message(text("Hi")), upto=upto))
            with pytest.raises(InvalidAnswer):
                asked.open(foreign(), context())


def test_a_refused_key_is_named(up: ScriptedUpstream) -> None:
    up.plays(refusal(401, "authentication_error", "invalid x-api-key"))
    with (
        closing(provider(up, credential="its key (the variable ANTHROPIC_API_KEY)")) as asked,
        pytest.raises(CredentialRefused) as refused,
    ):
        asked.send(foreign(), context())
    assert refused.value.message == ("anthropic refused its key (the variable ANTHROPIC_API_KEY): invalid x-api-key")
