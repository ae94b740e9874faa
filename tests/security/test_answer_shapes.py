"""No answer of a provider brings a fault of ours: whatever shape it has, the caller reads strict JSON, or an error.

What is made from Gemini's answers is also valid by the types of the real client.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.core.provider_failures import InvalidAnswer, ProviderFailure
from gateway.core.rendered import Rendered
from gateway.core.sse import encode
from gateway.core.strict_json import JsonValue, dumps
from gateway.wires.base import Decoder, Naming, OutboundWire
from gateway.wires.gemini import Gemini
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.security.hostile import Scene, check_error, check_reply, check_stream, scene, strict
from tests.security.substitutions import FEW, INSTEAD, gemini_events, openai_answers, substituted
from tests.support.chats import ASKED
from tests.support.running import chat
from tests.support.upstream_script import Request, Status, Step, sse_events

NOW = 1_800_000_000
CALLER = OpenAIChatCallers()
SENT = Rendered(b"{}")
GEMINI = gemini_events()
ANSWERS = openai_answers()
NAMES = (Naming("alias", True), Naming(None, False))
SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}
PIECES = (
    b'{ } [ ] , : " \\ \\u \\ud800 "choices" "delta" "error" 1 -0 1e400 NaN Infinity null data: event: error'.split()
)
jsonish = st.lists(
    st.sampled_from(
        [*PIECES, b"\n", b"\n\n", b"\r\n", b"\r", b" ", b"\x00", b"\xff", b"\xef\xbb\xbf", b"9" * 5_000, b"[DONE]"]
    )
    | st.binary(max_size=4),
    max_size=12,
).map(b"".join)


@pytest.fixture(scope="module")
def one() -> Iterator[Scene]:
    with scene() as found:
        yield found


def wire(name: str) -> OutboundWire:
    return OpenAIChatProvider() if name == "openai" else Gemini(ReasoningMemory())


def judge(target: OutboundWire, answer: JsonValue, *, ours: bool) -> None:
    """A whole answer is a failure, or a chat completion."""
    try:
        response = target.parse_response(dumps(answer), NOW, SENT)
    except ProviderFailure as failure:
        check_error(strict(CALLER.render_error(failure))["error"])
        return
    for naming in NAMES:
        written = strict(CALLER.render_response(response, ASKED, naming))
        assert written["object"] == "chat.completion" and isinstance(written["choices"], list)
        if ours:
            ChatCompletion.model_validate(written)


def judge_stream(decoder: Decoder, events: Sequence[JsonValue], *, ours: bool) -> None:
    """A stream is chunks, then an end or an error."""
    encoder = CALLER.encoder(ASKED, NAMES[0])
    out = b""
    fault: ProviderFailure | None = None
    try:
        for event in events:
            out += b"".join(map(encoder.encode, decoder.feed(encode(dumps(event)))))
        out += b"".join(map(encoder.encode, decoder.close()))
    except InvalidAnswer as broken:
        fault = broken
    fault = fault or decoder.fault
    out += encoder.error(fault) if fault else encoder.end()
    check_stream(out)
    if ours:
        *chunks, _ = out.removesuffix(b"\n\n").split(b"\n\n")
        for chunk in chunks:
            ChatCompletionChunk.model_validate(strict(chunk.removeprefix(b"data: ")))


def as_chunks(answer: Any) -> list[Any]:
    """A whole answer of OpenAI's wire as a stream: what it says, its end, its counts."""
    head = {**answer, "object": "chat.completion.chunk", "usage": None}
    said = [{**choice, "delta": choice["message"], "finish_reason": None} for choice in answer["choices"]]
    ends = [{"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]} for choice in said]
    for choice in said:
        del choice["message"]
        for index, call in enumerate(choice["delta"].get("tool_calls") or ()):
            call["index"] = index
    return [{**head, "choices": said}, {**head, "choices": ends}, {**head, "choices": [], "usage": answer.get("usage")}]


LOOKS = [pytest.param(FEW, id="few"), pytest.param(INSTEAD, id="all", marks=pytest.mark.slow)]


@pytest.mark.parametrize("instead", LOOKS)
@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_any_value_in_any_place_of_an_answer_is_an_answer_or_a_failure(number: int, instead: Sequence[Any]) -> None:
    for where, answer in substituted(ANSWERS[number], instead):
        try:
            judge(wire("openai"), answer, ours=False)
        except Exception as fault:
            raise AssertionError(where) from fault


@pytest.mark.parametrize("instead", LOOKS)
@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_any_value_in_any_place_of_a_stream_leaves_it_a_stream(number: int, instead: Sequence[Any]) -> None:
    chunks = as_chunks(ANSWERS[number])
    for place, chunk in enumerate(chunks):
        for where, other in substituted(chunk, instead):
            try:
                judge_stream(wire("openai").decoder(NOW, SENT), [*chunks[:place], other, *chunks[place:]], ours=False)
            except Exception as fault:
                raise AssertionError(f"{place}: {where}") from fault


@pytest.mark.parametrize("instead", LOOKS)
@pytest.mark.parametrize("number", range(len(GEMINI)))
def test_any_value_in_any_place_of_what_gemini_says_is_one_or_a_failure(number: int, instead: Sequence[Any]) -> None:
    for where, answer in substituted(GEMINI[number], instead):
        try:
            judge(wire("gemini"), answer, ours=True)
            judge_stream(wire("gemini").decoder(NOW, SENT), [answer, GEMINI[number], answer], ours=True)
        except Exception as fault:
            raise AssertionError(where) from fault


def played(body: bytes, *, streamed: bool) -> tuple[Step, ...]:
    return (Status(200, SSE if streamed else JSON, body),)


@given(body=jsonish, streamed=st.booleans(), model=st.sampled_from(["oa", "gm"]))
@example(body=b'{"choices": [{"message": {"content": "x"}, "logprobs": NaN}]}', streamed=False, model="oa")
@example(body=b"\xef\xbb\xbf[]", streamed=False, model="gm")
@example(body=b"data: \xff\n\n", streamed=True, model="oa")
def test_any_bytes_for_an_answer_are_strict_json_to_the_caller(
    one: Scene, body: bytes, streamed: bool, model: str
) -> None:
    for up in (one.openai, one.gemini):
        up.answers(lambda _: played(body, streamed=streamed))
    check_reply(one.gateway.post(chat(model, stream=streamed)))


@given(body=jsonish)
@example(b'data: {"choices": [{"delta": {"content": "x"}, "logprobs": 1e400}]}\n\n')
def test_any_bytes_within_a_stream_leave_it_a_stream(one: Scene, body: bytes) -> None:
    first, *rest = (f"data: {event}\n\n".encode() for event in sse_events("one two"))
    gemini = b'data: {"candidates": [{"content": {"parts": [{"text": "one"}]}}]}\n\n'
    end = b'data: {"candidates": [{"finishReason": "STOP"}]}\n\n'
    one.openai.answers(lambda _: played(b"".join([first, *rest[:2], body, b"\n\n", *rest]), streamed=True))
    one.gemini.answers(lambda _: played(gemini + body + b"\n\n" + end, streamed=True))
    for model in ("oa", "gm"):
        check_reply(one.gateway.post(chat(model, stream=True)))


@given(body=jsonish, status=st.sampled_from([400, 404, 409, 413, 418, 422, 499]))
def test_any_bytes_for_an_error_are_an_error_to_the_caller(one: Scene, body: bytes, status: int) -> None:
    def refuse(_: Request) -> tuple[Step, ...]:
        return (Status(status, JSON, body),)

    for up in (one.openai, one.gemini):
        up.answers(refuse)
    for model in ("oa", "gm"):
        reply = one.gateway.post(chat(model))
        assert reply.status_code >= 400
        check_reply(reply)


TOO_DEEP = b"[" * 200
NOT_JSON = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e400",
    b"9" * 5_000,
    b"18446744073709551616",
    b'"\\ud800"',
    TOO_DEEP,
)


@pytest.mark.parametrize("value", NOT_JSON, ids=lambda value: value[:12].decode())
def test_what_is_no_json_in_a_whole_answer_never_reaches_the_caller(one: Scene, value: bytes) -> None:
    value += b"]" * value.count(b"[")
    openai = b'{"choices": [{"message": {"content": "x"}}], "x": %b}' % value
    gemini = b'{"candidates": [{"content": {"parts": [{"text": "x"}]}}], "x": %b}' % value
    one.openai.answers(lambda _: played(openai, streamed=False))
    one.gemini.answers(lambda _: played(gemini, streamed=False))
    for model in ("oa", "gm"):
        reply = one.gateway.post(chat(model))
        assert reply.status_code == (502 if value.startswith(TOO_DEEP) else 200)
        check_reply(reply)


@pytest.mark.parametrize("value", NOT_JSON, ids=lambda value: value[:12].decode())
def test_what_is_no_json_in_a_stream_is_read_leniently_or_ends_it(one: Scene, value: bytes) -> None:
    value += b"]" * value.count(b"[")
    bad = b'data: {"choices": [{"index": 0, "delta": {"content": "odd "}, "x": %b}]}\n\n' % value
    first, *rest = (f"data: {event}\n\n".encode() for event in sse_events("one two"))
    one.openai.answers(lambda _: played(b"".join([first, rest[0], bad, *rest[1:]]), streamed=True))
    reply = one.gateway.post(chat("oa", stream=True))
    check_reply(reply)
    said = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
    heard = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in said if "choices" in chunk)
    lost = value.startswith(TOO_DEEP)
    assert heard == ("one " if lost else "one odd two")
    assert ("error" in said[-1]) == lost
