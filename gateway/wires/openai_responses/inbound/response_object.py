"""The response object around the items of an answer: what was asked, how it ended, and what it cost.

Clients require most of its fields, so what a request did not say has OpenAI's default, or null where that depends on
the model.
Source: https://platform.openai.com/docs/api-reference/responses/object.
"""

from collections.abc import Callable
from secrets import token_hex
from typing import Final

from msgspec import Struct

from gateway.core.answer import Envelope, Finish, Usage
from gateway.core.errors import GatewayError
from gateway.core.request import ChatRequest
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.untrusted_fields import objects

PREFIX: Final = "resp_"
REPEATED: Final = ("instructions", "tools", "text", "reasoning", "metadata", "tool_choice")
"""Fields that are mostly the same in all answers of a conversation."""
_DEFAULTS: Final[JsonObject] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
}
_ENDINGS: Final[dict[str, tuple[str, JsonObject | None]]] = {
    "length": ("incomplete", {"reason": "max_output_tokens"}),
    "content_filter": ("incomplete", {"reason": "content_filter"}),
}
_FATAL: Final = frozenset({"context_length_exceeded", "insufficient_quota", "invalid_prompt", "model_not_found"})
"""Codes after which Codex does not ask again (0.171, 2026-11)."""
_CHANGES: Final = frozenset({"status", "error", "incomplete_details", "output", "usage"})
"""The fields that change while an answer is written."""
_LIMIT: Final = "rate_limit_exceeded"


class Head(Struct, frozen=True):
    """What never changes while an answer is written. `fields`: of the response object."""

    id: str
    fields: JsonObject


def new_head(
    request: ChatRequest, envelope: Envelope | None, model: str | None, now: Callable[[], float], mark: str
) -> Head:
    """The head of an answer that the gateway writes.

    Args:
        request: what is answered.
        envelope: the provider's; None where it is not known yet.
        model: the name that the answer shows; None for the provider's own.
        now: wall seconds.
        mark: stands in its id, behind the prefix.
    """
    asked, stored = request.source.body, request.source.stored
    own = envelope.model if envelope else ""
    id = PREFIX + mark + token_hex(16)
    echoed = {name: default if asked.get(name) is None else asked[name] for name, default in _DEFAULTS.items()}
    echoed["tools"] = [_echoed(tool) for tool in objects(echoed["tools"])]
    if stored is not None:
        echoed["previous_response_id"] = stored.id
    fields: JsonObject = {
        "id": id,
        "object": "response",
        "created_at": (envelope.created if envelope else 0) or int(now()),
        "background": False,
        "model": model or own or request.model,
        **echoed,
    }
    return Head(id, fields)


def known_head(response: JsonObject) -> Head:
    """The head of an answer that a provider of this wire has begun."""
    return Head(str(response.get("id")), {name: each for name, each in response.items() if name not in _CHANGES})


def in_progress(head: Head) -> JsonObject:
    """The response before its first item."""
    return _response(head, "in_progress", [], None)


def ended(head: Head, finish: Finish | None, output: list[JsonValue], usage: Usage | None) -> JsonObject:
    """The response at its end."""
    status, details = _ENDINGS.get(finish or "stop", ("completed", None))
    return {**_response(head, status, output, usage), "incomplete_details": details}


def failed(head: Head, output: list[JsonValue], error: GatewayError, mask: Callable[[str], str]) -> JsonObject:
    """The response of a stream that broke; `output` has the items that are whole."""
    fields: JsonObject = {"code": failure_code(error), "message": mask(_advice(error))}
    return {**_response(head, "failed", output, None), "error": fields}


def failure_code(error: GatewayError) -> str:
    """The code of an error inside a stream. By it Codex ends, or asks again, which it does after every other code."""
    if error.code in _FATAL or error.code == _LIMIT:
        return error.code or ""
    return "invalid_prompt" if 400 <= error.status < 500 and error.status not in (408, 429, 499) else "server_error"


def _advice(error: GatewayError) -> str:
    """The message; of a limit, with the seconds in the words that Codex reads."""
    if error.code != _LIMIT or error.retry_after is None or "try again in" in error.message.lower():
        return error.message
    return f"{error.message} Please try again in {max(error.retry_after, 0.1):.1f}s."


def usage_object(counted: Usage) -> JsonObject:
    """Token counts. Codex drops an answer whose counts are not complete."""
    return {
        "input_tokens": counted.prompt,
        "input_tokens_details": {"cached_tokens": counted.cached, "cache_write_tokens": counted.cache_write},
        "output_tokens": counted.completion,
        "output_tokens_details": {"reasoning_tokens": counted.reasoning},
        "total_tokens": counted.prompt + counted.completion,
    }


def _echoed(tool: JsonObject) -> JsonObject:
    """A declared tool. A function has all keys that the schema requires."""
    return {"parameters": None, "strict": False, **tool} if tool.get("type") == "function" else tool


def _response(head: Head, status: str, output: list[JsonValue], usage: Usage | None) -> JsonObject:
    return {
        **head.fields,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "output": output,
        "usage": usage_object(usage) if usage else None,
    }
