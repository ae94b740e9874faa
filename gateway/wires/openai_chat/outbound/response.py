"""Reads a provider's whole answer, and repairs it in place.

Source: https://platform.openai.com/docs/api-reference/chat/object.
"""

from gateway.core.answer import ChatResponse, Usage
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.request import Source
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.base import usage_of
from gateway.wires.openai_chat import ANSWER_OBJECT, WIRE
from gateway.wires.openai_chat.outbound.errors import holds_error, parse_in_stream
from gateway.wires.openai_chat.outbound.repairs import (
    FAILED,
    finish_reason,
    has_envelope,
    repair_envelope,
    repair_message,
    repair_usage,
)


def parse(body: bytes, now: int, *, tool_calls_finish: bool = False) -> ChatResponse:
    """Read a provider's whole answer.

    Args:
        body: the answer's body.
        now: seconds since the epoch, for an answer without `created`.
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
    return ChatResponse(read_usage(fields), Source(WIRE, fields))


def read_usage(fields: JsonObject) -> Usage | None:
    """The token counts of a whole answer or a chunk; None where it has none."""
    counts = fields.get("usage")
    return usage_of(counts.get("prompt_tokens"), counts.get("completion_tokens")) if isinstance(counts, dict) else None


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
