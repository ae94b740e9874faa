"""An OpenAI-compatible provider on a real socket: what answers comes back, whatever else happens is a failure."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from gateway.auth.credential import Credential
from gateway.auth.tokens.expiry import fingerprint
from gateway.core.answer import ChatChunk
from gateway.core.clock import Clock, SystemClock
from gateway.core.no_op import no_op
from gateway.core.provider_failures import (
    ConnectionFailed,
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    InvalidAnswer,
    ProviderFailure,
    ProviderTimeout,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    TargetModelMissing,
    Unavailable,
)
from gateway.core.request import ChatRequest
from gateway.core.secrets import Secret
from gateway.providers import http_provider
from gateway.providers.base import AttemptContext, Cancellable, OpenStream
from gateway.providers.openai import OpenAIProvider
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.session import UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from tests.support.fakes import FakeClock
from tests.support.upstream_script import (
    Body,
    Cut,
    Done,
    Head,
    Json,
    Request,
    Reset,
    ScriptedUpstream,
    Sse,
    Stall,
    Status,
    Step,
    WaitFor,
    json_answer,
    sse_answer,
    sse_events,
)

INBOUND = OpenAIChatCallers()
OUTBOUND = OpenAIChatProvider()
KEY = "sk-canary-0123456789abcdef"
KEYLESS = Credential("none", None, "")
WITH_KEY = Credential("api_key", Secret(KEY), fingerprint(Secret(KEY)))
LONG = 20.0  # seconds; only a hang takes so long
SHORT = 0.05
ROLE = json.dumps({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
USAGE = json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})


@dataclass
class Asking:
    """A provider at the upstream, and how it is asked."""

    up: ScriptedUpstream
    clock: Clock = field(default_factory=SystemClock)
    agents: Sequence[str] = ()
    sticky: bool = False
    stream_usage: bool = True
    key_header: str | None = None
    project: str | None = None
    credential: Credential = WITH_KEY
    first_content: float = LONG
    deadline: float = LONG
    waited: list[Cancellable] = field(default_factory=list)

    def __post_init__(self) -> None:
        session = UpstreamSession("acme", self.up.base_url, pool_size=4, connect_seconds=LONG, environ={})
        self.provider = OpenAIProvider(
            "acme",
            self.up.base_url,
            session=session,
            user_agents=UserAgentPool(self.agents, sticky=self.sticky),
            wire=OUTBOUND,
            stream_usage=self.stream_usage,
            clock=self.clock,
            api_key_header=self.key_header,
            quota_project=lambda: self.project,
        )

    def context(self) -> AttemptContext:
        return AttemptContext(
            model="gpt-4",
            credential=self.credential,
            deadline=self.clock.monotonic() + self.deadline,
            first_content=self.first_content,
            on_wait=self.waited.append,
            on_sent=no_op,
        )

    def send(self, **fields: object) -> dict[str, object]:
        return self.provider.send(request(**fields), self.context()).response.source.body  # type: ignore[return-value]

    def open(self, **fields: object) -> OpenStream:
        return self.provider.open(request(stream=True, **fields), self.context())

    def close(self) -> None:
        self.provider.close()


@pytest.fixture
def acme(up: ScriptedUpstream) -> Iterator[Asking]:
    with closing(Asking(up)) as asking:
        yield asking


def request(**fields: object) -> ChatRequest:
    body = {"model": "alias", "messages": [{"role": "user", "content": "hi"}], **fields}
    return INBOUND.parse_request(json.dumps(body).encode())


def texts(chunks: Sequence[ChatChunk]) -> str:
    """What the chunks say."""
    bodies = [json.loads(json.dumps(chunk.source.body)) for chunk in chunks]
    return "".join(choice["delta"].get("content") or "" for body in bodies for choice in body["choices"])


def rest(stream: OpenStream) -> list[ChatChunk]:
    """The whole stream's chunks; its body is closed."""
    chunks = list(stream.first)
    while data := stream.body.read(LONG):
        chunks += stream.decoder.feed(data)
    stream.body.close()
    return chunks


def both(asking: Asking) -> tuple[Callable[[], object], Callable[[], object]]:
    return asking.send, asking.open


# What is asked -----------------------------------------------------------------------------------------------------


def test_the_request_passes_as_it_came_under_the_providers_name_for_the_model(
    up: ScriptedUpstream, acme: Asking
) -> None:
    acme.send(temperature=0.5, invented_tomorrow={"a": [1]})
    (asked,) = up.requests
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.json() == {
        "model": "gpt-4",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5,
        "invented_tomorrow": {"a": [1]},
    }


def test_the_key_goes_out_as_a_bearer_token(up: ScriptedUpstream, acme: Asking) -> None:
    acme.send()
    rest(acme.open())
    assert [asked.headers["authorization"] for asked in up.requests] == [f"Bearer {KEY}"] * 2


def test_a_header_of_the_keys_own_holds_it_as_it_is_and_there_is_no_authorization(up: ScriptedUpstream) -> None:
    with closing(Asking(up, key_header="x-API-key")) as asking:
        asking.send()
        rest(asking.open())
    assert [asked.headers["x-api-key"] for asked in up.requests] == [KEY] * 2
    assert not any("authorization" in asked.headers for asked in up.requests)


def test_without_a_key_there_is_no_authorization_at_all(up: ScriptedUpstream) -> None:
    for header in (None, "x-api-key"):
        with closing(Asking(up, credential=KEYLESS, key_header=header)) as asking:
            asking.send()
        assert not {"authorization", "x-api-key"}.intersection(up.requests[-1].headers)


def test_a_quota_project_goes_along_as_soon_as_it_is_known(up: ScriptedUpstream, acme: Asking) -> None:
    acme.send()
    acme.project = "my-project"
    acme.send()
    assert [asked.headers.get("x-goog-user-project") for asked in up.requests] == [None, "my-project"]


@pytest.mark.parametrize("key", ["sk-\u2026", "sk-a\nb", "sk-a\r\nX-Evil: 1", "sk-\u200bx", "k\x00"])
def test_a_key_that_cannot_be_sent_is_a_refused_credential_that_is_not_quoted(up: ScriptedUpstream, key: str) -> None:
    with closing(Asking(up, credential=Credential("api_key", Secret(key), "ab"))) as asking:
        for ask in both(asking):
            with pytest.raises(CredentialRefused) as caught:
                ask()
            assert key not in caught.value.message
            assert "acme" in caught.value.message
    assert up.requests == []


def test_the_user_agents_take_turns(up: ScriptedUpstream) -> None:
    with closing(Asking(up, agents=["A/1", "B/2"])) as asking:
        for _ in range(3):
            asking.send()
    assert [asked.headers["user-agent"] for asked in up.requests] == ["A/1", "B/2", "A/1"]


def test_a_sticky_pool_goes_by_the_credential(up: ScriptedUpstream) -> None:
    with closing(Asking(up, agents=["A/1", "B/2", "C/3"], sticky=True)) as asking:
        for _ in range(3):
            asking.send()
    agents = {asked.headers["user-agent"] for asked in up.requests}
    assert agents == {["A/1", "B/2", "C/3"][int(WITH_KEY.fingerprint, 16) % 3]}


def test_by_default_the_gateway_says_who_it_is(up: ScriptedUpstream, acme: Asking) -> None:
    acme.send()
    assert up.requests[0].headers["user-agent"].startswith("LLM-Gateway/")


@pytest.mark.parametrize(
    ("asks", "given", "sent"),
    [
        (True, None, {"include_usage": True}),
        (True, {"other": 1}, {"other": 1, "include_usage": True}),
        (True, {"include_usage": False}, {"include_usage": True}),
        (True, {"include_usage": True}, {"include_usage": True}),
        (False, None, None),
        (False, {"include_usage": True}, {"include_usage": True}),
    ],
)
def test_token_counts_are_asked_for_where_the_server_takes_the_option(
    up: ScriptedUpstream, asks: bool, given: Mapping[str, object] | None, sent: Mapping[str, object] | None
) -> None:
    with closing(Asking(up, stream_usage=asks)) as asking:
        rest(asking.open(**({} if given is None else {"stream_options": given})))
    assert up.requests[0].json().get("stream_options") == sent


def test_a_whole_answer_is_not_asked_for_stream_options(up: ScriptedUpstream, acme: Asking) -> None:
    acme.send()
    assert "stream_options" not in up.requests[0].json()


def test_a_request_can_be_sent_again_to_another_provider_as_it_came(up: ScriptedUpstream, acme: Asking) -> None:
    asked = request(stream=True)
    before = json.dumps(asked.source.body)
    rest(acme.provider.open(asked, acme.context()))
    assert json.dumps(asked.source.body) == before


# Whole answers -----------------------------------------------------------------------------------------------------


def test_a_whole_answer(up: ScriptedUpstream, acme: Asking) -> None:
    up.plays(json_answer("hello", model="gpt-4", usage={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}))
    answer = acme.provider.send(request(), acme.context())
    body = json.loads(json.dumps(answer.response.source.body))
    assert body["choices"][0]["message"]["content"] == "hello"
    assert answer.response.usage is not None
    assert (answer.response.usage.prompt, answer.response.usage.completion) == (3, 4)
    assert answer.dropped == ()


def test_an_answer_brings_the_providers_headers(up: ScriptedUpstream, acme: Asking) -> None:
    up.plays(Json(200, json_answer("hello").value, {"X-RateLimit-Remaining-Requests": "9"}))
    answer = acme.provider.send(request(), acme.context())
    assert answer.headers["x-ratelimit-remaining-requests"] == "9"


def test_what_is_waited_for_is_shown_and_the_connection_given_back_at_the_end(
    up: ScriptedUpstream, acme: Asking
) -> None:
    acme.send()
    acme.send()
    assert [isinstance(each, ByteStream) for each in acme.waited] == [False, True] * 2
    assert up.connections == 1


@pytest.mark.parametrize("steps", [(Stall(),), (Head(framing="close"), Body(b": x"), Stall())], ids=["head", "body"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_is_waited_for_can_be_cut(
    up: ScriptedUpstream, acme: Asking, stream: bool, steps: tuple[Step, ...]
) -> None:
    up.plays(*steps)
    shown = threading.Event()
    failures: list[ProviderFailure] = []
    acme.waited = _Telling(shown, len(steps) > 1)

    def run() -> None:
        try:
            both(acme)[stream]()
        except ProviderFailure as failure:
            failures.append(failure)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    up.wait_for_requests(1)
    assert shown.wait(LONG)
    acme.waited[-1].cancel()
    thread.join(2.0)
    assert not thread.is_alive()
    assert len(failures) == 1


class _Telling(list[Cancellable]):
    """A list that tells when what is waited for is added: the body, or the head before it."""

    def __init__(self, told: threading.Event, body: bool) -> None:
        super().__init__()
        self._told = told
        self._body = body

    def append(self, each: Cancellable) -> None:
        super().append(each)
        if isinstance(each, ByteStream) is self._body:
            self._told.set()


NO_ANSWERS: Mapping[str, tuple[Step, ...]] = {
    "empty": (Status(200),),
    "blank": (Status(200, body=b" \n"),),
    "html": (Status(200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html><body>Log in</body></html>"),),
    "null": (Json(200, None),),
    "empty-object": (Json(200, {}),),
    "no-choices": (Json(200, {"choices": []}),),
    "choices-null": (Json(200, {"choices": None}),),
    "cut-json": (Status(200, body=b'{"choices": [{"index": 0, "mess'),),
    "no-content-204": (Status(204),),
    "redirect": (Status(302, {"Location": "https://login.example/"}, b"<html>"),),
    "cut": (Body(b'{"choices"'), Cut()),
    "short": (Head(200, framing=500), Body(b'{"choices"'), Cut()),
}


@pytest.mark.parametrize("steps", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_whole_answer_is_a_broken_one(up: ScriptedUpstream, acme: Asking, steps: tuple[Step, ...]) -> None:
    up.plays(*steps)
    with pytest.raises(InvalidAnswer) as caught:
        acme.send()
    assert KEY not in caught.value.message
    assert caught.value.status == 502


def test_a_message_missing_from_a_choice_is_a_broken_answer(up: ScriptedUpstream, acme: Asking) -> None:
    up.plays(Json(200, {"choices": [{"index": 0}]}))
    with pytest.raises(InvalidAnswer):
        acme.send()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "overloaded", "code": 529}, Unavailable),
        ({"message": "too many", "code": 429}, RateLimited),
        ({"message": "x", "code": "context_length_exceeded"}, ContextTooLong),
        ({"message": "no idea"}, InvalidAnswer),
    ],
    ids=["overloaded", "limited", "context", "unknown"],
)
def test_an_error_under_a_200_is_the_failure_it_names(
    up: ScriptedUpstream, acme: Asking, error: Mapping[str, object], kind: type[ProviderFailure]
) -> None:
    for ask in both(acme):
        up.plays(Json(200, {"error": error}))
        with pytest.raises(ProviderFailure) as caught:
            ask()
        assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"message": "bad field", "param": "seed"}, RequestRejected),
        (400, {"message": "x", "code": "context_length_exceeded"}, ContextTooLong),
        (400, {"message": "x", "code": "content_policy_violation"}, ContentRefused),
        (401, {"message": "Incorrect API key provided"}, CredentialRefused),
        (403, {"message": "no access"}, CredentialRefused),
        (404, {"message": "no such model"}, TargetModelMissing),
        (422, {"message": "bad field"}, RequestRejected),
        (429, {"message": "slow down"}, RateLimited),
        (429, {"message": "x", "code": "insufficient_quota"}, QuotaExhausted),
        (500, {"message": "oops"}, Unavailable),
        (503, {"message": "later"}, Unavailable),
        (529, {"message": "overloaded"}, Unavailable),
    ],
)
def test_a_status_is_the_failure_it_stands_for_whole_or_streamed(
    up: ScriptedUpstream, acme: Asking, status: int, error: Mapping[str, object], kind: type[ProviderFailure]
) -> None:
    for ask in both(acme):
        up.plays(Json(status, {"error": error}, {"X-Request-Id": "theirs", "Retry-After": "7"}))
        with pytest.raises(ProviderFailure) as caught:
            ask()
        failure = caught.value
        assert type(failure) is kind
        whose = "acme refused its credential: " if kind is CredentialRefused else ""
        assert (failure.message, failure.status) == (f"{whose}{error['message']}", status)
        assert (failure.evidence.status, failure.evidence.request_id, failure.evidence.retry_after) == (
            status,
            "theirs",
            7,
        )
    assert up.connections == 1, "an error read to its end leaves the connection good"


@pytest.mark.parametrize(
    "steps",
    [
        (Status(503, {"Content-Type": "text/html"}, b"<html>502 Bad Gateway</html>"),),
        (Status(503),),
        (Status(503, body=b"x" * 200_000),),
        (Head(503), Body(b"half"), Cut()),
        (Head(503), Body(b"half"), Stall()),
    ],
    ids=["html", "empty", "huge", "cut", "silent"],
)
def test_a_status_says_enough_where_its_body_does_not(up: ScriptedUpstream, steps: tuple[Step, ...]) -> None:
    with closing(Asking(up, first_content=0.5)) as asking:
        up.plays(*steps)
        with pytest.raises(Unavailable) as caught:
            asking.send()
    assert caught.value.evidence.status == 503
    assert caught.value.message


def test_an_answer_over_the_limit_is_refused(
    up: ScriptedUpstream, acme: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_provider, "MAX_ANSWER", 1_000)
    up.plays(json_answer("x" * 2_000))
    with pytest.raises(InvalidAnswer, match="more than 1000 bytes"):
        acme.send()


def test_a_reset_is_a_connection_that_failed(up: ScriptedUpstream, acme: Asking) -> None:
    for ask in both(acme):
        up.plays(Reset())
        with pytest.raises(ConnectionFailed):
            ask()


# Streams -----------------------------------------------------------------------------------------------------------


def test_a_stream_is_handed_over_with_its_first_content_read(up: ScriptedUpstream, acme: Asking) -> None:
    go_on = threading.Event()
    events = sse_events("one two three")
    up.plays(Sse(events[:2]), WaitFor(go_on), Sse(events[2:]), Done())
    stream = acme.open()
    assert texts(stream.first) == "one "
    assert acme.waited[-1] is stream.body
    go_on.set()
    assert texts(rest(stream)) == "one two three"
    assert stream.decoder.done
    assert stream.decoder.complete


def test_a_stream_has_the_providers_headers(up: ScriptedUpstream, acme: Asking) -> None:
    up.plays(Head(200, {"X-RateLimit-Remaining-Tokens": "5"}), *sse_answer("hi"))
    stream = acme.open()
    assert stream.headers["x-ratelimit-remaining-tokens"] == "5"
    rest(stream)


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]},
        {"refusal": "no"},
    ],
)
def test_thinking_calling_and_refusing_are_content_too(
    up: ScriptedUpstream, acme: Asking, delta: Mapping[str, object]
) -> None:
    up.plays(Sse([ROLE, json.dumps({"choices": [{"index": 0, "delta": delta}]})]), Stall())
    stream = acme.open()
    assert [chunk.has_content for chunk in stream.first] == [False, True]
    stream.body.close()


NO_STREAMS: Mapping[str, tuple[Step, ...]] = {
    "empty": (Status(200),),
    "html": (Status(200, {"Content-Type": "text/html"}, b"<html><body>Log in</body></html>"),),
    "json-object": (Json(200, {}),),
    "list": (Json(200, []),),
    "comments": (Head(), Body(b": ping\n\n: ping\n\n")),
    "done-only": (Done(),),
    "role-only": (Sse([ROLE]),),
    "role-and-usage": (Sse([ROLE, USAGE]),),
    "usage-only": (Sse([USAGE]), Done()),
    "unreadable": (Sse(["{not json", "[1]", '"x"']), Done()),
    "cut-before-content": (Sse([ROLE]), Cut()),
    "cut-at-once": (Head(), Cut()),
    "empty-choices": (Sse(['{"choices": []}'] * 3), Done()),
}


@pytest.mark.parametrize("steps", NO_STREAMS.values(), ids=NO_STREAMS)
def test_a_stream_that_ends_before_it_says_anything_is_a_broken_answer(
    up: ScriptedUpstream, acme: Asking, steps: tuple[Step, ...]
) -> None:
    up.plays(*steps)
    with pytest.raises(InvalidAnswer) as caught:
        acme.open()
    assert KEY not in caught.value.message
    acme.send()
    assert len(up.requests) == 2


def test_a_whole_answer_where_a_stream_was_asked_for_is_one(up: ScriptedUpstream, acme: Asking) -> None:
    up.plays(json_answer("hello"))
    opened = acme.open()
    assert [delta.text for chunk in opened.first for delta in chunk.deltas] == ["hello"]
    assert opened.decoder.done and opened.decoder.mended == 1
    opened.body.close()


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"error": {"message": "overloaded", "code": 503}}, Unavailable),
        ({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, RateLimited),
        ({"error": {"message": "x", "code": "content_filter"}}, ContentRefused),
        ({"error": {"message": "x", "code": "insufficient_quota"}}, QuotaExhausted),
        ({"error": "something broke"}, InvalidAnswer),
    ],
    ids=["unavailable", "limited", "refused", "quota", "unknown"],
)
@pytest.mark.parametrize("before", [(), (ROLE,)], ids=["first", "after-the-role"])
def test_an_error_event_before_content_is_the_failure_it_names(
    up: ScriptedUpstream,
    acme: Asking,
    event: Mapping[str, object],
    kind: type[ProviderFailure],
    before: tuple[str, ...],
) -> None:
    up.plays(Sse([*before, json.dumps(event)]), Stall())
    with pytest.raises(ProviderFailure) as caught:
        acme.open()
    assert type(caught.value) is kind
    assert up.requests[0].client_gone.wait(LONG), "its connection is closed"


def test_an_error_event_after_content_belongs_to_the_stream(up: ScriptedUpstream, acme: Asking) -> None:
    up.plays(
        Head(), Body(f"data: {sse_events('one')[1]}\n\ndata: {json.dumps({'error': {'message': 'x'}})}\n\n".encode())
    )
    stream = acme.open()
    assert texts(stream.first) == "one"
    assert stream.decoder.fault is not None
    stream.body.close()


@pytest.mark.parametrize("steps", [(Stall(),), (Head(), Stall()), (Sse([ROLE]), Stall())], ids=["head", "body", "role"])
def test_no_content_in_time_is_silence(up: ScriptedUpstream, steps: tuple[Step, ...]) -> None:
    up.plays(*steps)
    with closing(Asking(up, first_content=0.1)) as asking, pytest.raises(ProviderTimeout, match="acme"):
        asking.open()
    assert up.wait_for_requests(1)[0].client_gone.wait(LONG)


def test_no_head_in_time_is_silence_for_a_whole_answer_too(up: ScriptedUpstream) -> None:
    up.plays(Stall())
    with closing(Asking(up, first_content=0.1)) as asking, pytest.raises(ProviderTimeout, match="acme"):
        asking.send()
    assert up.wait_for_requests(1)[0].client_gone.wait(LONG)


def test_the_deadline_ends_it_before_the_limit_of_the_first_content(up: ScriptedUpstream) -> None:
    with closing(Asking(up, deadline=SHORT, first_content=LONG)) as asking:
        up.plays(Stall())
        with pytest.raises(ProviderTimeout):
            asking.open()
    with closing(Asking(up, deadline=0.0)) as asking, pytest.raises(ProviderTimeout):
        asking.send()
    assert len(up.requests) == 1, "past the deadline nobody is asked"


def slow_head(clock: FakeClock, *answer: Step) -> Callable[[Request], Sequence[Step]]:
    """Answers in a way that takes 11 seconds until the head."""

    def answers(_: Request) -> Sequence[Step]:
        clock.advance(11)
        return answer

    return answers


def test_a_head_that_takes_the_whole_limit_leaves_none_for_the_first_content(up: ScriptedUpstream) -> None:
    clock = FakeClock()
    up.answers(slow_head(clock, Sse(sse_events("late")), Done()))
    with closing(Asking(up, clock=clock, first_content=10, deadline=600)) as asking, pytest.raises(ProviderTimeout):
        asking.open()


def test_a_whole_answer_that_has_begun_has_until_the_deadline(up: ScriptedUpstream) -> None:
    clock = FakeClock()
    up.answers(slow_head(clock, json_answer("late")))
    with closing(Asking(up, clock=clock, first_content=10, deadline=600)) as asking:
        assert "late" in json.dumps(asking.send())


def test_the_limit_of_the_first_content_does_not_bind_what_follows(up: ScriptedUpstream) -> None:
    clock = FakeClock()
    go_on = threading.Event()
    events = sse_events("one two")
    up.plays(Sse(events[:2]), WaitFor(go_on), Sse(events[2:]), Done())
    with closing(Asking(up, clock=clock, first_content=10)) as asking:
        stream = asking.open()
        clock.advance(100)
        go_on.set()
        assert texts(rest(stream)) == "one two"
