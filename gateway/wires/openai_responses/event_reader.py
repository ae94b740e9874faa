"""Reads a provider's answer in neutral form: the events of a stream, or a whole response, which its last event holds.

A server may send less than OpenAI's does: no deltas, only whole items, or only the response at the end. So each item is
read as it grows, and what it still has at its end, or in the last event, is read then, once.
Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.answer import ChoiceDelta, Citation, Finish, TokenLogprob, ToolCallDelta, Usage
from gateway.core.request import Media, Tool, ToolKind
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires import openai_usage
from gateway.wires.openai_responses import ITEM, VENDOR
from gateway.wires.untrusted_fields import an_object, count, number, objects, text

TERMINAL: Final = frozenset({"response.completed", "response.incomplete"})
FAILED: Final = frozenset({"response.failed", "response.cancelled", "error"})
MAX_ITEMS: Final = 10_000
"""Items of one answer, which bounds what is remembered of it."""
_CALLS: Final[Mapping[str, ToolKind]] = {"function_call": "function", "custom_tool_call": "custom"}
_GROWS: Final[Mapping[str, str]] = {"function_call": "arguments", "custom_tool_call": "input"}
_FINISHES: Final[Mapping[str, Finish]] = {"max_output_tokens": "length", "content_filter": "content_filter"}


@dataclass(slots=True)
class _Item:
    """What is known of one item.

    Attributes:
        kind: its type.
        call: the number of its call; -1 for what is no call, or has not begun.
        said: characters of its text, refusal, reasoning or arguments that were read.
        source: which of the two forms of reasoning is read, once there is one.
        start: characters of the answer's text before it.
        ended: whether it is read to its end.
    """

    kind: str
    call: int = -1
    said: int = 0
    source: str = ""
    start: int = 0
    ended: bool = False


class EventReader:
    """Reads one answer.

    Args:
        tools: the tools that the answer may call, by the names that were sent; None where names pass unchanged.
    """

    def __init__(self, tools: Mapping[str, Tool] | None = None) -> None:
        self._tools = tools or {}
        self._items: dict[int, _Item] = {}
        self._calls = 0
        self._length = 0

    @property
    def too_many(self) -> bool:
        """Whether the answer has more items than any has."""
        return len(self._items) > MAX_ITEMS

    def read(self, event: JsonObject) -> list[ChoiceDelta]:
        """The deltas of one event."""
        kind = text(event.get("type"))
        if kind in TERMINAL:
            return list(self._last(an_object(event.get("response"))))
        return list(self._growing(kind, count(event.get("output_index")), event))

    def _growing(self, kind: str, index: int, event: JsonObject) -> Iterator[ChoiceDelta]:
        match kind:
            case "response.output_text.delta" | "response.refusal.delta":
                yield self._said(index, kind, event)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield from self._reasoning(index, kind, text(event.get("delta")))
            case "response.reasoning_summary_part.added":
                if self._item(index, "reasoning").said:
                    yield ChoiceDelta(0, reasoning="\n\n")
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                yield from self._arguments(index, text(event.get("delta")))
            case "response.output_text.annotation.added":
                start = self._item(index, "message").start
                if citation := _citation(an_object(event.get("annotation")), start):
                    yield ChoiceDelta(0, citations=(citation,))
            case "response.output_item.added":
                yield from self._begun(index, an_object(event.get("item")))
            case "response.output_item.done":
                yield from self._done(index, an_object(event.get("item")))

    def _said(self, index: int, kind: str, event: JsonObject) -> ChoiceDelta:
        delta = text(event.get("delta"))
        self._item(index, "message").said += len(delta)
        if kind == "response.refusal.delta":
            return ChoiceDelta(0, refusal=delta)
        self._length += len(delta)
        return ChoiceDelta(0, text=delta, logprobs=_logprobs(event.get("logprobs")))

    def _reasoning(self, index: int, kind: str, delta: str) -> Iterator[ChoiceDelta]:
        """Of the two forms that a server may send, that which comes first."""
        item = self._item(index, "reasoning")
        item.source = item.source or kind
        if item.source == kind:
            item.said += len(delta)
            yield ChoiceDelta(0, reasoning=delta)

    def _item(self, index: int, kind: str) -> _Item:
        if index not in self._items:
            self._items[index] = _Item(kind, start=self._length)
        return self._items[index]

    def _begun(self, index: int, item: JsonObject) -> Iterator[ChoiceDelta]:
        known = self._item(index, text(item.get("type")))
        name, call_id = text(item.get("name")), text(item.get("call_id"))
        kind = _CALLS.get(known.kind)
        if kind is None or known.call >= 0 or not (name and call_id):
            return
        known.call, self._calls = self._calls, self._calls + 1
        tool = self._tools.get(name)
        yield ChoiceDelta(0, calls=(ToolCallDelta(known.call, call_id, name if tool is None else tool.name, "", kind),))

    def _arguments(self, index: int, delta: str) -> Iterator[ChoiceDelta]:
        item = self._items.get(index)
        if item is None or item.call < 0 or item.ended or not delta:
            return  # before its item; the item has them at its end
        item.said += len(delta)
        yield ChoiceDelta(0, calls=(ToolCallDelta(item.call, arguments=delta, kind=_CALLS[item.kind]),))

    def _done(self, index: int, item: JsonObject) -> Iterator[ChoiceDelta]:
        """What a whole item has beyond what it has shown while it grew."""
        known = self._item(index, text(item.get("type")))
        if known.ended:
            return
        known.ended = True
        if known.kind in _CALLS:
            yield from self._begun(index, item)
            if known.call >= 0:
                rest = text(item.get(_GROWS[known.kind])) if not known.said else ""
                piece = ToolCallDelta(known.call, arguments=rest, kind=_CALLS[known.kind], ended=True)
                yield ChoiceDelta(0, calls=(piece,))
        elif known.kind == "message" and not known.said:
            yield from self._message(known, item)
        elif known.kind == "reasoning":
            rest = "" if known.said else reasoning_text(item)
            yield ChoiceDelta(0, reasoning=rest, reasoning_extra={VENDOR: {ITEM: item}})
        elif known.kind == "image_generation_call" and text(item.get("result")):
            mime = f"image/{text(item.get('output_format')) or 'png'}"
            yield ChoiceDelta(0, images=(Media("image", mime, text(item.get("result"))),))

    def _message(self, known: _Item, item: JsonObject) -> Iterator[ChoiceDelta]:
        for part in objects(item.get("content")):
            said, refusal = text(part.get("text")), text(part.get("refusal"))
            known.said += len(said) + len(refusal)
            if said:
                found = (_citation(each, self._length) for each in objects(part.get("annotations")))
                citations = tuple(one for one in found if one)
                yield ChoiceDelta(0, text=said, citations=citations, logprobs=_logprobs(part.get("logprobs")))
                self._length += len(said)
            if refusal:
                yield ChoiceDelta(0, refusal=refusal)

    def _last(self, response: JsonObject) -> Iterator[ChoiceDelta]:
        for index, item in enumerate(objects(response.get("output"))):
            yield from self._done(index, item)
        details = an_object(response.get("incomplete_details"))
        reason = text(details.get("reason")) if response.get("status") == "incomplete" else ""
        finish = _FINISHES.get(reason) or ("tool_calls" if self._calls else "stop")
        ends = tuple(
            ToolCallDelta(item.call, kind=_CALLS[item.kind], ended=True)
            for item in self._items.values()
            if item.call >= 0 and not item.ended
        )
        yield ChoiceDelta(0, calls=ends, finish=finish, native_finish=reason or None)


def reasoning_text(item: JsonObject) -> str:
    """What a reasoning item shows: its summary, or the reasoning itself where a server gives it."""
    summary = "\n\n".join(filter(None, (text(part.get("text")) for part in objects(item.get("summary")))))
    return summary or "".join(text(part.get("text")) for part in objects(item.get("content")))


def read_usage(response: JsonObject) -> Usage | None:
    """The token counts of a response; None where it has none."""
    counts = response.get("usage")
    if not isinstance(counts, dict):
        return None
    return openai_usage.read_usage(counts, openai_usage.RESPONSES, response.get("service_tier"))


def _citation(annotation: JsonObject, start: int) -> Citation | None:
    if annotation.get("type") != "url_citation" or not text(annotation.get("url")):
        return None
    return Citation(
        text(annotation.get("url")),
        text(annotation.get("title")),
        start + count(annotation.get("start_index")),
        start + count(annotation.get("end_index")),
    )


def _logprobs(tokens: JsonValue) -> tuple[TokenLogprob, ...]:
    return tuple(_token(one, tuple(map(_token, objects(one.get("top_logprobs"))))) for one in objects(tokens))


def _token(token: JsonObject, top: tuple[TokenLogprob, ...] = ()) -> TokenLogprob:
    said, given = text(token.get("token")), token.get("bytes")
    raw = (
        bytes(byte for byte in given if isinstance(byte, int) and 0 <= byte < 256) if isinstance(given, list) else None
    )
    return TokenLogprob(said, number(token.get("logprob")), top, None if raw == said.encode(errors="replace") else raw)
