"""The items of an answer while they are written: each begins, grows and ends by events, and is then whole.

A client builds its own copy of an item from these events, so they add up to the item exactly. An item that a broken
stream leaves open gets no end, because Codex shows the text of every item that ends, once for each time it asks again.
Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from collections.abc import Iterator
from secrets import token_hex
from typing import Final, TypeAlias

from gateway.core.answer import Citation, TokenLogprob
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.openai_responses import OWN_REASONING
from gateway.wires.openai_responses.inbound.logprobs import of_events, of_items
from gateway.wires.openai_responses.tool_table import DeclaredTool

Event: TypeAlias = JsonObject
"""The fields of an event but for its sequence number."""
PREFIXES: Final = {
    "message": "msg_",
    "function_call": "fc_",
    "custom_tool_call": "ctc_",
    "tool_search_call": "ts_",
    "reasoning": OWN_REASONING,
    "image_generation_call": "ig_",
    "compaction": "cmp_",
}


def new_id(kind: str) -> str:
    """An id for an item of this type."""
    return PREFIXES[kind] + token_hex(16)


class OpenItem:
    """An item that has begun.

    Args:
        index: its place in the output.
        fields: of the item, but for its status and what grows.
        empty: what grows, before it does.
    """

    def __init__(self, index: int, fields: JsonObject, empty: JsonObject) -> None:
        self.index = index
        self.id = str(fields["id"])
        self._fields = fields
        self._empty = empty

    def begin(self) -> Event:
        """The event that it begins with."""
        status: JsonObject = {} if self._fields["type"] == "reasoning" else {"status": "in_progress"}
        item: JsonObject = {**self._fields, **status, **self._empty}
        return {"type": "response.output_item.added", "output_index": self.index, "item": item}

    def end(self, item: JsonObject) -> Event:
        """The event that it ends with."""
        return {"type": "response.output_item.done", "output_index": self.index, "item": item}

    def event(self, kind: str, **fields: JsonValue) -> Event:
        """An event about it."""
        return {"type": f"response.{kind}", "item_id": self.id, "output_index": self.index, **fields}


class OpenMessage(OpenItem):
    """A message of the assistant. One of its parts is open at a time.

    Args:
        index: see OpenItem.
        id: of a message that another server has begun; "" begins one of our own.
    """

    def __init__(self, index: int, id: str = "") -> None:
        fields: JsonObject = {"id": id or new_id("message"), "type": "message", "role": "assistant"}
        super().__init__(index, fields, {"content": []})
        self._content: list[JsonValue] = []
        self._kind = ""
        self._texts: list[str] = []
        self._annotations: list[JsonValue] = []
        self._logprobs: list[TokenLogprob] = []

    def adopt(self, content: list[JsonValue], text: str, annotations: list[JsonValue]) -> None:
        """Go on where another server's events have left off.

        Args:
            content: the parts that are whole.
            text: of the open part; "" where none is open.
            annotations: of the open part.
        """
        self._content = [*content]
        if text:
            self._kind, self._texts, self._annotations = "output_text", [text], [*annotations]

    def add_text(self, text: str, logprobs: tuple[TokenLogprob, ...] = ()) -> Iterator[Event]:
        """More text."""
        yield from self._in_part("output_text")
        self._texts.append(text)
        self._logprobs += logprobs
        at, tokens = len(self._content), of_events(logprobs)
        yield self.event("output_text.delta", content_index=at, delta=text, logprobs=tokens)

    def more_text(self, text: str) -> Event | None:
        """More of the text that is open; None where none is. The same as `add_text` gives, in a third of its time."""
        if self._kind != "output_text":
            return None
        self._texts.append(text)
        return {
            "type": "response.output_text.delta",
            "item_id": self.id,
            "output_index": self.index,
            "content_index": len(self._content),
            "delta": text,
            "logprobs": [],
        }

    def add_refusal(self, text: str) -> Iterator[Event]:
        """More of a refusal."""
        yield from self._in_part("refusal")
        self._texts.append(text)
        yield self.event("refusal.delta", content_index=len(self._content), delta=text)

    def add_citation(self, found: Citation, before: int) -> Iterator[Event]:
        """A source of its text, before which stand `before` characters of the answer. Nothing where no text is open."""
        if self._kind != "output_text":
            return
        length = sum(map(len, self._texts))
        start, end = (min(max(place - before, 0), length) for place in (found.start, found.end))
        annotation: JsonObject = {
            "type": "url_citation",
            "url": found.url,
            "title": found.title,
            "start_index": start,
            "end_index": end,
        }
        self._annotations.append(annotation)
        yield self.event(
            "output_text.annotation.added",
            content_index=len(self._content),
            annotation_index=len(self._annotations) - 1,
            annotation=annotation,
        )

    def finish(self, status: str) -> Iterator[Event]:
        """Its end; the last event has the whole item."""
        yield from self._end_part()
        yield self.end({**self._fields, "status": status, "content": self._content})

    def _in_part(self, kind: str) -> Iterator[Event]:
        """Be in a part of this kind."""
        if self._kind == kind:
            return
        yield from self._end_part()
        self._kind = kind
        part: JsonObject = self._part("", []) if kind == "output_text" else {"type": "refusal", "refusal": ""}
        yield self.event("content_part.added", content_index=len(self._content), part=part)

    def _end_part(self) -> Iterator[Event]:
        if not self._kind:
            return
        at, said = len(self._content), "".join(self._texts)
        if self._kind == "output_text":
            tokens = tuple(self._logprobs)
            part = self._part(said, of_items(tokens))
            yield self.event("output_text.done", content_index=at, text=said, logprobs=of_events(tokens))
        else:
            part = {"type": "refusal", "refusal": said}
            yield self.event("refusal.done", content_index=at, refusal=said)
        yield self.event("content_part.done", content_index=at, part=part)
        self._content.append(part)
        self._kind, self._texts, self._annotations, self._logprobs = "", [], [], []

    def _part(self, said: str, logprobs: list[JsonValue]) -> JsonObject:
        return {"type": "output_text", "text": said, "annotations": [*self._annotations], "logprobs": logprobs}


class OpenReasoning(OpenItem):
    """Reasoning, which is shown as a summary: AI SDK and Codex show that and no other form of it (2026-11)."""

    def __init__(self, index: int) -> None:
        super().__init__(index, {"id": new_id("reasoning"), "type": "reasoning"}, {"summary": []})
        self._texts: list[str] = []

    def add_text(self, text: str) -> Iterator[Event]:
        """More of it."""
        if not self._texts:
            part: JsonObject = {"type": "summary_text", "text": ""}
            yield self.event("reasoning_summary_part.added", summary_index=0, part=part)
        self._texts.append(text)
        yield self.event("reasoning_summary_text.delta", summary_index=0, delta=text)

    def finish(self) -> Iterator[Event]:
        """Its end; the last event has the whole item."""
        said = "".join(self._texts)
        part: JsonObject = {"type": "summary_text", "text": said}
        yield self.event("reasoning_summary_text.done", summary_index=0, text=said)
        yield self.event("reasoning_summary_part.done", summary_index=0, part=part)
        yield self.end({**self._fields, "summary": [part]})


class OpenCall(OpenItem):
    """A call of a tool, under the name and in the kind by which the caller declared it.

    Args:
        index: see OpenItem.
        call_id: of the call.
        tool: the tool.
    """

    _TYPES: Final = {"function": "function_call", "custom": "custom_tool_call", "search": "tool_search_call"}
    _EVENTS: Final = {"function": "function_call_arguments", "custom": "custom_tool_call_input"}

    def __init__(self, index: int, call_id: str, tool: DeclaredTool) -> None:
        kind = self._TYPES[tool.kind]
        fields: JsonObject = {"id": new_id(kind), "type": kind, "call_id": call_id}
        if tool.kind == "search":
            fields["execution"] = "client"
        else:
            fields["name"] = tool.name
            if tool.namespace:
                fields["namespace"] = tool.namespace
        self._tool = tool
        self._grows = "input" if tool.kind == "custom" else "arguments"
        empty: JsonValue = {} if tool.kind == "search" else ""
        super().__init__(index, fields, {self._grows: empty})
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        """What the model wrote so far."""
        return "".join(self._texts)

    def add(self, text: str) -> Iterator[Event]:
        """More of its arguments, or of its text."""
        if not text:
            return
        self._texts.append(text)
        if (about := self._EVENTS.get(self._tool.kind)) is not None:
            yield self.event(f"{about}.delta", delta=text)

    def more(self, text: str) -> Event | None:
        """More of it, as `add` gives, in a third of its time; None where no event shows it."""
        about = self._EVENTS.get(self._tool.kind)
        if about is None:
            return None
        self._texts.append(text)
        kind = f"response.{about}.delta"
        return {"type": kind, "item_id": self.id, "output_index": self.index, "delta": text}

    def finish(self, *, cut: bool) -> Iterator[Event]:
        """Its end. `cut`: the answer was too long, so the call may not be whole."""
        if self._tool.kind == "custom":
            status = "incomplete" if cut else "completed"
            yield self.event("custom_tool_call_input.done", input=self.text)
            yield self.end({**self._fields, "status": status, "input": self.text})
            return
        arguments = json_object(self.text or "{}")
        status = "incomplete" if cut and arguments is None else "completed"
        if self._tool.kind == "search":
            yield self.end({**self._fields, "status": status, "arguments": arguments or {}})
            return
        if not self.text:
            yield from self.add("{}")  # clients parse it as JSON
        yield self.event("function_call_arguments.done", name=self._tool.name, arguments=self.text)
        yield self.end({**self._fields, "status": status, "arguments": self.text})


def json_object(text: str) -> JsonObject | None:
    """The object that a text of JSON holds; None for any other text."""
    try:
        value = loads(text.encode("utf-8", "surrogatepass"))
    except JsonFault:
        return None
    return value if isinstance(value, dict) else None
