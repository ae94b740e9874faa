"""The parts of an answer's content: what the model says, thinks, calls and makes.

What goes to the caller and comes back (a signature, Google's id of a call) leaves here by both ways: as `extra`, and
into the memory for the callers that do not keep extras.
Source: https://ai.google.dev/api/caching#Part and https://ai.google.dev/gemini-api/docs/thought-signatures.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final, Literal

from gateway.core.answer import ChoiceDelta
from gateway.core.request import Media, Tool, ToolCall
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.gemini.memory import CallMemory, Remembered
from gateway.wires.gemini.signatures import NATIVE_ID, SIGNATURE, VENDOR
from gateway.wires.gemini.tools import INPUT
from gateway.wires.untrusted_fields import an_object, objects, text

_BACKTICKS: Final = re.compile("`+")
_LANGUAGE: Final = re.compile(r"[a-z0-9+#]{1,20}")


@dataclass(slots=True)
class Heard:
    """What some parts say together."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)
    signature: str = ""

    def said(self, index: int) -> ChoiceDelta:
        """It as a piece of the choice `index`."""
        return ChoiceDelta(
            index=index,
            text="".join(self.text),
            reasoning="".join(self.reasoning),
            calls=tuple(self.calls),
            images=tuple(self.media),
            extra={VENDOR: {SIGNATURE: self.signature}} if self.signature else {},
        )


class PartReader:
    """Reads parts.

    Args:
        tools: those that may be called, by the names they were sent with.
        memory: of what the calls need back.
    """

    def __init__(self, tools: Mapping[str, Tool], memory: CallMemory) -> None:
        self._tools = tools
        self._memory = memory

    def read(self, parts: JsonValue, *, line_open: bool) -> Heard:
        """What the parts say; `line_open`: the text before them does not end with a line's end."""
        heard = Heard()
        for part in objects(parts):
            if isinstance(part.get("functionCall"), dict):
                self._call(part, heard)
            elif part.get("thought") is True:
                # a signature here belongs to a part that never goes back, and an image to a draft
                heard.reasoning.append(text(part.get("text")))
            else:
                _speak(part, heard, line_open=not heard.text[-1].endswith("\n") if heard.text else line_open)
        return heard

    def _call(self, part: JsonObject, heard: Heard) -> None:
        function = an_object(part.get("functionCall"))
        sent = text(function.get("name"))
        if not sent:
            return
        told = Remembered(text(part.get("thoughtSignature")), text(function.get("id")))
        tool = self._tools.get(sent) or Tool(sent)
        call_id = f"call_{token_hex(12)}"
        if told != Remembered():
            self._memory.keep(call_id, told)
        arguments = _arguments(an_object(function.get("args")), tool)
        heard.calls.append(ToolCall(call_id, tool.name, arguments, tool.kind, _extra(told)))


def _arguments(args: JsonObject, tool: Tool) -> str:
    given = args.get(INPUT)
    if tool.kind == "custom" and isinstance(given, str):
        return given
    return dumps(args).decode()


def _extra(told: Remembered) -> JsonObject:
    kept: JsonObject = {}
    if told.signature:
        kept[SIGNATURE] = told.signature
    if told.native_id:
        kept[NATIVE_ID] = told.native_id
    return {VENDOR: kept} if kept else {}


def _speak(part: JsonObject, heard: Heard, *, line_open: bool) -> None:
    """One part that is neither a call nor a thought; what is null in it, as some servers write, is not there."""
    inline, stored = an_object(part.get("inlineData")), an_object(part.get("fileData"))
    code, output = an_object(part.get("executableCode")), an_object(part.get("codeExecutionResult"))
    if found := text(inline.get("data") if inline else stored.get("fileUri")):
        heard.media.append(_media((inline or stored).get("mimeType"), found, inline=bool(inline)))
    elif words := text(code.get("code")):
        heard.text.append(_fenced(words, _language(code), line_open=line_open))
    elif words := text(output.get("output")):
        heard.text.append(_fenced(words, "", line_open=line_open))
    elif not (inline or stored or code or output):
        heard.signature = text(part.get("thoughtSignature")) or heard.signature
        if words := text(part.get("text")):
            heard.text.append(words)


def _media(mime_type: JsonValue, found: str, *, inline: bool) -> Media:
    plain = text(mime_type).partition(";")[0].strip().lower()
    major = plain.partition("/")[0]
    kind: Literal["image", "audio", "file"] = "image" if major == "image" else "audio" if major == "audio" else "file"
    return Media(kind, plain, data=found if inline else "", uri="" if inline else found)


def _language(code: JsonObject) -> str:
    told = text(code.get("language")).lower()
    return told if _LANGUAGE.fullmatch(told) else ""


def _fenced(code: str, language: str, *, line_open: bool) -> str:
    """Code as Markdown shows it (CommonMark 4.5): the fence is longer than any run of backticks within."""
    fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(code)), default=0))
    before, after = "\n" if line_open else "", "" if code.endswith("\n") else "\n"
    return f"{before}{fence}{language}\n{code}{after}{fence}\n"
