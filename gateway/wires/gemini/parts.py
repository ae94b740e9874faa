"""Reads the parts of an answer's content: text, reasoning, tool calls and media.

Data that Google needs back (a signature, its own id of a call) goes two ways: to the caller as `extra`, and into the
memory for callers that do not send extras back.
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
class Content:
    """The sum of some parts."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)
    signature: str = ""

    def delta(self, index: int) -> ChoiceDelta:
        """The content as a delta of the choice `index`."""
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
        tools: the tools that the model may call, by the names that were sent.
        memory: keeps the data that calls need back.
    """

    def __init__(self, tools: Mapping[str, Tool], memory: CallMemory) -> None:
        self._tools = tools
        self._memory = memory

    def read(self, parts: JsonValue, *, line_open: bool) -> Content:
        """Read parts. `line_open`: the text before them does not end with a line end."""
        content = Content()
        for part in objects(parts):
            if isinstance(part.get("functionCall"), dict):
                self._call(part, content)
            elif part.get("thought") is True:
                # a signature here belongs to a part that is never sent back, and an image is a draft
                content.reasoning.append(text(part.get("text")))
            else:
                is_open = not content.text[-1].endswith("\n") if content.text else line_open
                _add_part(part, content, line_open=is_open)
        return content

    def _call(self, part: JsonObject, content: Content) -> None:
        function = an_object(part.get("functionCall"))
        sent = text(function.get("name"))
        if not sent:
            return
        remembered = Remembered(text(part.get("thoughtSignature")), text(function.get("id")))
        tool = self._tools.get(sent) or Tool(sent)
        call_id = f"call_{token_hex(12)}"
        if remembered != Remembered():
            self._memory.keep(call_id, remembered)
        arguments = _arguments(an_object(function.get("args")), tool)
        content.calls.append(ToolCall(call_id, tool.name, arguments, tool.kind, _extra(remembered)))


def _arguments(args: JsonObject, tool: Tool) -> str:
    given = args.get(INPUT)
    if tool.kind == "custom" and isinstance(given, str):
        return given
    return dumps(args).decode()


def _extra(remembered: Remembered) -> JsonObject:
    kept: JsonObject = {}
    if remembered.signature:
        kept[SIGNATURE] = remembered.signature
    if remembered.native_id:
        kept[NATIVE_ID] = remembered.native_id
    return {VENDOR: kept} if kept else {}


def _add_part(part: JsonObject, content: Content, *, line_open: bool) -> None:
    """Add a part that is neither a call nor reasoning. A null, as some servers send, counts as absent."""
    inline, stored = an_object(part.get("inlineData")), an_object(part.get("fileData"))
    code, output = an_object(part.get("executableCode")), an_object(part.get("codeExecutionResult"))
    if found := text(inline.get("data") if inline else stored.get("fileUri")):
        content.media.append(_media((inline or stored).get("mimeType"), found, inline=bool(inline)))
    elif words := text(code.get("code")):
        content.text.append(_fenced(words, _language(code), line_open=line_open))
    elif words := text(output.get("output")):
        content.text.append(_fenced(words, "", line_open=line_open))
    elif not (inline or stored or code or output):
        content.signature = text(part.get("thoughtSignature")) or content.signature
        if words := text(part.get("text")):
            content.text.append(words)


def _media(mime_type: JsonValue, found: str, *, inline: bool) -> Media:
    plain = text(mime_type).partition(";")[0].strip().lower()
    major = plain.partition("/")[0]
    kind: Literal["image", "audio", "file"] = "image" if major == "image" else "audio" if major == "audio" else "file"
    return Media(kind, plain, data=found if inline else "", uri="" if inline else found)


def _language(code: JsonObject) -> str:
    language = text(code.get("language")).lower()
    return language if _LANGUAGE.fullmatch(language) else ""


def _fenced(code: str, language: str, *, line_open: bool) -> str:
    """Code as a Markdown code block (CommonMark 4.5), with a fence longer than any run of backticks in the code."""
    fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(code)), default=0))
    before, after = "\n" if line_open else "", "" if code.endswith("\n") else "\n"
    return f"{before}{fence}{language}\n{code}{after}{fence}\n"
