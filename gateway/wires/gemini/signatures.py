"""What Google put beside its answers and wants back unaltered: signatures of thoughts, and its own ids of calls.

A client that keeps `extra_content` gives both back with the call, for the others they are in CallMemory. From the third
generation on Gemini answers 400 where the first call of a step comes without a signature, though the call may be
another vendor's, which never had one; Google's documents name a placeholder for that case. A signature goes back on one
part only: it is counted as input wherever it stands.

Source: https://ai.google.dev/gemini-api/docs/thought-signatures.
"""

import re
from typing import Final

from gateway.core.request import Message, Text, ToolCall
from gateway.core.strict_json import JsonObject
from gateway.wires.gemini.memory import CallMemory, Remembered

VENDOR: Final = "google"
SIGNATURE: Final = "thought_signature"
NATIVE_ID: Final = "function_call_id"

PLACEHOLDER: Final = "skip_thought_signature_validator"
"""Costs quality, says Google, so it stands only where there is nothing better."""

_PLACEHOLDERS: Final = (PLACEHOLDER, "context_engineering_is_the_way_to_go")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


def is_signature(text: str) -> bool:
    """Whether it is base64 in either alphabet: the field holds bytes, and Google answers 400 to anything else."""
    return _BASE64.fullmatch(text) is not None and len(text.rstrip("=")) % 4 != 1


class Signatures:
    """The signatures and ids of one request, each given out once. To be asked in the order of the conversation.

    Args:
        memory: what is known of calls whose client gave nothing back.
    """

    def __init__(self, memory: CallMemory) -> None:
        self._memory = memory
        self._given: set[tuple[str, str]] = set()

    def of_call(self, call: ToolCall) -> Remembered:
        """The signature for its part, and Google's own id for it; "" where there is none."""
        known = self._memory.find(call.id) if call.id else Remembered()
        return Remembered(
            self._once(SIGNATURE, (_told(call.extra, SIGNATURE), known.signature)),
            self._once(NATIVE_ID, (_told(call.extra, NATIVE_ID), known.native_id)),
        )

    def of_text(self, message: Message) -> str:
        """The signature for the last part of a message's text: the message's own, or else its latest text's."""
        texts = [part.extra for part in reversed(message.parts) if isinstance(part, Text)]
        return self._once(SIGNATURE, tuple(_told(extra, SIGNATURE) for extra in (message.extra, *texts)))

    def _once(self, kind: str, told: tuple[str, ...]) -> str:
        """The first that may be sent and has not been given out."""
        for value in told:
            if not value or (kind == SIGNATURE and not is_signature(value)):
                continue
            if value in _PLACEHOLDERS:
                return value
            if (kind, value) not in self._given:
                self._given.add((kind, value))
                return value
        return ""


def _told(extra: JsonObject, name: str) -> str:
    ours = extra.get(VENDOR)
    value = ours.get(name) if isinstance(ours, dict) else None
    return value if isinstance(value, str) else ""
