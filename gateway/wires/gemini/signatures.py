"""Data that Google attaches to answers and needs back unchanged: signatures of thoughts, and its own ids of calls.

A client that keeps `extra_content` sends both back with the call; for other clients ReasoningMemory has them. From the
third generation on, Gemini answers 400 where the first call of a step has no signature. The call may be another
vendor's, which never had one; Google documents a placeholder for that case. A signature is sent on one part only,
because each copy counts as input.

Source: https://ai.google.dev/gemini-api/docs/thought-signatures.
"""

import re
from typing import Final

from msgspec import Struct

from gateway.core.request import Message, Text, ToolCall
from gateway.core.strict_json import JsonObject
from gateway.wires.reasoning_memory import ReasoningMemory

VENDOR: Final = "google"
SIGNATURE: Final = "thought_signature"
NATIVE_ID: Final = "function_call_id"

PLACEHOLDER: Final = "skip_thought_signature_validator"
"""Lowers the quality, according to Google, so it is used only where there is no signature."""

_PLACEHOLDERS: Final = (PLACEHOLDER, "context_engineering_is_the_way_to_go")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


class CallData(Struct, frozen=True):
    """What Gemini attached to one tool call: its signature as received, and Gemini's id for it; "" where there was
    none."""

    signature: str = ""
    native_id: str = ""

    @property
    def extra(self) -> JsonObject:
        """The data as it travels with the call; empty where there is none."""
        fields: JsonObject = {
            name: text for name, text in ((SIGNATURE, self.signature), (NATIVE_ID, self.native_id)) if text
        }
        return {VENDOR: fields} if fields else {}


def is_signature(text: str) -> bool:
    """Whether the text is base64 in either alphabet. The field holds bytes, and Google answers 400 to anything else."""
    return _BASE64.fullmatch(text) is not None and len(text.rstrip("=")) % 4 != 1


class Signatures:
    """The signatures and ids of one request, each returned once. The calls must be in the order of the conversation.

    Args:
        memory: data of calls that the client did not send back.
    """

    def __init__(self, memory: ReasoningMemory) -> None:
        self._memory = memory
        self._returned: set[tuple[str, str]] = set()

    def of_call(self, call: ToolCall) -> CallData:
        """The signature for the call's part, and Google's own id of the call; "" where there is none."""
        places = (call.extra, self._memory.find(call.id) if call.id else {})
        return CallData(
            self._once(SIGNATURE, tuple(_google_field(extra, SIGNATURE) for extra in places)),
            self._once(NATIVE_ID, tuple(_google_field(extra, NATIVE_ID) for extra in places)),
        )

    def of_text(self, message: Message) -> str:
        """The signature for the last text part of a message: the message's own, or else that of its last text."""
        texts = [part.extra for part in reversed(message.parts) if isinstance(part, Text)]
        return self._once(SIGNATURE, tuple(_google_field(extra, SIGNATURE) for extra in (message.extra, *texts)))

    def _once(self, kind: str, values: tuple[str, ...]) -> str:
        """The first value that may be sent and was not returned before; "" where there is none."""
        for value in values:
            if not value or (kind == SIGNATURE and not is_signature(value)):
                continue
            if value in _PLACEHOLDERS:
                return value
            if (kind, value) not in self._returned:
                self._returned.add((kind, value))
                return value
        return ""


def _google_field(extra: JsonObject, name: str) -> str:
    ours = extra.get(VENDOR)
    value = ours.get(name) if isinstance(ours, dict) else None
    return value if isinstance(value, str) else ""
