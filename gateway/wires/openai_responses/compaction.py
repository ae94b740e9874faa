"""Compaction for providers that have none: a model summarises the conversation, and the summary is the item.

OpenAI encrypts what its own server makes of a conversation. Here it is a text in base64, which says no more than that
it is ours: it is not encrypted, and not meant to be.
Source: https://platform.openai.com/docs/api-reference/responses/compact; the trigger is Codex's (0.171, 2026-11).
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from gateway.core.strict_json import JsonObject
from gateway.wires.openai_responses.tool_table import input_items

TRIGGER: Final = "compaction_trigger"
_MARK: Final = "gw1."
INSTRUCTION: Final = (
    "Summarise the conversation so far for a colleague who takes over now and sees nothing else of it. Say what was"
    " asked for, what was done, what was decided and why, and what is still open. Keep the names of files, commands,"
    " identifiers and error messages word for word. Write the summary only, without an introduction."
)
_OPENING: Final = "Summary of the conversation so far: "


def is_asked(fields: JsonObject) -> bool:
    """Whether a request asks for a compaction: its input ends with the trigger."""
    items = input_items(fields)
    return bool(items) and items[-1].get("type") == TRIGGER


def packed(summary: str) -> str:
    """A summary as the content of a compaction item."""
    return _MARK + urlsafe_b64encode(summary.encode(errors="replace")).decode()


def unpacked(content: str) -> str | None:
    """The user's message that stands for a compaction item; None where another server has made it."""
    if not content.startswith(_MARK):
        return None
    try:
        return _OPENING + urlsafe_b64decode(content.removeprefix(_MARK)).decode()
    except (binascii.Error, ValueError):
        return None
