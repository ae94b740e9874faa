"""What a caller of the Messages API sends, and what a chat provider streams to it, for tests over a real socket."""

import json
from collections.abc import Mapping
from typing import Any

PATH = "/v1/messages"
HEADERS: Mapping[str, str] = {"anthropic-version": "2023-06-01"}
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def ask(model: str, text: str = "Hello", **fields: Any) -> dict[str, Any]:
    """A request's body."""
    return {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}


def chunk(delta: Mapping[str, object], finish: str | None = None, **more: object) -> str:
    """One event of a chat provider's stream."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return json.dumps({**head, "choices": [choice], **more})


def calls(index: int, arguments: str, name: str | None = None) -> str:
    """A piece of a tool call in a chat provider's stream; the first one has a name."""
    begun = {"id": f"call_{index}", "type": "function"} if name else {}
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return chunk({"tool_calls": [{"index": index, "function": function, **begun}]})
