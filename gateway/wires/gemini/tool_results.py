"""Renders the results of tool calls for Gemini.

Source: https://ai.google.dev/gemini-api/docs/function-calling.
"""

from dataclasses import dataclass
from typing import Final

from gateway.core.request import Media, Reasoning, Refusal, StoredFile, Text, ToolCall, UnknownPart
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.dropped import Drop
from gateway.wires.gemini import media
from gateway.wires.tool_results import NO_RESULT, ToolResult

IN_RESPONSE: Final = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})
"""Media types that a functionResponse may hold, from the third generation on."""


@dataclass(frozen=True, slots=True)
class Result:
    """A call's result: the value of `functionResponse` without name and id, and parts that must follow it."""

    fields: JsonObject
    beside: tuple[JsonValue, ...] = ()


def result(found: ToolResult | None, generation: int, drop: Drop) -> Result:
    """Render the result of a call.

    Args:
        found: the result; None where the conversation has none, which Gemini needs as an error.
        generation: the model's; before the third, media follow the results, later they are inside them.
        drop: is called with the name of each dropped field.

    Raises:
        InvalidRequest: media is invalid.
        UnsupportedByTarget: a file is not stored with Google.
    """
    if found is None:
        return Result({"response": {"error": NO_RESULT}})
    texts: list[str] = []
    inside: list[JsonValue] = []
    beside: list[JsonValue] = []
    for part in found.parts:
        match part:
            case Text(text) | Refusal(text):
                texts.append(text)
            case Media():
                rendered = media.part(part, generation, drop)
                (inside if _inside(rendered, generation, drop) else beside).append(rendered)
            case StoredFile():
                beside.append(media.stored(part))
            case UnknownPart() | ToolCall():
                media.leave_out(part, drop)
            case Reasoning():
                pass  # no history has reasoning
    fields: JsonObject = {"response": {"error": _text(texts)} if found.failed else _response(texts)}
    return Result({**fields, "parts": inside} if inside else fields, tuple(beside))


def _inside(rendered: JsonObject, generation: int, drop: Drop) -> bool:
    """Whether the part may be in a functionResponse, which holds bytes of some types and no other fields."""
    blob = rendered.get("inlineData")
    if generation < 3 or not isinstance(blob, dict) or blob["mimeType"] not in IN_RESPONSE:
        return False
    if rendered.pop("mediaResolution", None):
        drop("messages.content.image_url.detail")
    return True


def _response(texts: list[str]) -> JsonObject:
    """JSON objects and arrays are decoded. All else stays text: 1.10 is as often a version as a number."""
    text = _text(texts)
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = loads(text.encode("utf-8", "surrogatepass"))
        except JsonFault:
            return {"result": text}
        return value if isinstance(value, dict) else {"result": value}
    return {"result": text}


def _text(texts: list[str]) -> str:
    return "\n".join(filter(None, texts))
