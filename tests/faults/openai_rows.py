"""Faults of OpenAI-compatible servers: whether an answer is whole, and whether it can be read."""

import json
from typing import Final

from tests.faults.table import (
    BEGUN,
    CUT,
    DONE,
    HEAD,
    ROLE,
    STOP,
    TEXT,
    TOOL,
    WHOLE,
    WITH_TOOL,
    Fault,
    Says,
    answer,
    called,
    ends,
    event,
    fails,
    fragment,
    mended,
    raw,
    raw_answer,
    sse,
    whole_calls,
)

BROKEN: Final = ("network_error", "ABORT", "insufficient_system_resource", "error", "Timeout", "userCancelled", "OTHER")
NOTHING: Final = {"content": ""}
A: Final = '{"a":1}'
CALL: Final = Says(finish="tool_calls", calls=(("f", A),))
EMPTY_CALL: Final = Says(finish="tool_calls", calls=(("f", "{}"),))
SAID: Final = Says(TEXT)
HALF: Final = {"name": "f", "arguments": '{"a":'}
FUNCTIONS: Final = {"functions": [{"name": "f", "parameters": {"type": "object"}}]}
FORCED: Final = {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}
UPSTREAM: Final = {"code": 502, "message": "Upstream idle timeout"}


def in_stream(shape: str, error: bytes) -> tuple[Fault, ...]:
    """An error in the middle of a stream, and as its first event."""
    return (
        fails("an error in a stream", f"{shape}, behind words", stream=BEGUN + error + STOP),
        fails("an error in a stream", f"{shape}, at once", stream=error + STOP),
    )


FINISHES: Final = (
    *(
        fails(
            "a finish that breaks off",
            word,
            whole=answer({"content": CUT}, word),
            stream=BEGUN + event({}, word) + DONE,
        )
        for word in BROKEN
    ),
    *(
        fails("broken off before content", word, whole=answer(NOTHING, word), stream=ROLE + event({}, word) + DONE)
        for word in BROKEN[:3]
    ),
    *(
        mended(
            "a limit in other words",
            word,
            Says(TEXT, "length"),
            whole=answer({"content": TEXT}, word),
            stream=ROLE + event({"content": TEXT}, word) + DONE,
        )
        for word in ("model_context_window_exceeded", "MAX_TOKENS", "maxTokens")
    ),
    *(
        mended(
            "a filter in other words",
            word,
            Says(TEXT, "content_filter"),
            whole=answer({"content": TEXT}, word),
            stream=ROLE + event({"content": TEXT}, word) + DONE,
        )
        for word in ("sensitive", "SAFETY")
    ),
    *(
        mended(
            "an unknown finish",
            word,
            Says(TEXT, native=word),
            whole=answer({"content": TEXT}, word),
            stream=ROLE + event({"content": TEXT}, word) + DONE,
        )
        for word in ("zenith", "FINISH_REASON_ZENITH")
    ),
    *(fails("no finish", repr(word), stream=BEGUN + event({}, word)) for word in ("null", "", None)),
    *(
        mended(
            "a finish in every event",
            repr(word),
            SAID,
            stream=event({"role": "assistant", "content": TEXT}, word) + event({}, "stop") + DONE,
        )
        for word in ("null", "")
    ),
    mended("[DONE] without a finish", "behind words", SAID, stream=ROLE + event({"content": TEXT}) + DONE),
    mended("[DONE] without a finish", "as a bare line", SAID, stream=ROLE + event({"content": TEXT}) + b"[DONE]\n\n"),
    fails("[DONE] behind a skipped event", "cut JSON", stream=BEGUN + sse('{"id": "chatcmpl-x", "choi') + DONE),
    fails("[DONE] behind a skipped event", "no chunk", stream=BEGUN + sse('["?"]') + DONE),
    fails(
        "a choice with an error",
        "beside nothing",
        whole=answer(NOTHING, None, error=UPSTREAM),
        stream=ROLE + event({}, None, error=UPSTREAM) + DONE,
    ),
    fails(
        "a choice with an error",
        "beside words",
        whole=answer({"content": CUT}, "stop", error="went away"),
        stream=BEGUN + event({}, "stop", error="went away") + DONE,
    ),
    fails(
        "a choice with an error",
        "in the message",
        whole=answer({"content": CUT, "error": UPSTREAM}),
        stream=BEGUN + event({"error": UPSTREAM}, "stop") + DONE,
    ),
    *(
        fails(
            "an error beside the choices",
            str(error)[:20],
            whole=json.dumps(
                {
                    **WHOLE,
                    "error": error,
                    "choices": [
                        {"index": 0, "message": {"role": "assistant", "content": CUT}, "finish_reason": "stop"}
                    ],
                }
            ).encode(),
            stream=BEGUN
            + sse(json.dumps({**HEAD, "error": error, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
            + DONE,
        )
        for error in (UPSTREAM, "It went away.")
    ),
)

ERRORS: Final = (
    *in_stream("detail", sse('{"detail": "Engine died"}')),
    *in_stream("code and msg", sse('{"code": 50505, "msg": "Model is overloaded"}')),
    *in_stream("a bare JSON line", b'{"error": {"message": "died", "code": 500}}\n\n'),
    *in_stream("a field", b'error: {"message": "died", "code": 500}\n\n'),
    *in_stream("an event by name", b"event: error\ndata: upstream went away\n\n"),
    *in_stream("an event by name without data", b"event: error\n\n"),
    *in_stream("a page", b"<html><head><title>502 Bad Gateway</title></head></html>\n\n"),
    *in_stream("a line of text", b"upstream connect error or disconnect/reset before headers\n\n"),
    *in_stream("text as data", sse("Internal Server Error")),
)

ODD: Final = (
    ("NaN", b'"content":"%b","x":NaN', TEXT),
    ("Infinity", b'"content":"%b","x":[-Infinity,Infinity]', TEXT),
    ("nan", b'"content":"%b","x":nan', TEXT),
    ("a control character", b'"content":"%b\x01\t"', TEXT + "\x01\t"),
    ("bytes that are no UTF-8", b'"content":"%b\xff"', TEXT + "\ufffd"),
    ("a huge integer", b'"content":"%b","x":123456789012345678901234567890', TEXT),
    ("half a pair", b'"content":"%b\\ud83d"', TEXT + "\ufffd"),
    ("half a pair in the middle", b'"content":"a\\ude00%b"', "a\ufffd" + TEXT),
)

READING: Final = (
    *(
        mended(
            "JSON that is read too strictly",
            shape,
            Says(found),
            whole=raw_answer(inside % TEXT.encode()),
            stream=ROLE + raw(inside % TEXT.encode()) + STOP,
        )
        for shape, inside, found in ODD
    ),
    mended(
        "a pair in two events",
        "text",
        Says("a \U0001f600 b"),
        stream=ROLE + event({"content": "a "}) + raw(b'"content":"\\ud83d"') + raw(b'"content":"\\ude00 b"') + STOP,
    ),
    mended(
        "a pair in two events",
        "with an event between",
        Says("a \U0001f600 b"),
        stream=ROLE + raw(b'"content":"a \\ud83d"') + event({}) + raw(b'"content":"\\ude00 b"') + STOP,
    ),
    mended(
        "a pair in two events",
        "only the first comes",
        Says("a \ufffdb"),
        stream=ROLE + raw(b'"content":"a \\ud83d"') + event({"content": "b"}) + STOP,
    ),
    mended(
        "a pair in two events",
        "the first comes last",
        Says("a \ufffd"),
        stream=ROLE + raw(b'"content":"a \\ud83d"') + STOP,
    ),
    mended(
        "two lines of data",
        "two objects",
        SAID,
        stream=ROLE + event({"content": TEXT[:9]})[:-1] + event({"content": TEXT[9:]}) + STOP,
    ),
    mended(
        "two lines of data",
        "an object and the end",
        SAID,
        stream=ROLE + event({"content": TEXT}) + event({}, "stop")[:-1] + DONE,
    ),
    *(
        mended(
            "bytes behind the object",
            repr(more),
            SAID,
            whole=answer({"content": TEXT}) + more,
            stream=ROLE + event({"content": TEXT})[:-2] + more + b"\n\n" + STOP,
        )
        for more in (b"}", b",", b"<EOT>")
    ),
    *(
        fails("words that cannot be read", shape, stream=BEGUN + sse(data) + STOP)
        for shape, data in (
            ("cut", '{"choices":[{"index":0,"delta":{"content":"of It'),
            ("as Python writes it", "{'choices': [{'delta': {'content': u'of Italy'}}]}"),
            ("without a brace", '"choices":[{"index":0,"delta":{"content":"of Italy"}}]}'),
            ("arguments", '{"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"{"'),
            ("reasoning", '{"choices":[{"index":0,"delta":{"reasoning_content":"hm"'),
        )
    ),
    fails("words that cannot be read", "whole", whole=answer({"content": TEXT})[:-40]),
    mended(
        "what cannot be read and says nothing",
        "cut",
        SAID,
        stream=ROLE + event({"content": TEXT}) + sse('{"id": "chatcmpl') + STOP,
    ),
    mended(
        "what cannot be read and says nothing",
        "a word",
        SAID,
        stream=ROLE + event({"content": TEXT}) + sse("ping") + STOP,
    ),
)

EMPTY: Final = (
    *(
        fails(
            "an empty answer",
            shape,
            whole=answer(message, finish),
            stream=event({"role": "assistant", **message}) + event({}, finish) + DONE,
        )
        for shape, message, finish in (
            ("a text of no length", NOTHING, "stop"),
            ("null", {"content": None}, "stop"),
            ("no parts", {"content": []}, "stop"),
            ("no calls", {"content": "", "tool_calls": []}, "tool_calls"),
            ("eos", {"content": "", "reasoning_content": ""}, "eos_token"),
        )
    ),
    fails("an empty answer", "[DONE] alone", stream=ROLE + DONE),
    fails("an empty answer", "the end of the body", stream=ROLE + event({}, "stop")),
    mended(
        "nothing that is an answer",
        "length",
        Says("", "length"),
        whole=answer(NOTHING, "length"),
        stream=ROLE + event({}, "length") + DONE,
    ),
    mended(
        "nothing that is an answer",
        "content_filter",
        Says("", "content_filter"),
        whole=answer(NOTHING, "content_filter"),
        stream=ROLE + event({}, "content_filter") + DONE,
    ),
    mended("a whole answer for a stream", "text", SAID, stream=answer({"content": TEXT})),
    mended(
        "a whole answer for a stream",
        "on many lines",
        SAID,
        stream=json.dumps(json.loads(answer({"content": TEXT})), indent=2).encode(),
    ),
    mended(
        "a whole answer for a stream",
        "a call",
        CALL,
        stream=answer(whole_calls(("f", A)), "tool_calls"),
        asks=WITH_TOOL,
    ),
    mended("a whole answer for a stream", "as an event", SAID, stream=sse(answer({"content": TEXT})) + DONE),
    mended("a stream for a whole answer", "text", SAID, whole=ROLE + event({"content": TEXT}) + STOP),
    mended(
        "a stream for a whole answer",
        "a call",
        CALL,
        whole=called(fragment('{"a":', name="f"), fragment("1}")),
        asks=WITH_TOOL,
    ),
    fails("a stream for a whole answer", "cut", whole=BEGUN),
    fails("a stream for a whole answer", "with an error", whole=BEGUN + sse('{"error": {"message": "died"}}')),
)

CALLS: Final = (
    mended(
        "{} before the arguments",
        "with the name",
        CALL,
        stream=called(fragment("{}", name="f"), fragment('{"a":'), fragment("1}")),
        whole=answer(whole_calls(("f", "{}" + A)), "tool_calls"),
        asks=WITH_TOOL,
    ),
    mended(
        "{} before the arguments",
        "by itself",
        CALL,
        stream=called(fragment("", name="f"), fragment("{}"), fragment(A)),
        asks=WITH_TOOL,
    ),
    mended(
        "{} that nothing follows",
        "with the name",
        EMPTY_CALL,
        stream=called(fragment("{}", name="f")),
        whole=answer(whole_calls(("f", "{}")), "tool_calls"),
        asks=WITH_TOOL,
    ),
    mended(
        "{} that nothing follows",
        "no arguments at all",
        EMPTY_CALL,
        stream=called(fragment(name="f")),
        whole=answer(whole_calls(("f", "")), "tool_calls"),
        asks=WITH_TOOL,
    ),
    mended(
        "arguments sent twice",
        "at once",
        CALL,
        stream=called(fragment(A, name="f"), fragment(A)),
        whole=answer(whole_calls(("f", A + A)), "tool_calls"),
        asks=WITH_TOOL,
    ),
    mended(
        "arguments sent twice",
        "behind their pieces",
        CALL,
        stream=called(fragment("", name="f"), fragment('{"a":'), fragment("1}"), fragment(A)),
        asks=WITH_TOOL,
    ),
    mended(
        "arguments sent twice",
        "with name and id",
        CALL,
        stream=called(fragment(A, name="f"), fragment(A, name="f")),
        asks=WITH_TOOL,
    ),
    ends(
        "two different arguments",
        "in a stream",
        stream=called(fragment(A, name="f"), fragment('{"a":2}')),
        asks=WITH_TOOL,
    ),
    fails(
        "two different arguments",
        "behind each other",
        whole=answer(whole_calls(("f", A + '{"a":2}')), "tool_calls"),
        asks=WITH_TOOL,
    ),
    *(
        ends(
            "arguments that are cut",
            f"{word!r} in a stream",
            stream=called(fragment('{"a":', name="f"), finish=word),
            asks=WITH_TOOL,
        )
        for word in ("tool_calls", "stop", "zenith")
    ),
    *(
        fails("arguments that are cut", repr(word), whole=answer(whole_calls(("f", '{"a":')), word), asks=WITH_TOOL)
        for word in ("tool_calls", "stop", "zenith")
    ),
    ends(
        "arguments that are cut",
        "[DONE]",
        stream=event({"tool_calls": [fragment('{"a":', name="f")]}) + DONE,
        asks=WITH_TOOL,
    ),
    mended(
        "an empty name later",
        "text",
        CALL,
        stream=called(fragment('{"a":', name="f"), {"index": 0, "function": {"name": "", "arguments": "1}"}}),
        asks=WITH_TOOL,
    ),
    mended(
        "an empty name later",
        "null",
        CALL,
        stream=called(
            fragment('{"a":', name="f"), {"index": 0, "id": "", "function": {"name": None, "arguments": "1}"}}
        ),
        asks=WITH_TOOL,
    ),
    *(
        fails(
            "a call without a name",
            repr(name),
            stream=called({"index": 0, "id": "c", "function": {"name": name, "arguments": "{}"}}),
            whole=answer(
                {"tool_calls": [{"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}]},
                "tool_calls",
            ),
            asks=WITH_TOOL,
        )
        for name in ("", None)
    ),
    *(
        mended(
            "stop behind a call",
            word,
            CALL,
            stream=called(fragment(A, name="f"), finish=word),
            whole=answer(whole_calls(("f", A)), word),
            asks=WITH_TOOL,
        )
        for word in ("stop", "STOP")
    ),
    mended(
        "stop behind a call",
        "that was forced",
        Says(finish="stop", calls=(("f", A),)),
        stream=called(fragment(A, name="f"), finish="stop"),
        whole=answer(whole_calls(("f", A)), "stop"),
        asks=FORCED,
    ),
    mended(
        "tool_calls for functions",
        "one",
        Says(finish="function_call", calls=(("f", A),), legacy=True),
        stream=called(fragment(A, name="f")),
        whole=answer(whole_calls(("f", A)), "tool_calls"),
        asks=FUNCTIONS,
    ),
    mended(
        "tool_calls for functions",
        "two",
        Says(finish="function_call", calls=(("f", A),), legacy=True),
        stream=called(fragment(A, name="f"), fragment("{}", index=1, name="f")),
        whole=answer(whole_calls(("f", A), ("f", "{}")), "tool_calls"),
        asks=FUNCTIONS,
    ),
    mended(
        "no calls",
        "an empty list beside words",
        SAID,
        stream=event({"role": "assistant", "content": TEXT, "tool_calls": []}) + STOP,
        whole=answer({"content": TEXT, "tool_calls": []}),
    ),
    mended(
        "no calls",
        "null beside words",
        SAID,
        stream=event({"role": "assistant", "content": TEXT, "tool_calls": None}) + STOP,
        whole=answer({"content": TEXT, "tool_calls": None}),
    ),
)

ROWS: Final[tuple[Fault, ...]] = (*FINISHES, *ERRORS, *READING, *EMPTY, *CALLS)
