"""What Anthropic streams, for a scripted upstream that plays it: the events of an answer, as bytes."""

import json
from collections.abc import Sequence
from typing import Any

from tests.support.upstream_script import Body, Head, Step

EVENT_STREAM = Head(200, {"Content-Type": "text/event-stream", "anthropic-ratelimit-requests-remaining": "7"})
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-real",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 1, "invented": {"tomorrow": 1}},
}


def event(kind: str, **fields: Any) -> bytes:
    """An event in the bytes in which the gateway writes one too."""
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"), ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()


def begun(model: str = "claude-real") -> bytes:
    return event("message_start", message={**MESSAGE, "model": model})


def block(index: int, start: Any, *deltas: Any, stop: bool = True) -> bytes:
    pieces = b"".join(event("content_block_delta", index=index, delta=delta) for delta in deltas)
    return (
        event("content_block_start", index=index, content_block=start)
        + pieces
        + (event("content_block_stop", index=index) if stop else b"")
    )


def words(index: int, *pieces: str, stop: bool = True) -> bytes:
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return block(index, {"type": "text", "text": ""}, *deltas, stop=stop)


THOUGHT = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "Hm."},
    {"type": "signature_delta", "signature": "c2ln"},
)


def end(reason: str = "end_turn", output: int = 5) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage={"output_tokens": output}) + event("message_stop")


def plays(data: bytes, *more: Step) -> Sequence[Step]:
    return (EVENT_STREAM, Body(data), *more)
