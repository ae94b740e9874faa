"""Renders a chat request for a provider: the source where the caller speaks this wire, else from neutral form.

Source: https://platform.openai.com/docs/api-reference/chat/create.
"""

from collections.abc import Mapping
from typing import Final

from gateway.core.rendered import Adjustments, Ask, Rendered
from gateway.core.request import ChatRequest
from gateway.core.strict_json import JsonObject, dumps
from gateway.wires.adjusted_prompt import REASONING
from gateway.wires.openai_chat import WIRE, is_legacy
from gateway.wires.openai_chat.outbound import from_prompt, history
from gateway.wires.openai_chat.outbound.dialect import Dialect

USAGE: Final = "usage"
"""The neutral name of the wish for token counts, which this wire says in `stream_options`."""
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "effort": ("reasoning_effort", "reasoning"),
    "logprobs": ("logprobs", "top_logprobs"),
    "max_tokens": ("max_tokens", "max_completion_tokens"),
    "output": ("response_format",),
    "parallel_calls": ("parallel_tool_calls",),
}
"""This wire's fields for neutral names that are not its own."""
_LIMITS: Final = _FIELDS["max_tokens"]
_NOTHING: Final = Adjustments()


def render(chat: ChatRequest, model: str, ask: Ask, dialect: Dialect) -> Rendered:
    """The body for a provider.

    Args:
        chat: stays unchanged, because the next candidate gets it too.
        model: the provider's name for the model.
        ask: how this try is made. It asks a stream for token counts even where the caller did not, because the log
            needs them. The encoder then keeps them from the caller.
        dialect: what the server takes.

    Raises:
        InvalidRequest: no provider could read the request.
        UnsupportedByTarget: this wire cannot express a part of it.
    """
    if chat.source.wire != WIRE:
        return from_prompt.render(chat, model, ask, dialect)
    fields = {**chat.source.body, "model": model}
    dropped: tuple[str, ...] = ()
    adjustments = ask.adjustments
    if dialect.history == "strict" or REASONING in adjustments.without:
        fields["messages"], dropped = history.clean(fields.get("messages"), dialect)
    else:
        fields["messages"] = history.without_empty_calls(fields.get("messages"))
    if chat.stream and ask.usage and not chat.wants_usage and USAGE not in adjustments.without:
        options = fields.get("stream_options")
        fields["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    if adjustments != _NOTHING:
        dropped = (*dropped, *_adjust(fields, adjustments))
    return Rendered(
        dumps(fields),
        dropped=dropped,
        choices=chat.choices,
        forced_tool=forces_tool(fields),
        legacy_functions=is_legacy(fields),
    )


def forces_tool(fields: JsonObject) -> bool:
    """Whether a request forces one tool by name."""
    choice = fields.get("tool_choice")
    return isinstance(choice, dict) and choice.get("type") in ("function", "custom")


def _adjust(fields: JsonObject, adjustments: Adjustments) -> list[str]:
    """Leave out what the target refuses, in place. Returns the names of what the caller has asked for."""
    dropped: list[str] = []
    for name in adjustments.without - {REASONING}:
        dropped += [own for own in _FIELDS.get(name, (name,)) if fields.pop(own, None) is not None]
    limit = adjustments.max_tokens
    for own in _LIMITS if limit is not None else ():
        asked = fields.get(own)
        if limit is not None and isinstance(asked, int) and asked > limit:
            fields[own] = limit
            dropped.append(own)
    return dropped
