"""Requests and answers of the Responses API, for tests that need some of them."""

import json
from typing import Any

from gateway.core.answer import ChatChunk, ChoiceDelta, Envelope, Usage
from gateway.core.deltas import has_content, plain_text
from gateway.core.request import ChatRequest, Prompt
from gateway.core.response_store import ResponseStore
from gateway.core.source import RequestContext, Source
from gateway.wires.base import Encoder, Naming
from gateway.wires.openai_responses.inbound import OpenAIResponsesCallers

NOW = 1_800_000_000
ENVELOPE = Envelope("r-1", 1_799_999_999, "gpt-x")


def a_store() -> ResponseStore:
    """An empty one, whose clock stands still."""
    return ResponseStore(lambda: 0.0)


def callers(store: ResponseStore | None = None) -> OpenAIResponsesCallers:
    """The inbound half of the wire."""
    return OpenAIResponsesCallers(store or a_store(), lambda: NOW)


def asked(kept: ResponseStore | None = None, client: str = "", **fields: Any) -> ChatRequest:
    """A request with these fields."""
    body: dict[str, Any] = {"model": "alias", "input": "Hi", **fields}
    return callers(kept).parse_request(json.dumps(body).encode(), RequestContext(client=client))


def prompt_of(**fields: Any) -> Prompt:
    """The neutral form of a request with these fields."""
    return asked(**fields).prompt()


def encoder(
    request: ChatRequest | None = None, store: ResponseStore | None = None, model: str | None = "alias"
) -> Encoder:
    """An encoder for the stream that answers a request."""
    return callers(store).encoder(request or asked(), Naming(model, usage=True))


def chunk(*deltas: ChoiceDelta, usage: Usage | None = None) -> ChatChunk:
    """A chunk of another wire's stream."""
    return ChatChunk(
        has_content=has_content(deltas),
        usage=usage,
        source=Source("invented", {}),
        plain=plain_text(deltas),
        envelope=ENVELOPE,
        deltas=deltas,
    )


def user(text: str) -> dict[str, Any]:
    """A message of the user."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def assistant(text: str, **more: object) -> dict[str, Any]:
    """A message of the assistant."""
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {"type": "message", "role": "assistant", "content": content, **more}


def call(call_id: str, name: str = "go", arguments: str = "{}", **more: object) -> dict[str, Any]:
    """A call of a function."""
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **more}


def output(call_id: str, said: object = "done", **more: object) -> dict[str, Any]:
    """The output of a function."""
    return {"type": "function_call_output", "call_id": call_id, "output": said, **more}


def function(name: str, **more: object) -> dict[str, Any]:
    """The declaration of a function."""
    return {"type": "function", "name": name, "parameters": {"type": "object", "properties": {}}, **more}


def namespace(name: str, *tools: dict[str, Any], **more: object) -> dict[str, Any]:
    """The declaration of a namespace."""
    return {"type": "namespace", "name": name, "tools": [*tools], **more}
