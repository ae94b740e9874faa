"""Judges answers and streams of the Responses API: OpenAI's schema, and the rules that real clients depend on.

The schema is openai/openai-openapi@f85dbe2 (2.3.0). The other rules are those that made a client fail when they were
broken: Codex 0.171, openai-python 3.57, openai-node 6.49, AI SDK 6.0 (2026-11). Each function gives the faults that it
finds, in words; an empty list means none.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = Path(__file__).parents[1] / "schemas" / "openai_responses.json"
TERMINAL = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}
PREFIXES = {"message": "msg_", "function_call": "fc_", "reasoning": "rs_", "custom_tool_call": "ctc_"}
LONGEST_ID = 64
CLOSED_LIST_OF_CODES = re.compile(r"/error/code: |'code'.*is not one of")
"""OpenAI's own list lacks what OpenAI sends (context_length_exceeded, insufficient_quota)."""


@cache
def _definitions() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCHEMA.read_text("utf-8"))["$defs"]
    return found


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _definitions()})


@cache
def _event_names() -> dict[str, str]:
    names = {}
    for name, schema in _definitions().items():
        if name.endswith("Event"):
            kinds = schema.get("properties", {}).get("type", {}).get("enum", [])
            names.update(dict.fromkeys(kinds, name))
    return names


def schema_faults(name: str, value: object) -> list[str]:
    """What of the value is not as this definition of the schema has it."""
    faults = []
    for error in _validator(name).iter_errors(value):
        leaf = error
        while leaf.context:
            leaf = max(leaf.context, key=lambda one: (len(one.absolute_path), one.validator not in ("enum", "type")))
        faults.append(f"{name} at /{'/'.join(map(str, leaf.absolute_path))}: {leaf.message[:300]}")
    return [fault for fault in faults if not CLOSED_LIST_OF_CODES.search(fault)]


def request_faults(body: dict[str, Any]) -> list[str]:
    """Of a request. A null in an item is absent, as for OpenAI's own server."""
    if isinstance(body.get("input"), list):
        body = {**body, "input": [{k: v for k, v in item.items() if v is not None} for item in body["input"]]}
    return schema_faults("CreateResponse", body)


def response_faults(body: dict[str, Any]) -> list[str]:
    """Of a whole answer, or of the response in a stream's last event."""
    faults = schema_faults("Response", body)
    if not body["id"].startswith("resp_") or len(body["id"]) > LONGEST_ID:
        faults.append(f"the id {body['id']!r}")
    status, error, details = body["status"], body["error"], body["incomplete_details"]
    if (status == "failed") != bool(error and error["code"] and error["message"]):
        faults.append(f"the status {status} with the error {error}")
    if (status == "incomplete") != (details is not None):
        faults.append(f"the status {status} with incomplete_details {details}")
    if "end_turn" in body:
        faults.append("end_turn, at which Codex asks again")
    return faults + _usage_faults(body["usage"]) + _item_faults(body["output"])


def _usage_faults(usage: dict[str, Any] | None) -> list[str]:
    if usage is None:
        return []
    faults = []
    if usage["input_tokens"] + usage["output_tokens"] != usage["total_tokens"]:
        faults.append(f"total_tokens in {usage}")
    if usage["input_tokens_details"]["cached_tokens"] > usage["input_tokens"]:
        faults.append("more cached tokens than input tokens")
    if usage["output_tokens_details"]["reasoning_tokens"] > usage["output_tokens"]:
        faults.append("more reasoning tokens than output tokens")
    return faults


def _item_faults(items: list[dict[str, Any]]) -> list[str]:
    faults = []
    for item in items:
        kind, id = item["type"], item["id"]
        if not id.startswith(PREFIXES.get(kind, "")) or len(id) > LONGEST_ID:
            faults.append(f"the id {id!r} of a {kind}")
        if kind in ("function_call", "custom_tool_call"):
            if not item["call_id"] or len(item["call_id"]) > LONGEST_ID:
                faults.append(f"the call_id {item['call_id']!r}")
            if item.get("status") not in ("completed", "incomplete"):
                faults.append(f"a {kind} without a status, which AI SDK requires")
        if kind == "function_call" and item["status"] != "incomplete" and not _is_object(item["arguments"]):
            faults.append(f"arguments that are no object: {item['arguments']!r}")
    for key in ("id", "call_id"):
        known = [item[key] for item in items if key in item and not item["type"].endswith("_output")]
        if len(set(known)) != len(known):
            faults.append(f"one {key} twice")
    return faults


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def events(raw: bytes) -> list[dict[str, Any]]:
    """The events of a stream. Each has its type in a line of its own too, which is asserted."""
    found = []
    text = raw.decode()
    assert not text or text.endswith("\n\n"), "the last event has no end"
    for block in text.split("\n\n")[:-1]:
        lines = [line for line in block.split("\n") if not line.startswith(":")]
        if not lines:
            continue
        kind, data = lines
        event: dict[str, Any] = json.loads(data.removeprefix("data: "))
        assert kind == f"event: {event['type']}"
        found.append(event)
    return found


def final(raw: bytes) -> dict[str, Any]:
    """The response of the last event."""
    response: dict[str, Any] = events(raw)[-1]["response"]
    return response


def stream_faults(raw: bytes) -> list[str]:
    """Of a stream, from its first to its terminal event."""
    stream = _Stream()
    for event in events(raw):
        stream.take(event)
    if not stream.ended:
        stream.faults.append("no terminal event: to Codex a stream that broke")
    return stream.faults


class _Open:
    """An item that has begun."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item
        self.texts: dict[int, str] = {}
        self.parts: dict[int, str] = {}  # the open ones, by their type
        self.arguments = ""


class _Stream:
    """What a stream adds up to."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.ended = ""
        self._number = -1
        self._response: dict[str, Any] | None = None
        self._open: dict[int, _Open] = {}
        self._done: dict[int, dict[str, Any]] = {}

    def take(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if self.ended:
            self._fault(f"{kind} after {self.ended}")
        if event["sequence_number"] != self._number + 1:
            self._fault(f"the number {event['sequence_number']} after {self._number}")
        self._number = event["sequence_number"]
        if kind == "keepalive":
            return
        if kind not in _event_names():
            self._fault(f"the unknown type {kind}")
            return
        self.faults += schema_faults(_event_names()[kind], event)
        if self._response is None and kind != "response.created":
            self._fault(f"{kind} before response.created")
        name = kind.removeprefix("response.").replace(".", "_")
        if (rule := getattr(self, f"_{name}", None)) is not None:
            rule(event)

    def _fault(self, what: str) -> None:
        self.faults.append(f"event {self._number}: {what}")

    def _created(self, event: dict[str, Any]) -> None:
        if self._response is not None:
            self._fault("a second response.created")
        self._response = event["response"]
        if event["response"]["status"] != "in_progress" or event["response"]["output"]:
            self._fault("a response that has begun already")

    def _in_progress(self, event: dict[str, Any]) -> None:
        self._same(event)
        if self._open or self._done:
            self._fault("response.in_progress after the first item, at which openai-node fails")

    def _same(self, event: dict[str, Any]) -> None:
        for key in ("id", "model", "created_at"):
            if self._response and event["response"][key] != self._response[key]:
                self._fault(f"another {key}")

    def _completed(self, event: dict[str, Any]) -> None:
        self._end(event)
        if self._open:
            self._fault(f"items without an end: {sorted(self._open)}")
        done = [self._done[index] for index in sorted(self._done)]
        if done != event["response"]["output"]:
            self._fault("an output that is not what the items said; openai-python and Codex read different ones")

    _incomplete = _completed

    def _failed(self, event: dict[str, Any]) -> None:
        self._end(event)

    def _end(self, event: dict[str, Any]) -> None:
        self._same(event)
        self.ended = event["type"]
        if event["response"]["status"] != TERMINAL[self.ended]:
            self._fault(f"the status {event['response']['status']}")
        self.faults += response_faults(event["response"])

    def _output_item_added(self, event: dict[str, Any]) -> None:
        index, item = event["output_index"], event["item"]
        if index != len(self._open) + len(self._done):
            self._fault(f"the output_index {index}")
        self._open[index] = _Open(item)
        grown = (item.get("content"), item.get("arguments"), item.get("input"), item.get("summary"))
        if any(grown) and item["type"] != "tool_search_call":
            self._fault(f"a {item['type']} that begins with content")

    def _output_item_done(self, event: dict[str, Any]) -> None:
        index, item = event["output_index"], event["item"]
        opened = self._open.pop(index, None)
        self._done[index] = item
        if opened is None:
            self._fault(f"the end of item {index}, which is not open")
            return
        for key in ("id", "type", "name", "namespace", "call_id"):
            if opened.item.get(key) != item.get(key):
                self._fault(f"another {key} of item {index}")
        if opened.parts:
            self._fault(f"the end of item {index} with an open part")
        self.faults += _item_faults([item])
        self._adds_up(opened, item)

    def _adds_up(self, opened: _Open, item: dict[str, Any]) -> None:
        said = [opened.texts[index] for index in sorted(opened.texts)]
        match item["type"]:
            case "message":
                whole, sums = [part.get("text", part.get("refusal")) for part in item["content"]], said
            case "reasoning":
                whole, sums = [part["text"] for part in item["summary"]], said
            case "function_call":
                whole, sums = [item["arguments"]], [opened.arguments]
            case "custom_tool_call":
                whole, sums = [item["input"]], [opened.arguments]
            case _:
                return
        if whole != sums:
            self._fault(f"deltas that add up to {sums!r:.200}, where the item says {whole!r:.200}")

    def _item(self, event: dict[str, Any]) -> _Open:
        opened = self._open.get(event["output_index"])
        if opened is None or opened.item["id"] != event["item_id"]:
            self._fault(f"{event['type']} of an item that is not open")
            return _Open({"id": event["item_id"]})
        return opened

    def _content_part_added(self, event: dict[str, Any]) -> None:
        opened, index, part = self._item(event), event["content_index"], event["part"]
        if index != len(opened.texts) or opened.parts or part.get("text") or part.get("refusal"):
            self._fault(f"the part {index}")
        opened.parts[index], opened.texts[index] = part["type"], ""

    def _content_part_done(self, event: dict[str, Any]) -> None:
        opened, part = self._item(event), event["part"]
        if opened.parts.pop(event["content_index"], None) != part["type"]:
            self._fault("the end of a part that is not open")
        self._whole(opened, event["content_index"], part.get("text", part.get("refusal")))

    def _output_text_delta(self, event: dict[str, Any]) -> None:
        self._said(event, "output_text")

    def _refusal_delta(self, event: dict[str, Any]) -> None:
        self._said(event, "refusal")

    def _said(self, event: dict[str, Any], kind: str) -> None:
        opened, index = self._item(event), event["content_index"]
        if opened.parts.get(index) != kind:
            self._fault(f"{event['type']} in a part that is {opened.parts.get(index)}")
        opened.texts[index] = opened.texts.get(index, "") + event["delta"]

    def _output_text_done(self, event: dict[str, Any]) -> None:
        self._whole(self._item(event), event["content_index"], event["text"])

    def _refusal_done(self, event: dict[str, Any]) -> None:
        self._whole(self._item(event), event["content_index"], event["refusal"])

    def _whole(self, opened: _Open, index: int, text: str) -> None:
        if opened.texts.get(index) != text:
            self._fault(f"an end that says {text!r:.100}, where the deltas said {opened.texts.get(index)!r:.100}")

    def _function_call_arguments_delta(self, event: dict[str, Any]) -> None:
        self._item(event).arguments += event["delta"]

    _custom_tool_call_input_delta = _function_call_arguments_delta

    def _function_call_arguments_done(self, event: dict[str, Any]) -> None:
        if self._item(event).arguments != event.get("arguments", event.get("input")):
            self._fault("an end that is not what the deltas said")

    _custom_tool_call_input_done = _function_call_arguments_done

    def _reasoning_summary_part_added(self, event: dict[str, Any]) -> None:
        self._item(event).texts[event["summary_index"]] = ""

    def _reasoning_summary_text_delta(self, event: dict[str, Any]) -> None:
        opened, index = self._item(event), event["summary_index"]
        if index not in opened.texts:
            self._fault("a summary before its part, at which AI SDK fails")
        opened.texts[index] = opened.texts.get(index, "") + event["delta"]

    def _reasoning_summary_text_done(self, event: dict[str, Any]) -> None:
        self._whole(self._item(event), event["summary_index"], event["text"])
