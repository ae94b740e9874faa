"""Faults of Gemini's API: whether an answer is whole, and whether it can be read."""

from typing import Any, Final

from tests.faults.table import (
    CUT,
    TEXT,
    TOOL,
    WITH_TOOL,
    Fault,
    Says,
    candidate,
    fails,
    gemini,
    gemini_whole,
    mended,
    sse,
)

SAID: Final = Says(TEXT, native="STOP")
BEGUN: Final = gemini(candidate({"text": CUT[:20]}, finish=None), candidate({"text": CUT[20:]}, finish=None))
END: Final = gemini(candidate())
WORDS: Final = gemini(candidate({"text": TEXT}, finish=None))
ONE: Final = {"functionCall": {"name": "f", "args": {"a": 1}}}
TWO: Final = {"functionCall": {"name": "f", "args": {"a": 2}}}
CALL: Final = (("f", '{"a":1}'),)
FUNCTIONS: Final = {"functions": [{"name": "f", "parameters": {"type": "object"}}]}
ONE_AT_A_TIME: Final = {"tools": [TOOL], "parallel_tool_calls": False}


def both(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> dict[str, bytes]:
    """The same answer whole and as the only event of a stream."""
    body = candidate(*parts, finish=finish, **more)
    return {"whole": gemini_whole(body), "stream": gemini(body)}


def broken(kind: str, shape: str, **more: Any) -> Fault:
    return fails(kind, shape, wire="gemini", **more)


def right(kind: str, shape: str, says: Says, **more: Any) -> Fault:
    return mended(kind, shape, says, wire="gemini", **more)


ROWS: Final[tuple[Fault, ...]] = (
    *(
        broken("gemini: a finish that breaks off", word, **both({"text": CUT}, finish=word))
        for word in ("OTHER", "other", "ERROR", "CANCELLED", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL")
    ),
    *(
        broken("gemini: broken off behind words", word, stream=BEGUN + gemini(candidate(finish=word)))
        for word in ("OTHER", "TIMEOUT", "MALFORMED_RESPONSE")
    ),
    *(
        right("gemini: an unknown finish", word, Says(TEXT, native=word), **both({"text": TEXT}, finish=word))
        for word in ("A_WORD_OF_TOMORROW", "zenith")
    ),
    *(
        broken("gemini: an empty answer", shape, **both(*parts))
        for shape, parts in (("no parts", ()), ("a text of no length", ({"text": ""},)))
    ),
    broken(
        "gemini: an error in the candidate",
        "beside words",
        **both({"text": CUT}, error={"code": 503, "message": "Overloaded."}),
    ),
    broken("gemini: an error in the candidate", "as a text", **both({"text": CUT}, error="It went away.")),
    broken(
        "gemini: an error in a stream",
        "a bare line",
        stream=BEGUN + b'{"error": {"code": 500, "message": "died"}}\n\n' + END,
    ),
    broken(
        "gemini: an error in a stream", "an event by name", stream=BEGUN + b"event: error\ndata: went away\n\n" + END
    ),
    broken(
        "gemini: an error in a stream",
        "a page",
        stream=BEGUN + b"<html><title>502 Bad Gateway</title></html>\n\n" + END,
    ),
    broken(
        "gemini: a call without a name", "empty", **both({"functionCall": {"name": "", "args": {}}}), asks=WITH_TOOL
    ),
    broken("gemini: a call without a name", "missing", **both({"functionCall": {"args": {"a": 1}}}), asks=WITH_TOOL),
    right(
        "gemini: one call at a time",
        "two parts",
        Says(finish="tool_calls", calls=CALL, native="STOP"),
        **both(ONE, TWO),
        asks=ONE_AT_A_TIME,
    ),
    right(
        "gemini: one call at a time",
        "two events",
        Says(finish="tool_calls", calls=CALL, native="STOP"),
        stream=gemini(candidate(ONE, finish=None), candidate(TWO)),
        asks=ONE_AT_A_TIME,
    ),
    right(
        "gemini: functions",
        "one call",
        Says(finish="function_call", calls=CALL, native="STOP", legacy=True),
        **both(ONE),
        asks=FUNCTIONS,
    ),
    right(
        "gemini: functions",
        "two calls",
        Says(finish="function_call", calls=CALL, native="STOP", legacy=True),
        **both(ONE, TWO),
        asks=FUNCTIONS,
    ),
    right(
        "gemini: JSON that is read too strictly",
        "NaN",
        SAID,
        stream=sse(
            b'{"candidates":[{"content":{"parts":[{"text":"%b"}]},"avgLogprobs":NaN,"finishReason":"STOP"}]}'
            % TEXT.encode()
        ),
        whole=b'{"candidates":[{"content":{"parts":[{"text":"%b"}]},"avgLogprobs":NaN,"finishReason":"STOP"}]}'
        % TEXT.encode(),
    ),
    right(
        "gemini: JSON that is read too strictly",
        "a pair in two events",
        Says("a \U0001f600 b", native="STOP"),
        stream=sse(b'{"candidates":[{"content":{"parts":[{"text":"a \\ud83d"}]}}]}')
        + sse(b'{"candidates":[{"content":{"parts":[{"text":"\\ude00 b"}]}}]}')
        + END,
    ),
    right(
        "gemini: JSON that is read too strictly",
        "half a pair at the end",
        Says("a \ufffd", native="STOP"),
        stream=sse(b'{"candidates":[{"content":{"parts":[{"text":"a \\ud83d"}]}}]}') + END,
    ),
    broken(
        "gemini: words that cannot be read",
        "cut",
        stream=BEGUN + sse('{"candidates":[{"content":{"parts":[{"text":"of It') + END,
    ),
    broken(
        "gemini: words that cannot be read",
        "the arguments of a call",
        stream=BEGUN + sse('{"candidates":[{"content":{"parts":[{"functionCall":{"args":{"a":') + END,
    ),
    right("gemini: a whole answer for a stream", "an object", SAID, stream=gemini_whole(candidate({"text": TEXT}))),
    right(
        "gemini: a whole answer for a stream",
        "an array",
        SAID,
        stream=gemini_whole([candidate({"text": TEXT[:9]}, finish=None), candidate({"text": TEXT[9:]})]),
    ),
    right("gemini: a stream for a whole answer", "two events", SAID, whole=WORDS + END),
    broken("gemini: a stream for a whole answer", "cut", whole=BEGUN),
)
