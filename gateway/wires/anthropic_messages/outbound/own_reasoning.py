"""Reasoning that goes back to Anthropic: thinking blocks with Anthropic's own signature, whole and in their place.

A signature covers the block and what was before it. Anthropic answers 400 to a block that was changed or moved, and to
another vendor's signature, while it takes a message without its thinking. So a message goes with all of its blocks, or
without any. They come from the parts of the message, from the `extra_content` that a chat client sends back, or, for
clients that drop it, from the memory by the id of one of its calls.
Source: https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks (2026-11).
"""

from collections.abc import Iterable
from typing import Final

from gateway.core.request import Message, Reasoning, ToolCall
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.anthropic_messages import OWN_SIGNATURE, VENDOR
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.untrusted_fields import an_object, text

THINKING: Final = "thinking"
"""The name of the list of blocks in an `extra`."""
SIGNATURE: Final = "signature"
REDACTED: Final = "redacted"


def thinking_block(words: str, signature: str) -> JsonObject:
    return {"type": "thinking", "thinking": words, "signature": signature}


def redacted_block(data: str) -> JsonObject:
    return {"type": "redacted_thinking", "data": data}


def is_foreign(block: JsonValue) -> bool:
    """Whether it is a thinking block that Anthropic has not signed."""
    if not isinstance(block, dict) or block.get("type") != "thinking":
        return False
    signature = text(block.get("signature"))
    return not signature or signature.startswith(OWN_SIGNATURE)


def of_part(part: Reasoning) -> JsonObject | None:
    """The block of a reasoning part; None where it is not Anthropic's."""
    ours = an_object(part.extra.get(VENDOR))
    if data := text(ours.get(REDACTED)):
        return redacted_block(data)
    signature = text(ours.get(SIGNATURE))
    block = thinking_block(part.text, signature)
    return None if is_foreign(block) else block


def beside(message: Message, memory: ReasoningMemory) -> list[JsonObject]:
    """The blocks that begin an assistant's message whose parts have none."""
    if any(isinstance(part, Reasoning) and of_part(part) for part in message.parts):
        return []
    if blocks := _blocks(message.extra):
        return blocks
    ids = (part.id for part in message.parts if isinstance(part, ToolCall) and part.id)
    return next((blocks for id in ids if (blocks := _blocks(memory.find(id)))), [])


def as_extra(blocks: Iterable[JsonObject]) -> JsonObject:
    """The blocks as they travel with a message."""
    return {VENDOR: {THINKING: list(blocks)}}


def _blocks(extra: JsonObject) -> list[JsonObject]:
    """The blocks in an `extra`; none where one of them is no block of Anthropic's."""
    value = an_object(extra.get(VENDOR)).get(THINKING)
    found = [_block(one) for one in value] if isinstance(value, list) else []
    whole = [block for block in found if block is not None]
    return whole if len(whole) == len(found) else []


def _block(value: JsonValue) -> JsonObject | None:
    fields = an_object(value)
    if fields.get("type") == "redacted_thinking" and (data := text(fields.get("data"))):
        return redacted_block(data)
    if fields.get("type") != "thinking" or is_foreign(fields) or not isinstance(fields.get("thinking"), str):
        return None
    return thinking_block(text(fields.get("thinking")), text(fields.get("signature")))
