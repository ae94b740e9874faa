"""Renders a chat request for a provider: the caller's own where it speaks this wire, else from neutral form.

The parts of it are rendered in modules of their own.

Fields of a caller of another wire for Anthropic alone stand in `extra_body: {"anthropic": {...}}`.

Source: https://platform.claude.com/docs/en/api/messages/create (2026-11).
"""

from typing import Final
from urllib.parse import parse_qs

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.rendered import Adjustments, Ask, Rendered
from gateway.core.request import ChatRequest, Prompt
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.adjusted_prompt import REASONING, adjusted
from gateway.wires.anthropic_messages import VENDOR, WIRE
from gateway.wires.anthropic_messages.outbound import (
    cache_marks,
    conversation,
    headers,
    own_source,
    params,
    thinking,
    tools,
)
from gateway.wires.anthropic_messages.outbound.adjustments import FIELDS, learned, leave_out, without_strict
from gateway.wires.anthropic_messages.outbound.blocks import CallIds, Setting
from gateway.wires.anthropic_messages.outbound.models import Traits, traits
from gateway.wires.anthropic_messages.outbound.thinking import Thinking
from gateway.wires.dropped import Drop, Dropped
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.tool_names import ToolNames, names_in

_EXTRA: Final = f"extra_body.{VENDOR}"
_READ_ELSEWHERE: Final = frozenset({"betas", "thinking"})


def render(chat: ChatRequest, model: str, memory: ReasoningMemory, ask: Ask) -> Rendered:
    """The request for a provider.

    Args:
        chat: stays unchanged, because the next candidate gets it too.
        model: the provider's name for the model.
        memory: the reasoning of the calls in the history.
        ask: how this try is made.

    Raises:
        InvalidRequest: no provider could read the request.
        UnsupportedByTarget: Anthropic does not support a part that cannot be left out.
    """
    if chat.source.wire == WIRE:
        return _own(chat, model, ask)
    if chat.choices > 1:
        raise UnsupportedByTarget("Anthropic gives one answer at a time.", param="n")
    return _of_prompt(chat, model, memory, ask)


def _of_prompt(chat: ChatRequest, model: str, memory: ReasoningMemory, ask: Ask) -> Rendered:
    """The request of a caller of another wire."""
    drop, without = Dropped(), ask.adjustments.without
    given = chat.prompt()
    prompt = without_strict(adjusted(given, Adjustments(without - {REASONING})), ask.adjustments)
    for name in [*prompt.unmapped, *_adjusted(given, prompt, ask.adjustments)]:
        drop(name)
    names = ToolNames(tools.NAMES, names_in(prompt))
    about = learned(traits(model), ask.adjustments)
    how, limit = _thinking(chat, prompt, about, ask, drop)
    setting = Setting(about, names, memory, drop, how.is_on, CallIds(), REASONING not in without)
    body: JsonObject = {"model": model, **limit, **_fields(prompt, how, setting)}
    if chat.stream:
        body["stream"] = True
    leave_out(body, ask.adjustments, drop)
    cache_marks.keep_first(body, 0 if cache_marks.MARK in without else cache_marks.MOST)
    return Rendered(
        body=dumps(body),
        headers=headers.of_prompt(prompt),
        dropped=drop.names,
        tools=names.declared(prompt.tools),
        neutral=True,
    )


def _own(chat: ChatRequest, model: str, ask: Ask) -> Rendered:
    """The caller's own request."""
    drop = Dropped()
    body = own_source.render(chat.source.body, model, ask.adjustments, drop)
    return Rendered(
        body=dumps(body),
        headers=headers.of_source(chat.source),
        dropped=drop.names,
        query="beta=true" if parse_qs(chat.source.query).get("beta") == ["true"] else "",
    )


def _thinking(chat: ChatRequest, prompt: Prompt, about: Traits, ask: Ask, drop: Drop) -> tuple[Thinking, JsonObject]:
    """How the request thinks, and the fields that say so together with the limit of the answer."""
    how = thinking.render(prompt, about, drop, forced=tools.forced(prompt.tool_choice, prompt.tools))
    limit, changed = params.limit(prompt.params, how, about, ask.adjustments.max_tokens, stream=chat.stream)
    if changed:
        drop("max_tokens")
    if how.is_on and "thinking" not in limit:
        drop("reasoning_effort")
        return Thinking(), limit
    return how, limit


def _fields(prompt: Prompt, how: Thinking, setting: Setting) -> JsonObject:
    """The fields that hold what is said, and the parameters."""
    talk = conversation.render(prompt.messages, setting)
    system = [*talk.system, *_instruction(prompt)]
    return {
        **({"system": system} if system else {}),
        **tools.render(prompt, setting.names, setting.drop),
        "messages": talk.messages,
        **params.render(prompt, how, setting.traits, setting.drop),
        **_to_anthropic(prompt, setting.drop),
    }


def _adjusted(given: Prompt, prompt: Prompt, adjustments: Adjustments) -> list[str]:
    """The names of the parameters that the request has had and that were taken out of it."""
    return [
        FIELDS.get(name, name)
        for name in sorted(adjustments.without)
        if getattr(given.params, name, None) != getattr(prompt.params, name, None)
    ]


def _instruction(prompt: Prompt) -> list[JsonValue]:
    words = params.schema_as_words(prompt.params)
    return [{"type": "text", "text": words}] if words else []


def _to_anthropic(prompt: Prompt, drop: Drop) -> JsonObject:
    """Fields for Anthropic alone beside OpenAI's fields; `thinking` and `betas` are rendered elsewhere.

    Raises:
        InvalidRequest: `context_management` is no object.
    """
    fields = prompt.extra.get(VENDOR)
    body: JsonObject = {}
    for key, value in fields.items() if isinstance(fields, dict) else ():
        if key in _READ_ELSEWHERE or value is None:
            continue
        if key != "context_management":
            drop(f"{_EXTRA}.{key}")
        elif isinstance(value, dict):
            body[key] = value
        else:
            raise InvalidRequest(f"{_EXTRA}.{key} must be an object.", param=f"{_EXTRA}.{key}")
    return body
