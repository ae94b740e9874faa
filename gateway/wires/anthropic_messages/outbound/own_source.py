"""A caller's own request of this wire, as it goes on to a provider: the source, with the provider's name of the model.

Everything else stays as it came, also the order of the keys, because prefix caches and signatures depend on it. Two
things go: thinking blocks that no provider of this wire has signed, and what the target has refused before. The
source's values are shared with the next candidate, so all changes are made on copies.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from gateway.core.rendered import Adjustments
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.adjusted_prompt import REASONING
from gateway.wires.anthropic_messages.outbound.adjustments import (
    BUDGET,
    EFFORT,
    PREFILL,
    STRICT,
    SYSTEM_INSIDE,
    leave_out,
)
from gateway.wires.anthropic_messages.outbound.conversation import CONTINUE
from gateway.wires.anthropic_messages.outbound.own_reasoning import is_foreign
from gateway.wires.dropped import Drop
from gateway.wires.untrusted_fields import an_object, objects

_Test: TypeAlias = Callable[[JsonValue], bool]
_THINKING: Final = ("thinking", "redacted_thinking")


def render(source: JsonObject, model: str, adjustments: Adjustments, drop: Drop) -> JsonObject:
    """The body for a provider.

    Args:
        source: the caller's body; stays unchanged.
        model: the provider's name for the model.
        adjustments: what was learned of the target, with the configured limit of an answer.
        drop: is called with the name of each dropped field, as this wire has it.
    """
    body = {**source, "model": model}
    messages = source.get("messages")
    if isinstance(messages, list):
        body["messages"] = _signed(messages)
    if adjustments != Adjustments():
        _adjust(body, adjustments, drop)
    return body


def _signed(messages: list[JsonValue]) -> list[JsonValue]:
    """The messages without thinking blocks that no provider has signed; the list itself where there are none."""
    if not any(is_foreign(block) for message in messages for block in _blocks(message)):
        return messages
    return _filtered(messages, is_foreign)


def _filtered(messages: list[JsonValue], leaves: _Test) -> list[JsonValue]:
    """The messages without some blocks; a message that is left empty goes too, and the server merges its neighbours."""
    kept: list[JsonValue] = []
    for message in messages:
        blocks = _blocks(message)
        left: list[JsonValue] = [block for block in blocks if not leaves(block)]
        if isinstance(message, dict) and len(left) < len(blocks):
            if left:
                kept.append({**message, "content": left})
            continue
        kept.append(message)
    return kept


def _adjust(body: JsonObject, adjustments: Adjustments, drop: Drop) -> None:
    without = adjustments.without
    leave_out(body, adjustments, drop)
    most, asked = adjustments.max_tokens, body.get("max_tokens")
    if most is not None and isinstance(asked, int) and asked > most:
        body["max_tokens"] = most
        drop("max_tokens")
        _fit_budget(body, most, drop)
    kind = an_object(body.get("thinking")).get("type")
    if (kind == "enabled" and BUDGET in without) or (kind == "adaptive" and EFFORT in without):
        del body["thinking"]
        drop("thinking")
    if EFFORT in without:
        _without_effort(body, drop)
    if "output" in without:
        _without_output(body, "format", drop)
    if STRICT in without and any(STRICT in tool for tool in objects(body.get("tools"))):
        body["tools"] = [
            {name: value for name, value in tool.items() if name != STRICT} for tool in objects(body.get("tools"))
        ]
        drop("tools.strict")
    _adjust_messages(body, without, drop)


def _fit_budget(body: JsonObject, most: int, drop: Drop) -> None:
    """Keep the budget of thinking below the limit of the answer."""
    thinking = an_object(body.get("thinking"))
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < most:
        return
    if most > 1_024:
        body["thinking"] = {**thinking, "budget_tokens": most - 1}
    else:
        del body["thinking"]
    drop("thinking.budget_tokens")


def _without_effort(body: JsonObject, drop: Drop) -> None:
    _without_output(body, "effort", drop)
    messages = body.get("messages")
    if isinstance(messages, list) and any("output_config" in an_object(one) for one in messages):
        body["messages"] = [
            {name: value for name, value in one.items() if name != "output_config"} if isinstance(one, dict) else one
            for one in messages
        ]


def _without_output(body: JsonObject, name: str, drop: Drop) -> None:
    config = body.get("output_config")
    if not isinstance(config, dict) or config.get(name) is None:
        return
    drop(f"output_config.{name}")
    if left := {key: value for key, value in config.items() if key != name}:
        body["output_config"] = left
    else:
        del body["output_config"]


def _adjust_messages(body: JsonObject, without: frozenset[str], drop: Drop) -> None:
    messages = body.get("messages")
    if not isinstance(messages, list):
        return
    if REASONING in without and any(_is_thinking(block) for message in messages for block in _blocks(message)):
        messages = body["messages"] = _filtered(messages, _is_thinking)
        drop("messages.content.thinking")
    if SYSTEM_INSIDE in without and any(_is_system(message) for message in messages):
        inside = [block for message in messages if _is_system(message) for block in _texts(message)]
        body["system"] = [*_texts({"content": body.get("system")}), *inside]
        messages = body["messages"] = [message for message in messages if not _is_system(message)]
    if PREFILL in without and messages and an_object(messages[-1]).get("role") == "assistant":
        body["messages"] = [*messages, {"role": "user", "content": CONTINUE}]
        drop("prefill")


def _is_thinking(block: JsonValue) -> bool:
    return an_object(block).get("type") in _THINKING


def _is_system(message: JsonValue) -> bool:
    return an_object(message).get("role") == "system"


def _texts(message: JsonValue) -> list[JsonValue]:
    """The content as blocks."""
    content = an_object(message).get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    return list(objects(content))


def _blocks(message: JsonValue) -> list[JsonValue]:
    content = an_object(message).get("content")
    return content if isinstance(content, list) else []
