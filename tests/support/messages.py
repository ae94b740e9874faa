"""Callers of the Messages API over a real socket: what they send, what they must get, and a chat provider's stream."""

import json
from collections.abc import Mapping
from typing import Any

import requests

from tests.support.running import Running, alias, provider
from tests.support.upstream_script import ScriptedUpstream
from tests.validators import anthropic_answers as validate

PATH = "/v1/messages"
KEYS = {"openai": "sk-canary-0123456789", "gemini": "AIza-canary-0123456789"}
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


def config(up: ScriptedUpstream, google: ScriptedUpstream, **settings: object) -> dict[str, object]:
    """The aliases `best` and `claude-*` are a chat server, `gem` is Gemini, and `both` one after the other."""
    gemini = {"type": "gemini", "apiKey": KEYS["gemini"], "apiEndpoint": f"{google.url}/v1beta"}
    aliases = [
        alias("best", "openai/gpt-4o"),
        alias("gem", "gemini/gemini-3-pro-preview"),
        alias("both", "openai/gpt-4o", "gemini/gemini-3-pro-preview"),
        alias("claude-*", "openai/gpt-4o"),
    ]
    return {
        "providers": {"openai": provider(up.base_url, apiKey=KEYS["openai"]), "gemini": gemini},
        "modelAliases": aliases,
        **settings,
    }


def post(gateway: Running, body: object, path: str = PATH, **headers: str) -> requests.Response:
    """A request as Anthropic's clients send it."""
    return gateway.post(body, path=path, headers={**HEADERS, **headers})


def sound(reply: requests.Response) -> Any:
    """The message of a reply, whole or streamed, which is as clients expect it."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["request-id"] == reply.headers["x-request-id"]
    if reply.headers["content-type"] == "text/event-stream; charset=utf-8":
        assert validate.of_stream(reply.content) == []
        return validate.message_of(reply.content)
    message = reply.json()
    assert validate.of_message(message) == []
    return message


def refused(reply: requests.Response, status: int, kind: str) -> str:
    """The message of an error, which is as clients expect it."""
    body = reply.json()
    assert (reply.status_code, body["error"]["type"]) == (status, kind)
    assert validate.of_error(body, status) == []
    assert reply.headers["request-id"] == reply.headers["x-request-id"]
    return str(body["error"]["message"])
