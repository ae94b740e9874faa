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

from msgspec.structs import replace

from gateway.core.answer import ChoiceDelta, TokenLogprob, ToolCallDelta
from gateway.core.request import Media, Tool
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.custom_tools import INPUT
from gateway.wires.gemini.signatures import SIGNATURE, VENDOR, CallData
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.untrusted_fields import an_object, objects, text

_BACKTICKS: Final = re.compile("`+")
_LANGUAGE: Final = re.compile(r"[a-z0-9+#]{1,20}")


@dataclass(slots=True)
class _Segment:
    """What was said in the order of a delta: reasoning, text, calls, media."""

    reasoning: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    calls: list[ToolCallDelta] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)


class Content:
    """The sum of some parts.

    Attributes:
        text: its texts.
        signature: that of its last text; "" where there is none.
        calls: how many calls the choice has made, with those before.
        nameless: a call has no name.
        left_out: how many calls were left out.

    Args:
        calls: how many calls the choice has made before.
    """

    def __init__(self, calls: int) -> None:
        self.text: list[str] = []
        self.signature = ""
        self.calls = calls
        self.nameless = False
        self.left_out = 0
        self._segments = [_Segment()]

    def add_reasoning(self, words: str) -> None:
        last = self._segments[-1]
        if last.text or last.calls or last.media:
            self._segments.append(last := _Segment())
        last.reasoning.append(words)

    def add_text(self, words: str) -> None:
        last = self._segments[-1]
        if last.calls or last.media:
            self._segments.append(last := _Segment())
        last.text.append(words)
        self.text.append(words)

    def add_call(self, id: str, tool: Tool, arguments: str, extra: JsonObject) -> None:
        """Add a call, which always comes whole."""
        last = self._segments[-1]
        if last.media:
            self._segments.append(last := _Segment())
        last.calls.append(ToolCallDelta(self.calls, id, tool.name, arguments, kind=tool.kind, ended=True, extra=extra))
        self.calls += 1

    def add_media(self, media: Media) -> None:
        self._segments[-1].media.append(media)

    def deltas(self, index: int, logprobs: tuple[TokenLogprob, ...]) -> tuple[ChoiceDelta, ...]:
        """The content as deltas of the choice `index`, at least one."""
        *before, last = [
            ChoiceDelta(
                index=index,
                text="".join(one.text),
                reasoning="".join(one.reasoning),
                calls=tuple(one.calls),
                images=tuple(one.media),
            )
            for one in self._segments
        ]
        if logprobs or self.signature:
            extra: JsonObject = {VENDOR: {SIGNATURE: self.signature}} if self.signature else {}
            last = replace(last, logprobs=logprobs, extra=extra)
        return (*before, last)


class PartReader:
    """Reads parts.

    Args:
        tools: the tools that the model may call, by the names that were sent.
        memory: keeps the data that calls need back.
        most_calls: how many calls a choice may have; further ones are left out. The model makes them again once it has
            the results. None for any number.
    """

    def __init__(self, tools: Mapping[str, Tool], memory: ReasoningMemory, most_calls: int | None = None) -> None:
        self._tools = tools
        self._memory = memory
        self._most_calls = most_calls

    def read(self, parts: JsonValue, *, line_open: bool, calls: int) -> Content:
        """Read parts.

        Args:
            parts: of one candidate of one event.
            line_open: the text before them does not end with a line end.
            calls: how many calls the candidate has made before.
        """
        content = Content(calls)
        for part in objects(parts):
            if isinstance(part.get("functionCall"), dict):
                self._call(part, content)
            elif part.get("thought") is True:
                # a signature here belongs to a part that is never sent back, and an image is a draft
                if thought := text(part.get("text")):
                    content.add_reasoning(thought)
            else:
                is_open = not content.text[-1].endswith("\n") if content.text else line_open
                _add_part(part, content, line_open=is_open)
        return content

    def _call(self, part: JsonObject, content: Content) -> None:
        function = an_object(part.get("functionCall"))
        sent = text(function.get("name"))
        if not sent:
            content.nameless |= function != {} and function.get("name") in (None, "")
            return
        if self._most_calls is not None and content.calls >= self._most_calls:
            content.left_out += 1
            return
        extra = CallData(text(part.get("thoughtSignature")), text(function.get("id"))).extra
        tool = self._tools.get(sent) or Tool(sent)
        call_id = f"call_{token_hex(12)}"
        if extra:
            self._memory.keep(call_id, extra)
        content.add_call(call_id, tool, _arguments(an_object(function.get("args")), tool), extra)


def _arguments(args: JsonObject, tool: Tool) -> str:
    given = args.get(INPUT)
    if tool.kind == "custom" and isinstance(given, str):
        return given
    return dumps(args).decode()


def _add_part(part: JsonObject, content: Content, *, line_open: bool) -> None:
    """Add a part that is neither a call nor reasoning. A null, as some servers send, counts as absent."""
    inline, stored = an_object(part.get("inlineData")), an_object(part.get("fileData"))
    code, output = an_object(part.get("executableCode")), an_object(part.get("codeExecutionResult"))
    if found := text(inline.get("data") if inline else stored.get("fileUri")):
        content.add_media(_media((inline or stored).get("mimeType"), found, inline=bool(inline)))
    elif words := text(code.get("code")):
        content.add_text(_fenced(words, _language(code), line_open=line_open))
    elif words := text(output.get("output")):
        content.add_text(_fenced(words, "", line_open=line_open))
    elif not (inline or stored or code or output):
        content.signature = text(part.get("thoughtSignature")) or content.signature
        if words := text(part.get("text")):
            content.add_text(words)


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
