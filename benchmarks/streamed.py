"""A provider's stream as prepared bytes, into which the upstream only writes the time.

Every chunk has the same length, including the time. So its framing is made once, and a chunk costs the upstream one
`bytes.replace`.
"""

import json
from typing import Final

from benchmarks.traffic import PROVIDER_HEADERS, head

NO_TIME: Final = b"@%019d@" % 0
"""The placeholder for the stamp."""
BLOCK: Final = 200
"""Chunks in one send for streams without a pace: about 50 KB."""


def stream_head() -> bytes:
    """The head, and the first chunk of every OpenAI stream: a role and no text."""
    fields = (("Content-Type", "text/event-stream; charset=utf-8"), ("Transfer-Encoding", "chunked"))
    opening = _framed(_event({"role": "assistant", "content": "", "refusal": None}))
    return head("HTTP/1.1 200 OK", (*fields, *PROVIDER_HEADERS)) + opening


def chunk() -> bytes:
    """A chunk with NO_TIME as its text."""
    return _framed(_event({"content": NO_TIME.decode()}))


def ending(*, usage: bool) -> bytes:
    """The end of a stream: the finish reason, the token counts if they are wanted, and [DONE]."""
    counts = {"prompt_tokens": 24, "completion_tokens": 9, "total_tokens": 33}
    usage_chunk = _framed(_data({**_chunk_fields(), "choices": [], "usage": counts})) if usage else b""
    return _framed(_event({}, "stop")) + usage_chunk + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _event(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _data({**_chunk_fields(), "choices": [choice]})


def _chunk_fields() -> dict[str, object]:
    return {
        "id": "chatcmpl-B1x2y3z4A5b6C7d8E9f0G1h2I3j4K",
        "object": "chat.completion.chunk",
        "created": 1763974800,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
    }


def _data(value: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def _framed(event: bytes) -> bytes:
    """An event as one chunk of a chunked body (RFC 9112, section 7.1), as providers send them."""
    return b"%x\r\n%b\r\n" % (len(event), event)
