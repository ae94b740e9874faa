"""Reads a provider's whole answer, and repairs it in place.

Source: https://platform.openai.com/docs/api-reference/chat/object.
"""

from typing import Final

from gateway.core.answer import ChatResponse, Envelope, Usage
from gateway.core.deltas import joined
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.openai_chat import ANSWER_OBJECT, WIRE
from gateway.wires.openai_chat.outbound.deltas import DeltaReader
from gateway.wires.openai_chat.outbound.errors import holds_error, parse_in_stream
from gateway.wires.openai_chat.outbound.repairs import (
    FAILED,
    finish_reason,
    has_envelope,
    repair_envelope,
    repair_message,
    repair_usage,
)
from gateway.wires.untrusted_fields import an_object, count, objects, text

_COUNTS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
"""The counts that every answer has; more of them are details."""


def parse(body: bytes, now: int, asked: Rendered, *, tool_calls_finish: bool = False) -> ChatResponse:
    """Read a provider's whole answer.

    Args:
        body: the answer's body.
        now: seconds since the epoch, for an answer without `created`.
        asked: the request that it answers.
        tool_calls_finish: a choice that called a tool gets the finish reason "tool_calls" in place of "stop".

    Raises:
        InvalidAnswer: the body is no answer: not JSON, or without choices.
        ProviderFailure: the body holds an error.
    """
    try:
        fields = loads(body)
    except JsonFault as fault:
        raise InvalidAnswer(f"The provider's answer is not JSON: {fault}") from None
    choices = fields.get("choices") if isinstance(fields, dict) else None
    if not choices and holds_error(fields):
        raise parse_in_stream(fields)
    if not isinstance(fields, dict):
        raise InvalidAnswer("The provider's answer is not a JSON object.")
    if not isinstance(choices, list) or not choices:
        raise InvalidAnswer("The provider's answer has no choices.")
    for index, choice in enumerate(choices):
        _repair_choice(index, choice, tool_calls_finish=tool_calls_finish)
    if not has_envelope(fields, ANSWER_OBJECT):
        repair_envelope(fields, ANSWER_OBJECT, None, now)
    repair_usage(fields)
    usage, source = read_usage(fields), Source(WIRE, fields)
    return _neutral(usage, source, asked) if asked.neutral else ChatResponse(usage, source)


def read_usage(fields: JsonObject) -> Usage | None:
    """The token counts of a whole answer or a chunk; None where it has none."""
    counts = fields.get("usage")
    if not isinstance(counts, dict):
        return None
    prompt, completion = _count(counts, "prompt_tokens"), _count(counts, "completion_tokens")
    if len(counts) <= len(_COUNTS):
        return Usage(prompt, completion)
    of_prompt, of_completion = counts.get("prompt_tokens_details"), counts.get("completion_tokens_details")
    cached = written = reasoning = 0
    if isinstance(of_prompt, dict):
        cached = _count(of_prompt, "cached_tokens")
        written = _count(of_prompt, "cache_write_tokens")  # OpenRouter's name
    else:
        cached = _count(counts, "prompt_cache_hit_tokens")  # DeepSeek's name
    if isinstance(of_completion, dict):
        reasoning = _count(of_completion, "reasoning_tokens")
    return Usage(prompt, completion, min(cached, prompt), min(reasoning, completion), min(written, prompt))


def _count(counts: JsonObject, name: str) -> int:
    value = counts.get(name)
    return value if type(value) is int and value > 0 else 0


def _neutral(usage: Usage | None, source: Source, asked: Rendered) -> ChatResponse:
    """The answer with its neutral form."""
    body, reader = source.body, DeltaReader(asked.tools)
    choices = objects(body["choices"])
    deltas = [delta for choice in choices for delta in reader.read(choice, an_object(choice["message"]))]
    deltas += reader.end()
    envelope = Envelope(text(body.get("id")), count(body.get("created")), text(body.get("model")))
    return ChatResponse(usage, source, envelope, joined(deltas))


def _repair_choice(index: int, choice: JsonValue, *, tool_calls_finish: bool) -> None:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise InvalidAnswer("The provider's answer has a choice without a message.")
    if type(choice.get("index")) is not int:
        choice["index"] = index
    if choice.get("finish_reason") == FAILED:
        raise InvalidAnswer("The provider broke its answer off with an error.")
    repair_message(message)
    called = bool(message.get("tool_calls"))
    reason = finish_reason(choice.get("finish_reason"), called_tool=called, over_stop=tool_calls_finish)
    choice["finish_reason"] = reason or ("tool_calls" if called else "stop")
