"""What Anthropic answers, for a scripted upstream that plays it: bodies, errors and streams as its API writes them.

Source: https://platform.claude.com/docs/en/api/messages and the pages on streaming and errors beside it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tests.support.upstream_script import Body, Head, Json, Step

COUNTS: Final[Mapping[str, Any]] = {
    "input_tokens": 4,
    "output_tokens": 5,
    "cache_read_input_tokens": 2,
    "cache_creation_input_tokens": 1,
}
SIGNATURE: Final = "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"


def text(words: str, **more: object) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def thinking(words: str, signature: str = SIGNATURE) -> dict[str, Any]:
    return {"type": "thinking", "thinking": words, "signature": signature}


def redacted(data: str = "b3BhcXVl") -> dict[str, Any]:
    return {"type": "redacted_thinking", "data": data}


def call(name: str, input: Mapping[str, object], id: str = "toolu_01A") -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": dict(input)}


def message(*blocks: Mapping[str, Any], stop: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [dict(block) for block in blocks],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": dict(COUNTS),
        **more,
    }


def events(answer: Mapping[str, Any], size: int = 4) -> list[dict[str, Any]]:
    """The events of the stream that adds up to an answer; texts come in pieces of `size` characters."""
    head = {**answer, "content": [], "stop_reason": None, "stop_sequence": None}
    head["usage"] = {**answer["usage"], "output_tokens": 1}
    found: list[dict[str, Any]] = [{"type": "message_start", "message": head}, {"type": "ping"}]
    for index, block in enumerate(answer["content"]):
        start, deltas = _opened(block, size)
        found.append({"type": "content_block_start", "index": index, "content_block": start})
        found += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        found.append({"type": "content_block_stop", "index": index})
    named = {name: answer.get(name) for name in ("stop_reason", "stop_sequence", "stop_details") if name in answer}
    found.append({"type": "message_delta", "delta": named, "usage": dict(answer["usage"])})
    return [*found, {"type": "message_stop"}]


def _opened(block: Mapping[str, Any], size: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The start of a block and its pieces."""
    match block["type"]:
        case "text":
            cited = [{"type": "citations_delta", "citation": each} for each in block.get("citations") or ()]
            words = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"], size)]
            return {"type": "text", "text": ""}, [*cited, *words]
        case "thinking":
            words = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"], size)]
            return thinking("", ""), [*words, {"type": "signature_delta", "signature": block["signature"]}]
        case "tool_use":
            written = json.dumps(block["input"], separators=(",", ":"), ensure_ascii=False) if block["input"] else ""
            pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *_pieces(written, size)]]
            return {**block, "input": {}}, pieces
        case _:
            return dict(block), []


def _pieces(words: str, size: int) -> Iterator[str]:
    return (words[at : at + size] for at in range(0, len(words), size))


def sse(sent: Sequence[Mapping[str, Any]]) -> bytes:
    """Events as bytes, each with its name."""
    return b"".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in sent)


def stream(answer: Mapping[str, Any], upto: int | None = None) -> tuple[Step, ...]:
    """The steps of a streamed answer, or of its first events."""
    return (Head(200, {"Content-Type": "text/event-stream"}), Body(sse(events(answer)[:upto])))


def error(kind: str, words: str = "Something is wrong.") -> dict[str, Any]:
    """Anthropic's error object, which is also an event."""
    return {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_01"}


def refusal(status: int, kind: str, words: str = "Something is wrong.", **headers: str) -> Json:
    """An answer that is an error."""
    return Json(status, error(kind, words), headers)
