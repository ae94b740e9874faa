"""Renders an answer in the exact format of the OpenAI chat API: whole, or as the chunks of a stream.

Pure: ids and times are passed in. Formats: https://platform.openai.com/docs/api-reference/chat/object and
https://platform.openai.com/docs/api-reference/chat-streaming. `reasoning_content` is not OpenAI's; compatible servers
have it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.core.errors import GatewayError
from gateway.demo.answers import Answer, Choice, ToolCall, Usage, pieces
from gateway.demo.request import MODELS

JsonObject = dict[str, object]

FRAGMENT = 12  # characters of a call's arguments in one chunk


@dataclass(frozen=True, slots=True)
class Stamp:
    """The fields that all objects of one answer share. `created` is in seconds since the epoch."""

    id: str
    created: int
    model: str

    def on(self, kind: str) -> JsonObject:
        """The first fields of an object of this kind."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def render_whole(answer: Answer, stamp: Stamp) -> JsonObject:
    """The answer in one object."""
    choices = [
        {"index": index, "message": _message(choice), "logprobs": None, "finish_reason": choice.finish}
        for index, choice in enumerate(answer.choices)
    ]
    return {**stamp.on("chat.completion"), "choices": choices, "usage": _usage(answer.usage)}


def render_chunks(answer: Answer, stamp: Stamp, *, usage: bool) -> Iterator[JsonObject]:
    """The answer as chunks, one choice after the other.

    Args:
        answer: the answer.
        stamp: the fields that all chunks share.
        usage: whether the last chunk has the token counts. All others then have `usage: null`, as OpenAI's do.
    """
    head = stamp.on("chat.completion.chunk")
    null_usage: JsonObject = {"usage": None} if usage else {}
    for index, choice in enumerate(answer.choices):
        for delta, finish in _deltas(choice):
            part = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            yield {**head, "choices": [part], **null_usage}
    if usage:
        yield {**head, "choices": [], "usage": _usage(answer.usage)}


def render_models(created: int) -> JsonObject:
    """The list of models."""
    models = [{"id": name, "object": "model", "created": created, "owned_by": "demo"} for name in MODELS]
    return {"object": "list", "data": models}


def render_error(error: GatewayError) -> JsonObject:
    """An error object. It always has all four keys."""
    fields = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    return {"error": fields}


def _message(choice: Choice) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": choice.content, "refusal": None}
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.calls:
        message["tool_calls"] = [_call(call, call.arguments) for call in choice.calls]
    return message


def _deltas(choice: Choice) -> Iterator[tuple[JsonObject, str | None]]:
    """The delta of each chunk; the last one comes with the finish reason."""
    yield {"role": "assistant", "content": None if choice.calls else "", "refusal": None}, None
    for piece in pieces(choice.reasoning):
        yield {"reasoning_content": piece}, None
    for piece in pieces(choice.content or ""):
        yield {"content": piece}, None
    for index, call in enumerate(choice.calls):
        yield {"tool_calls": [{"index": index, **_call(call, "")}]}, None
        for start in range(0, len(call.arguments), FRAGMENT):
            fragment = {"arguments": call.arguments[start : start + FRAGMENT]}
            yield {"tool_calls": [{"index": index, "function": fragment}]}, None
    yield {}, choice.finish


def _call(call: ToolCall, arguments: str) -> JsonObject:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _usage(usage: Usage) -> JsonObject:
    counts: JsonObject = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }
    if usage.reasoning:
        counts["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return counts
