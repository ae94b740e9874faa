"""What a provider of the Responses API answers, for a scripted upstream that plays it.

Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.upstream_script import Body, Cut, Head, Json, Step

USAGE = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 10,
}
Item = Mapping[str, Any]


def message(text: str, id: str = "msg_1") -> dict[str, Any]:
    """A message of the assistant."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": id, "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def reasoning(text: str, id: str = "rs_1", secret: str = "gAAA") -> dict[str, Any]:
    """Reasoning with a summary."""
    summary = [{"type": "summary_text", "text": text}]
    return {"id": id, "type": "reasoning", "summary": summary, "encrypted_content": secret}


def call(name: str, arguments: str = "{}", id: str = "fc_1", call_id: str = "call_1", **more: Any) -> dict[str, Any]:
    """A call of a function."""
    fields = {"id": id, "type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
    return {**fields, "status": "completed", **more}


def response(*items: Item, status: str = "completed", **more: Any) -> dict[str, Any]:
    """A response object."""
    return {
        "id": "resp_provider_1",
        "object": "response",
        "created_at": 1_799_999_999,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": "gpt-x-2026",
        "output": [*items],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": USAGE if status in ("completed", "incomplete") else None,
        **more,
    }


def whole(*items: Item, **more: Any) -> Json:
    """A whole answer."""
    return Json(200, response(*items, **more))


def events(*items: Item, status: str = "completed", **more: Any) -> list[dict[str, Any]]:
    """The events of a stream."""
    begun = response(status="in_progress", **more)
    found: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(items):
        found += _item_events(index, item)
    found.append({"type": f"response.{status}", "response": response(*items, status=status, **more)})
    return [{"type": event["type"], "sequence_number": number, **event} for number, event in enumerate(found)]


def encoded(*found: Mapping[str, Any]) -> bytes:
    """Events as the server writes them."""
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode() for event in found
    )


def stream(*items: Item, **more: Any) -> tuple[Step, ...]:
    """A stream, an event a send."""
    return played(events(*items, **more))


def broken(*items: Item, keep: int) -> tuple[Step, ...]:
    """A stream of which only the first `keep` events come."""
    return (*played(events(*items)[:keep]), Cut())


def played(found: list[dict[str, Any]]) -> tuple[Step, ...]:
    """These events."""
    return (Head(200, {"Content-Type": "text/event-stream"}), *(Body(encoded(event)) for event in found))


def _item_events(index: int, item: Item) -> Iterator[dict[str, Any]]:
    about = {"item_id": item["id"], "output_index": index}
    kind = item["type"]
    empty: dict[str, Any] = {}
    if kind == "message":
        empty = {"content": [], "status": "in_progress"}
    if kind == "reasoning":
        empty = {"summary": []}
    if kind == "function_call":
        empty = {"arguments": "", "status": "in_progress"}
    if kind == "custom_tool_call":
        empty = {"input": "", "status": "in_progress"}
    yield {"type": "response.output_item.added", "output_index": index, "item": {**item, **empty}}
    match kind:
        case "message":
            for at, part in enumerate(item["content"]):
                yield from _part_events({**about, "content_index": at}, part)
        case "reasoning":
            for at, part in enumerate(item["summary"]):
                place = {**about, "summary_index": at}
                yield {"type": "response.reasoning_summary_part.added", **place, "part": {**part, "text": ""}}
                yield {"type": "response.reasoning_summary_text.delta", **place, "delta": part["text"]}
                yield {"type": "response.reasoning_summary_text.done", **place, "text": part["text"]}
                yield {"type": "response.reasoning_summary_part.done", **place, "part": part}
        case "function_call":
            for piece in _pieces(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", **about, "delta": piece}
            done = {"name": item["name"], "arguments": item["arguments"]}
            yield {"type": "response.function_call_arguments.done", **about, **done}
        case "custom_tool_call":
            for piece in _pieces(item["input"]):
                yield {"type": "response.custom_tool_call_input.delta", **about, "delta": piece}
            yield {"type": "response.custom_tool_call_input.done", **about, "input": item["input"]}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _part_events(about: dict[str, Any], part: Item) -> Iterator[dict[str, Any]]:
    if part["type"] == "refusal":
        yield {"type": "response.content_part.added", **about, "part": {**part, "refusal": ""}}
        yield {"type": "response.refusal.delta", **about, "delta": part["refusal"]}
        yield {"type": "response.refusal.done", **about, "refusal": part["refusal"]}
    else:
        yield {"type": "response.content_part.added", **about, "part": {**part, "text": "", "annotations": []}}
        for piece in _pieces(part["text"]):
            yield {"type": "response.output_text.delta", **about, "delta": piece, "logprobs": []}
        for at, annotation in enumerate(part["annotations"]):
            place = {**about, "annotation_index": at, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **place}
        yield {"type": "response.output_text.done", **about, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **about, "part": part}


def _pieces(text: str) -> Iterator[str]:
    """Word by word, with the blanks."""
    start = 0
    while start < len(text):
        end = text.find(" ", start) + 1 or len(text)
        yield text[start:end]
        start = end
