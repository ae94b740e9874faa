"""Faults of OpenAI-compatible servers: answers that can hardly be read, that are empty, or in the other form."""

import json
from typing import Final

from tests.faults.table import (
    BEGUN,
    DONE,
    ROLE,
    STOP,
    TEXT,
    WITH_TOOL,
    Fault,
    Says,
    answer,
    called,
    event,
    fails,
    fragment,
    mended,
    raw,
    raw_answer,
    sse,
    whole_calls,
)

NOTHING: Final = {"content": ""}
A: Final = '{"a":1}'
CALL: Final = Says(finish="tool_calls", calls=(("f", A),))
SAID: Final = Says(TEXT)
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

ROWS: Final[tuple[Fault, ...]] = (
    *READING,
    *EMPTY,
)
