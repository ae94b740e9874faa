"""Reads an answer in neutral form, for a caller of another wire.

A whole answer and a stream have the same fields in a choice, so one reader serves both. It gets them repaired
(`response.py`, `decoder.py`): calls have the caller's indexes, ids and kinds, finishes are OpenAI's. Names of tools are
restored here, because this wire's request has replaced them.
Source: https://platform.openai.com/docs/api-reference/chat/object and chat-streaming.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final

from gateway.core.answer import ChoiceDelta, Citation, Finish, TokenLogprob, ToolCallDelta
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.request import Media, Tool, ToolKind
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.custom_tools import unwrapped
from gateway.wires.data_urls import UrlFault, is_data, split_data
from gateway.wires.openai_chat.outbound.tool_call_repairs import ToolCalls
from gateway.wires.untrusted_fields import an_object, count, number, objects, text

MAX_HELD: Final = 16 << 20
"""Characters of arguments that wait for the end of their call."""
_FINISHES: Final[Mapping[str, Finish]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_LEGACY: Final = -1
"""The index of the call in `function_call`, which has none."""


@dataclass(slots=True)
class _Call:
    """A call that has begun, or waits for its name.

    Attributes:
        id: of the call.
        kind: of the tool as the caller knows it.
        index: its number in the choice; -1 until it begins.
        wrapped: the tool takes a text, and is a function for the provider: the arguments wait for the end.
        held: arguments that wait.
        ended: whether its last piece is out.
    """

    id: str
    kind: ToolKind = "function"
    index: int = -1
    wrapped: bool = False
    held: list[str] = field(default_factory=list)
    ended: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether its arguments can go on at once."""
        return self.index >= 0 and not (self.wrapped or self.ended)


class _Calls:
    """The calls of one choice, by the index that the answer has for them."""

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = tools
        self._calls: dict[int, _Call] = {}
        self._begun = 0
        self._held = 0

    def read(self, fragment: JsonObject, repaired: ToolCalls | None) -> list[ToolCallDelta]:
        """The pieces of one fragment: the ends of calls that are complete, then its own."""
        at = fragment.get("index")
        index = at if isinstance(at, int) else len(self._calls)
        call = self._calls.get(index)
        if call is not None and call.is_plain and "extra_content" not in fragment:
            function = fragment.get("function")  # nearly all fragments are further arguments of a function
            arguments = function.get("arguments") if isinstance(function, dict) else None
            if isinstance(arguments, str):
                return [ToolCallDelta(call.index, "", "", arguments, call.kind)] if arguments else []
        pieces: list[ToolCallDelta] = []
        if call is None:
            pieces = self.end_complete(repaired)
            call = self._calls[index] = _Call(text(fragment.get("id")) or f"call_{token_hex(12)}")
        if not call.ended:
            pieces += self._piece(call, fragment)
        return pieces

    def end_complete(self, repaired: ToolCalls | None) -> list[ToolCallDelta]:
        """The ends of the calls whose arguments are a whole object; a server sends nothing more for them."""
        if repaired is None:
            return []
        open_calls = [(index, call) for index, call in self._calls.items() if call.index >= 0 and not call.ended]
        return [self._end(call) for index, call in open_calls if index >= 0 and repaired.is_whole(index)]

    def end_all(self) -> list[ToolCallDelta]:
        """The ends of all calls. Raises InvalidAnswer: one has no name."""
        if any(call.index < 0 for call in self._calls.values()):
            raise InvalidAnswer("The provider called a tool without naming it.")
        return [self._end(call) for call in self._calls.values() if not call.ended]

    def _piece(self, call: _Call, fragment: JsonObject) -> list[ToolCallDelta]:
        custom = isinstance(fragment.get("custom"), dict)
        detail = an_object(fragment.get("custom" if custom else "function"))
        arguments, name = text(detail.get("input" if custom else "arguments")), text(detail.get("name"))
        extra = an_object(fragment.get("extra_content"))
        if call.index >= 0:
            arguments = self._held_back(call, arguments)
            return [ToolCallDelta(call.index, "", "", arguments, call.kind, extra=extra)] if arguments or extra else []
        if not name:
            self._hold(call, arguments)
            return []
        tool = self._tools.get(name)
        custom = custom or fragment.get("type") == "custom"
        call.wrapped = not custom and tool is not None and tool.kind == "custom"
        call.kind = "custom" if custom or call.wrapped else "function"
        call.index, self._begun = self._begun, self._begun + 1
        waited, call.held = "".join(call.held), []
        begun = self._held_back(call, waited + arguments)
        return [ToolCallDelta(call.index, call.id, name if tool is None else tool.name, begun, call.kind, extra=extra)]

    def _held_back(self, call: _Call, arguments: str) -> str:
        """The arguments that can go on at once."""
        if not call.wrapped:
            return arguments
        self._hold(call, arguments)
        return ""

    def _hold(self, call: _Call, arguments: str) -> None:
        self._held += len(arguments)
        if self._held > MAX_HELD:
            raise InvalidAnswer("The provider's tool calls are longer than any answer is.")
        call.held.append(arguments)

    def _end(self, call: _Call) -> ToolCallDelta:
        call.ended = True
        arguments = unwrapped("".join(call.held)) if call.wrapped else ""
        call.held = []
        return ToolCallDelta(call.index, arguments=arguments, kind=call.kind, ended=True)


class DeltaReader:
    """Reads the choices of one answer.

    Args:
        tools: the tools that the answer may call, by the names that were sent.
    """

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = tools
        self._calls: dict[int, _Calls] = {}
        self._finishes: dict[int, tuple[Finish | None, str | None]] = {}

    def end(self) -> list[ChoiceDelta]:
        """The last deltas: the ends of calls, and the finishes, which some servers send on every chunk. Raises
        InvalidAnswer: a call has no name."""
        finishes, self._finishes = self._finishes, {}
        deltas = []
        for index, (finish, native) in finishes.items():
            calls = self._calls.get(index)
            ended = tuple(calls.end_all()) if calls is not None else ()
            deltas.append(ChoiceDelta(index, calls=ended, finish=finish, native_finish=native))
        return deltas

    def read(self, choice: JsonObject, message: JsonObject, calls: ToolCalls | None = None) -> list[ChoiceDelta]:
        """The deltas of one choice.

        Args:
            choice: of a whole answer or of a chunk, repaired.
            message: its `message` or `delta`.
            calls: the calls so far, of a stream; None for a whole answer.

        Raises:
            InvalidAnswer: a call has no name, or calls are too long.
        """
        index, content = count(choice.get("index")), message.get("content")
        if len(message) == 1 and not choice.get("finish_reason") and not choice.get("logprobs"):
            simple = self._read_one(index, message, calls)  # nearly all chunks say one thing
            if simple is not None:
                return simple
        words = content if isinstance(content, str) else _texts(content)
        reasoning = text(message.get("reasoning_content")) or text(message.get("reasoning"))
        refusal, given = text(message.get("refusal")), text(choice.get("finish_reason"))
        if given:
            self._finishes[index] = (_FINISHES.get(given), text(choice.get("native_finish_reason")) or None)
        before: list[ToolCallDelta] = []
        pieces: list[ToolCallDelta] = []
        fragments = objects(message.get("tool_calls"))
        if isinstance(legacy := message.get("function_call"), dict):
            fragments = [*fragments, {"index": _LEGACY, "function": legacy}]
        known = self._calls.get(index)
        if known is None and fragments:
            known = self._calls[index] = _Calls(self._tools)
        if known is not None:
            before = known.end_complete(calls) if words or reasoning or refusal else []
            pieces = [piece for fragment in fragments for piece in known.read(fragment, calls)]
        delta = ChoiceDelta(
            index=index,
            text=words,
            reasoning=reasoning,
            refusal=refusal,
            calls=tuple(pieces),
            images=_images(message, content),
            citations=_citations(message),
            logprobs=_logprobs(choice),
            extra=an_object(message.get("extra_content")),
        )
        return [ChoiceDelta(index, calls=tuple(before)), delta] if before else [delta]

    def _read_one(self, index: int, message: JsonObject, calls: ToolCalls | None) -> list[ChoiceDelta] | None:
        """The deltas of a message that has only a text or one fragment; None for any other. The same as `read` gives,
        in a third of its time."""
        known = self._calls.get(index)
        content = message.get("content")
        if known is None:
            return [ChoiceDelta(index, content)] if isinstance(content, str) else None
        fragments = message.get("tool_calls")
        if not isinstance(fragments, list) or len(fragments) != 1 or not isinstance(fragment := fragments[0], dict):
            return None
        return [ChoiceDelta(index, calls=tuple(known.read(fragment, calls)))]


def _texts(content: JsonValue) -> str:
    """The text in a list of parts, which stays a list where it holds more than text."""
    return "".join(text(part.get("text")) for part in objects(content))


def _images(message: JsonObject, content: JsonValue) -> tuple[Media, ...]:
    """The images beside the content (OpenRouter, Google) or in a list of parts."""
    found = objects(message.get("images"))
    if isinstance(content, list):
        found = [*(part for part in objects(content) if "image_url" in part), *found]
    return tuple(image for one in found if (image := _image(one)) is not None)


def _image(part: JsonObject) -> Media | None:
    value = part.get("image_url")
    url = value if isinstance(value, str) else text(an_object(value).get("url"))
    if not is_data(url):
        return Media("image", uri=url) if url else None
    try:
        mime, data = split_data(url)
    except UrlFault:
        return None
    return Media("image", mime, data)


def _citations(message: JsonObject) -> tuple[Citation, ...]:
    found = [an_object(one.get("url_citation")) for one in objects(message.get("annotations"))]
    return tuple(
        Citation(url, text(one.get("title")), count(one.get("start_index")), count(one.get("end_index")))
        for one in found
        if (url := text(one.get("url")))
    )


def _logprobs(choice: JsonObject) -> tuple[TokenLogprob, ...]:
    found = choice.get("logprobs")
    return tuple(map(_token, objects(found.get("content")))) if isinstance(found, dict) else ()


def _token(one: JsonObject) -> TokenLogprob:
    token, given = text(one.get("token")), one.get("bytes")
    octets = [byte for byte in given if type(byte) is int and 0 <= byte < 256] if isinstance(given, list) else None
    raw = None if octets is None or bytes(octets) == token.encode(errors="replace") else bytes(octets)
    return TokenLogprob(token, number(one.get("logprob")), tuple(map(_token, objects(one.get("top_logprobs")))), raw)
