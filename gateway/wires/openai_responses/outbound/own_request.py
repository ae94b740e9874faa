"""Sends what a caller of this wire has written. Changed are the model, and what only the gateway knows.

Reasoning and summaries that the gateway has made mean nothing to a provider, and so do the ids that it has given to
items. Where the provider itself has made the answer that a request builds on, it gets that answer's id in place of the
conversation.
Source: https://platform.openai.com/docs/api-reference/responses/create.
"""

import re
from collections.abc import Mapping
from typing import Final

from gateway.core.rendered import Adjustments, Ask, Rendered
from gateway.core.request import ChatRequest
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.adjusted_prompt import REASONING
from gateway.wires.openai_responses import OWN_REASONING, compaction, turn_state
from gateway.wires.untrusted_fields import objects, text

_OWN_ID: Final = re.compile(r"(?:msg|fc|ctc|ts)_[0-9a-f]{32}")
"""Ids of items that the gateway has made; OpenAI's are longer (2026-11)."""
_FIELDS: Final[Mapping[str, str]] = {
    "effort": "reasoning",
    "logprobs": "top_logprobs",
    "max_tokens": "max_output_tokens",
    "output": "text",
    "parallel_calls": "parallel_tool_calls",
    "verbosity": "text",
}
"""This wire's fields for neutral names that are not its own."""
_LIMIT: Final = "max_output_tokens"


def render(chat: ChatRequest, model: str, ask: Ask, provider: str) -> Rendered:
    """The body for a provider.

    Args:
        chat: stays unchanged, because the next candidate gets it too.
        model: the provider's name for the model.
        ask: how this try is made.
        provider: the provider's name.
    """
    without = ask.adjustments.without
    fields: JsonObject = {**chat.source.body, "model": model}
    items = fields.get("input")
    if isinstance(items, list):
        items = _new_items(fields, items, chat.source, provider)
        fields["input"] = [kept for item in items if (kept := _foreign(item, reasoning=REASONING not in without))]
    dropped = _adjust(fields, ask.adjustments)
    return Rendered(dumps(fields), headers=turn_state(chat.source.headers), dropped=dropped)


def _new_items(fields: JsonObject, items: list[JsonValue], source: Source, provider: str) -> list[JsonValue]:
    """The items to send; those that the provider has already are named by the answer's id, in place."""
    stored = source.stored
    if stored is None or stored.provider != provider:
        return items
    fields["previous_response_id"] = stored.id
    return items[stored.items :]


def _foreign(item: JsonValue, *, reasoning: bool) -> JsonValue:
    """An item without what the gateway has made; None where nothing is left of it."""
    if not isinstance(item, dict):
        return item
    id, kind = text(item.get("id")), item.get("type")
    if kind == "reasoning" and (not reasoning or id.startswith(OWN_REASONING)):
        return None
    if kind == "compaction" and (summary := compaction.unpacked(text(item.get("encrypted_content")))):
        return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": summary}]}
    if not _OWN_ID.fullmatch(id):
        return item
    return _easy_message(item) if kind == "message" else {name: each for name, each in item.items() if name != "id"}


def _easy_message(item: JsonObject) -> JsonObject:
    """A message of the assistant without an id: the schema takes one only with a bare text."""
    said = "".join(text(part.get("text")) or text(part.get("refusal")) for part in objects(item.get("content")))
    return {"type": "message", "role": "assistant", "content": said}


def _adjust(fields: JsonObject, adjustments: Adjustments) -> tuple[str, ...]:
    """Leave out what the target refuses, in place. Returns the names of what the caller has asked for."""
    dropped: list[str] = []
    for name in adjustments.without:
        own = _FIELDS.get(name, name)
        if name == REASONING:
            dropped.append("input.reasoning")
        elif fields.pop(own, None) is not None:
            dropped.append(own)
    asked, limit = fields.get(_LIMIT), adjustments.max_tokens
    if limit is not None and isinstance(asked, int) and asked > limit:
        fields[_LIMIT] = limit
        dropped.append(_LIMIT)
    return tuple(dropped)
