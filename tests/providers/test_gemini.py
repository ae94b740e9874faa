"""Gemini on a real socket: where it is asked, how the credential is shown, and what its answers and refusals mean."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from gateway.auth.credential import Credential
from gateway.auth.tokens.expiry import fingerprint
from gateway.core.answer import ChatChunk
from gateway.core.clock import SystemClock
from gateway.core.errors import InvalidRequest
from gateway.core.no_op import no_op
from gateway.core.provider_failures import (
    ConnectionFailed,
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
from gateway.providers.base import AttemptContext, OpenStream
from gateway.providers.gemini import GeminiProvider
from gateway.upstream.session import UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.gemini import Gemini
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.gemini_answers import (
    blocked,
    call,
    error,
    event,
    quota,
    reason,
    refusal,
    retry_info,
    said,
    stream,
    text,
)
from tests.support.upstream_script import Body, Cut, Head, Json, Reset, ScriptedUpstream, Stall, Status, Step, WaitFor

KEY = "AIza-canary-0123456789"
TOKEN = "ya29.canary-0123456789"
KEYLESS = Credential("none", None, "")
WITH_KEY = Credential("api_key", Secret(KEY), fingerprint(Secret(KEY)))
WITH_TOKEN = Credential("token", Secret(TOKEN), fingerprint(Secret(TOKEN)))
LONG = 20.0  # seconds; only a hang takes so long
SHOWN = ("authorization", "x-goog-api-key", "x-goog-user-project", "api-key")
HELLO = Json(200, said(text("Hello.")))


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        upstream.answers(lambda asked: stream(said(text("Hello."))) if "alt=sse" in asked.path else (HELLO,))
        yield upstream


@dataclass
class Asking:
    """Gemini at the upstream, and how it is asked."""

    up: ScriptedUpstream
    model: str = "gemini-2.5-pro"
    credential: Credential = WITH_KEY
    key_header: str | None = None
    project: str | None = None
    first_content: float = LONG
    clock: SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        endpoint = f"{self.up.url}/v1beta"
        self.provider = GeminiProvider(
            "gemini",
            endpoint,
            session=UpstreamSession("gemini", endpoint, pool_size=4, connect_seconds=LONG, environ={}),
            user_agents=UserAgentPool(["Test/1"]),
            wire=Gemini(ReasoningMemory()),
            clock=self.clock,
            api_key_header=self.key_header,
            quota_project=lambda: self.project,
        )

    def context(self) -> AttemptContext:
        return AttemptContext(
            model=self.model,
            credential=self.credential,
            deadline=self.clock.monotonic() + LONG,
            first_content=self.first_content,
            on_wait=lambda _: None,
            on_sent=no_op,
        )

    def send(self, **fields: object) -> str:
        """What a whole answer says."""
        answer = self.provider.send(request(**fields), self.context())
        return "".join(each.text for each in answer.response.deltas)

    def open(self, **fields: object) -> OpenStream:
        return self.provider.open(request(stream=True, **fields), self.context())

    def close(self) -> None:
        self.provider.close()


@pytest.fixture
def gemini(up: ScriptedUpstream) -> Iterator[Asking]:
    with closing(Asking(up)) as asking:
        yield asking


def request(**fields: object) -> ChatRequest:
    body = {"model": "alias", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return OpenAIChatCallers().parse_request(json.dumps(body).encode())


def words(chunks: Sequence[ChatChunk]) -> str:
    return "".join(each.text for chunk in chunks for each in chunk.deltas)


def rest(opened: OpenStream) -> list[ChatChunk]:
    """All chunks of the stream, whose body is closed."""
    chunks = list(opened.first)
    with closing(opened.body):
        while data := opened.body.read(LONG):
            chunks += opened.decoder.feed(data)
    return chunks + opened.decoder.close()


def both(asking: Asking) -> tuple[Callable[[], object], Callable[[], object]]:
    return asking.send, asking.open


def shown(up: ScriptedUpstream) -> list[dict[str, str]]:
    """How each request authenticated."""
    return [{name: asked.headers[name] for name in SHOWN if name in asked.headers} for asked in up.requests]


# Where it is asked -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-pro", "models/gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "models/gemini-2.5-pro"),
        ("tunedModels/my-model-1a2b", "tunedModels/my-model-1a2b"),
        ("gemini_3..x-", "models/gemini_3..x-"),
        ("2", "models/2"),
    ],
)
def test_the_model_stands_in_the_address(up: ScriptedUpstream, model: str, path: str) -> None:
    with closing(Asking(up, model=model)) as asking:
        asking.send()
        rest(asking.open())
    assert [(asked.method, asked.path) for asked in up.requests] == [
        ("POST", f"/v1beta/{path}:generateContent"),
        ("POST", f"/v1beta/{path}:streamGenerateContent?alt=sse"),
    ]


@pytest.mark.parametrize(
    "model",
    [
        "",
        ".",
        "..",
        "../../v1/x",
        "models/..",
        "models/../../x",
        "models/",
        "models/models/x",
        "models/a/b",
        "cachedContents/x",
        "MODELS/x",
        "a/b",
        "/a",
        "a/",
        "x?key=1",
        "x#y",
        "x%2fy",
        "x%2e%2e",
        "x:countTokens",
        "x y",
        " x",
        "x\n",
        "x\r\nX-Evil: 1",
        "x\\y",
        "x;y",
        "x@y",
        "-x",
        "_x",
        "gemin\u0131",
        "\u0661",
        "x\u200b",
    ],
)
def test_what_is_no_name_of_a_model_is_refused_before_anything_is_sent(up: ScriptedUpstream, model: str) -> None:
    with closing(Asking(up, model=model)) as asking:
        for ask in both(asking):
            with pytest.raises(TargetModelMissing, match="cannot be the name of a Gemini model") as caught:
                ask()
            assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")
            assert caught.value.message.isascii()
            assert caught.value.message.isprintable()
    assert up.connections == 0


def test_the_refusal_of_a_long_name_is_short(up: ScriptedUpstream) -> None:
    with closing(Asking(up, model="?" * 10_000)) as asking, pytest.raises(TargetModelMissing) as caught:
        asking.send()
    assert len(caught.value.message) < 400


# How the credential is shown ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("credential", "header", "project", "expected"),
    [
        (WITH_KEY, None, None, {"x-goog-api-key": KEY}),
        (WITH_KEY, None, "my-project", {"x-goog-api-key": KEY}),
        (WITH_KEY, "api-key", None, {"api-key": KEY}),
        (WITH_TOKEN, None, None, {"authorization": f"Bearer {TOKEN}"}),
        (WITH_TOKEN, None, "my-project", {"authorization": f"Bearer {TOKEN}", "x-goog-user-project": "my-project"}),
        (WITH_TOKEN, "api-key", None, {"api-key": TOKEN}),
        (KEYLESS, None, "my-project", {}),
        (KEYLESS, "api-key", None, {}),
    ],
    ids=["key", "key-project", "key-header", "token", "token-project", "token-header", "none", "none-header"],
)
def test_a_key_has_its_own_header_and_a_token_is_a_bearer_token_never_both(
    up: ScriptedUpstream, credential: Credential, header: str | None, project: str | None, expected: dict[str, str]
) -> None:
    with closing(Asking(up, credential=credential, key_header=header, project=project)) as asking:
        asking.send()
        rest(asking.open())
    assert shown(up) == [expected] * 2


def test_nothing_secret_is_in_the_address(up: ScriptedUpstream, gemini: Asking) -> None:
    gemini.send()
    rest(gemini.open())
    assert not any("key" in asked.path or KEY in asked.path for asked in up.requests)


def test_a_project_is_named_as_soon_as_it_is_known(up: ScriptedUpstream) -> None:
    with closing(Asking(up, credential=WITH_TOKEN)) as asking:
        asking.send()
        asking.project = "my-project"
        asking.send()
    assert [each.get("x-goog-user-project") for each in shown(up)] == [None, "my-project"]


@pytest.mark.parametrize("secret", ["AIza\u2026", "a\nb", "a\r\nX-Evil: 1", "k\x00"])
@pytest.mark.parametrize("kind", ["api_key", "token"])
def test_a_secret_that_cannot_be_sent_is_refused_and_not_quoted(up: ScriptedUpstream, kind: str, secret: str) -> None:
    credential = Credential(kind, Secret(secret), "ab")  # type: ignore[arg-type]
    with closing(Asking(up, credential=credential)) as asking:
        for ask in both(asking):
            with pytest.raises(CredentialRefused) as caught:
                ask()
            assert secret not in caught.value.message
    assert up.connections == 0


def test_the_headers_beside_it_are_the_usual_ones(up: ScriptedUpstream, gemini: Asking) -> None:
    gemini.send()
    headers = up.requests[0].headers
    assert (headers["user-agent"], headers["content-type"]) == ("Test/1", "application/json")


# Whole answers -----------------------------------------------------------------------------------------------------


def test_a_whole_answer_with_what_was_not_told(up: ScriptedUpstream, gemini: Asking) -> None:
    up.plays(Json(200, said(text("Hello.")), {"X-RateLimit-Remaining": "9"}))
    answer = gemini.provider.send(request(logit_bias={"1": 2}), gemini.context())
    (choice,) = answer.response.deltas
    assert (choice.text, choice.finish) == ("Hello.", "stop")
    assert answer.response.usage is not None
    assert (answer.response.usage.prompt, answer.response.usage.completion) == (7, 3)
    assert answer.headers["x-ratelimit-remaining"] == "9"
    assert answer.dropped == ("logit_bias",)
    (asked,) = up.requests
    assert asked.json()["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert "model" not in asked.json()


def test_a_refused_prompt_is_an_answer(up: ScriptedUpstream, gemini: Asking) -> None:
    up.plays(Json(200, blocked()))
    answer = gemini.provider.send(request(), gemini.context())
    assert [choice.finish for choice in answer.response.deltas] == ["content_filter"]
    up.plays(*stream(blocked()))
    assert [each.finish for chunk in rest(gemini.open()) for each in chunk.deltas if each.finish] == ["content_filter"]


def test_what_the_request_cannot_mean_is_the_callers_fault_and_nobody_is_asked(
    up: ScriptedUpstream, gemini: Asking
) -> None:
    orphan = [{"role": "user", "content": "Hi"}, {"role": "tool", "tool_call_id": "nobody's", "content": "1"}]
    for ask in both(gemini):
        with pytest.raises(InvalidRequest):
            ask(messages=orphan)  # type: ignore[call-arg]
    assert up.connections == 0


@pytest.mark.parametrize(
    "steps",
    [
        (Status(200),),
        (Status(200, {"Content-Type": "text/html"}, b"<html>Log in</html>"),),
        (Json(200, None),),
        (Json(200, [])),
        (Json(200, {}),),
        (Json(200, {"candidates": "x"}),),
        (Status(200, body=b'{"candidates": [{"content'),),
        (Status(302, {"Location": "https://login.example/"}),),
        (Body(b'{"candidates"'), Cut()),
    ],
    ids=["empty", "html", "null", "list", "object", "text", "short", "redirect", "cut"],
)
def test_what_is_no_answer_is_a_broken_one(
    up: ScriptedUpstream, gemini: Asking, steps: Step | tuple[Step, ...]
) -> None:
    played = steps if isinstance(steps, tuple) else (steps,)
    for ask in both(gemini):
        up.plays(*played)
        with pytest.raises(InvalidAnswer):
            ask()


@pytest.mark.parametrize("finish", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
def test_an_answer_that_went_wrong_before_it_said_anything_is_a_failure(
    up: ScriptedUpstream, gemini: Asking, finish: str
) -> None:
    up.plays(Json(200, said(finish=finish)))
    up.plays(*stream(said(finish=finish)))
    for ask in both(gemini):
        with pytest.raises(ProviderFailure) as caught:
            ask()
        assert caught.value.next_candidate


# Refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "kind", "status"),
    [
        (refusal(400, "INVALID_ARGUMENT", "Invalid value at 'x'"), RequestRejected, 400),
        (refusal(400, "INVALID_ARGUMENT", "API key not valid.", reason("API_KEY_INVALID")), CredentialRefused, 401),
        (refusal(401, "UNAUTHENTICATED"), CredentialRefused, 401),
        (refusal(403, "PERMISSION_DENIED", "No.", reason("ACCESS_TOKEN_SCOPE_INSUFFICIENT")), CredentialRefused, 403),
        (refusal(404, "NOT_FOUND", "models/x is not found for API version v1beta"), TargetModelMissing, 404),
        (refusal(429, "RESOURCE_EXHAUSTED", "Wait.", retry_info("1.5s")), RateLimited, 429),
        (refusal(429, "RESOURCE_EXHAUSTED", "Wait.", quota("RequestsPerDayPerProject")), QuotaExhausted, 429),
        (refusal(500, "INTERNAL"), Unavailable, 500),
        (refusal(503, "UNAVAILABLE", "The model is overloaded."), Unavailable, 503),
        (refusal(504, "DEADLINE_EXCEEDED"), Unavailable, 504),
        (Status(502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>"), Unavailable, 502),
    ],
    ids=["argument", "key", "token", "scope", "model", "limit", "day", "internal", "busy", "late", "html"],
)
@pytest.mark.parametrize("listed", [False, True], ids=["object", "array"])
def test_a_refusal_is_the_failure_it_stands_for(
    up: ScriptedUpstream,
    gemini: Asking,
    steps: Json | Status,
    kind: type[ProviderFailure],
    status: int,
    listed: bool,
) -> None:
    played = Json(steps.code, [steps.value]) if listed and isinstance(steps, Json) else steps
    for ask in both(gemini):
        up.plays(played)
        with pytest.raises(ProviderFailure) as caught:
            ask()
        assert (type(caught.value), caught.value.status) == (kind, status)
        assert caught.value.evidence.status == steps.code
        assert KEY not in caught.value.message


def test_when_to_ask_again_is_in_the_details(up: ScriptedUpstream, gemini: Asking) -> None:
    for delay in ("1.5s", "3600s"):
        up.plays(refusal(429, "RESOURCE_EXHAUSTED", "Wait.", quota("RequestsPerMinutePerProject"), retry_info(delay)))
        with pytest.raises(RateLimited) as caught:
            gemini.send()
        assert caught.value.evidence.retry_after == float(delay[:-1])


def test_the_providers_request_id_is_kept(up: ScriptedUpstream, gemini: Asking) -> None:
    up.plays(Json(500, error(500, "INTERNAL"), {"X-Request-Id": "theirs"}))
    with pytest.raises(Unavailable) as caught:
        gemini.send()
    assert caught.value.evidence.request_id == "theirs"


def test_a_reset_is_a_connection_that_failed(up: ScriptedUpstream, gemini: Asking) -> None:
    for ask in both(gemini):
        up.plays(Reset())
        with pytest.raises(ConnectionFailed):
            ask()


# Streams -----------------------------------------------------------------------------------------------------------


def test_a_stream_is_handed_over_with_its_first_content_read(up: ScriptedUpstream, gemini: Asking) -> None:
    go_on = threading.Event()
    first, *others = stream(said(text("one "), finish=None), said(text("two"), finish=None), said(text(" three")))
    up.plays(first, others[0], WaitFor(go_on), *others[1:])
    opened = gemini.open()
    assert words(opened.first) == "one "
    assert not opened.decoder.complete
    go_on.set()
    chunks = rest(opened)
    assert words(chunks) == "one two three"
    assert opened.decoder.complete
    assert (opened.decoder.fault, opened.decoder.skipped) == (None, 0)
    assert [each.finish for chunk in chunks for each in chunk.deltas if each.finish] == ["stop"]
    assert [chunk.usage.completion for chunk in chunks if chunk.usage][-1] == 3


def test_a_stream_may_be_cut_into_pieces_anywhere(up: ScriptedUpstream, gemini: Asking) -> None:
    data = b"".join(each.data for each in (event(said(text("h\u00e9"), finish=None)), event(said(text("llo")))))
    places = [0, 1, 5, 6, 40, len(data) // 2 - 1, len(data) // 2, len(data) - 3, len(data) - 1, len(data)]
    up.plays(Head(), *(Body(data[start:end]) for start, end in pairwise(sorted(set(places)))))
    opened = gemini.open()
    assert words(rest(opened)) == "h\u00e9llo"


def test_a_call_of_a_tool_is_content(up: ScriptedUpstream, gemini: Asking) -> None:
    up.plays(*stream(said(call("now", {}), finish=None)), Stall())
    opened = gemini.open(tools=[{"type": "function", "function": {"name": "now"}}])
    assert any(chunk.has_content for chunk in opened.first)
    opened.body.close()


@pytest.mark.parametrize(
    "steps",
    [
        (Head(),),
        (Head(), Cut()),
        (Head(), Body(b": ping\r\n\r\n")),
        stream({}, {"usageMetadata": {"promptTokenCount": 7}}),
        (Head(), Body(b"data: {not json\r\n\r\n")),
        (*stream(said(finish=None)), Cut()),
    ],
    ids=["empty", "cut-at-once", "comments", "usage-only", "unreadable", "cut"],
)
def test_a_stream_that_says_nothing_is_a_broken_answer(
    up: ScriptedUpstream, gemini: Asking, steps: tuple[Step, ...]
) -> None:
    up.plays(*steps)
    with pytest.raises(InvalidAnswer):
        gemini.open()
    assert gemini.send() == "Hello.", "the next one is answered"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (said(text("whole")), "whole"),
        ([said(text("one"), finish=None), said(text("two"))], "onetwo"),
    ],
    ids=["object", "array"],
)
def test_a_whole_answer_where_a_stream_was_asked_for_is_one(
    up: ScriptedUpstream, gemini: Asking, body: object, words: str
) -> None:
    up.plays(Json(200, body))
    opened = gemini.open()
    assert "".join(delta.text for chunk in opened.first for delta in chunk.deltas) == words
    assert opened.decoder.done and opened.decoder.mended == 1
    opened.body.close()


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (error(503, "UNAVAILABLE", "The model is overloaded."), Unavailable),
        (error(429, "RESOURCE_EXHAUSTED", "Wait.", retry_info("2s")), RateLimited),
        ([error(400, "INVALID_ARGUMENT", "Bad field")], RequestRejected),
    ],
    ids=["busy", "limited", "array"],
)
@pytest.mark.parametrize("how", ["event", "body"])
def test_an_error_under_a_200_is_the_failure_it_names(
    up: ScriptedUpstream, gemini: Asking, told: object, kind: type[ProviderFailure], how: str
) -> None:
    up.plays(*(stream(told) if how == "event" else (Json(200, told),)))
    with pytest.raises(ProviderFailure) as caught:
        gemini.open()
    assert type(caught.value) is kind


def test_an_error_after_content_belongs_to_the_stream(up: ScriptedUpstream, gemini: Asking) -> None:
    up.plays(*stream(said(text("one"), finish=None), error(500, "INTERNAL")))
    opened = gemini.open()
    assert words(rest(opened)) == "one"
    assert opened.decoder.fault is not None
    assert not opened.decoder.complete


def test_a_stream_cut_after_content_is_not_complete(up: ScriptedUpstream, gemini: Asking) -> None:
    up.plays(*stream(said(text("one"), finish=None)), Cut())
    opened = gemini.open()
    assert words(opened.first) == "one"
    with pytest.raises(InvalidAnswer):
        rest(opened)
    assert not opened.decoder.complete


def test_no_content_in_time_is_silence(up: ScriptedUpstream) -> None:
    up.plays(*stream({}), Stall())
    with closing(Asking(up, first_content=0.1)) as asking, pytest.raises(ProviderTimeout, match="gemini"):
        asking.open()
    assert up.wait_for_requests(1)[0].client_gone.wait(LONG)


def test_a_request_can_go_to_another_provider_as_it_came(up: ScriptedUpstream, gemini: Asking) -> None:
    asked = request(stream=True, logit_bias={"1": 2}, tools=[{"type": "function", "function": {"name": "now"}}])
    before = json.dumps(asked.source.body)
    rest(gemini.provider.open(asked, gemini.context()))
    assert json.dumps(asked.source.body) == before
