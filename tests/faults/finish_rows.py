"""Faults of OpenAI-compatible servers: words that end an answer, and errors in a stream."""

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
    WHOLE,
    Fault,
    Says,
    answer,
    event,
    fails,
    mended,
    sse,
)

BROKEN: Final = ("network_error", "ABORT", "insufficient_system_resource", "error", "Timeout", "userCancelled", "OTHER")
NOTHING: Final = {"content": ""}
SAID: Final = Says(TEXT)
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

ROWS: Final[tuple[Fault, ...]] = (
    *FINISHES,
    *ERRORS,
)
