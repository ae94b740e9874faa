"""Answers of the Messages API against the types of Anthropic's client and the rules that clients hold beyond them.

Each function returns the faults of what it is given, one sentence each; no faults is an answer that every client reads.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming, and anthropic-python 2.14.0.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema

from gateway.core.sse import SseDecoder

SCHEMA: Final = Path(__file__).parents[1] / "schemas" / "anthropic_answers.json"
STOP_REASONS: Final = {"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"}
STATUSES: Final[Mapping[str, set[int]]] = {
    "invalid_request_error": {400, 405, 414, 415, 421, 422, 431},
    "authentication_error": {401},
    "billing_error": {402},
    "permission_error": {403},
    "not_found_error": {404},
    "conflict_error": {409},
    "request_too_large": {413},
    "rate_limit_error": {429},
    "timeout_error": {408, 504},
    "api_error": {500, 501, 502, 505},
    "overloaded_error": {503, 529},
}
ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
GOES_INTO: Final = {
    "text_delta": "text",
    "citations_delta": "text",
    "input_json_delta": "tool_use",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
}


@cache
def _validator(root: str) -> jsonschema.Draft202012Validator:
    defs = json.loads(SCHEMA.read_text("utf-8"))["$defs"]
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{root}", "$defs": defs})


def by_schema(root: str, value: object) -> list[str]:
    """The faults by the schema of a type."""
    return [f"{root} at {list(fault.absolute_path)}: {fault.message}" for fault in _validator(root).iter_errors(value)]


def of_message(message: Any) -> list[str]:
    """The faults of a whole answer."""
    faults = by_schema("BetaMessage", message)
    if faults:
        return faults
    calls = [block for block in message["content"] if block["type"] == "tool_use"]
    reason = message["stop_reason"]
    faults += _of_calls(calls) + _of_usage(message["usage"])
    if reason not in STOP_REASONS:
        faults.append(f"the stop_reason {reason!r}")
    if (reason == "tool_use" and not calls) or (reason == "end_turn" and calls):
        faults.append(f"the stop_reason {reason} with {len(calls)} calls")
    if (message["stop_sequence"] is not None) != (reason == "stop_sequence"):
        faults.append("stop_sequence and stop_reason disagree")
    if any(block["type"] == "text" and not block["text"] for block in message["content"]):
        faults.append("an empty text block, which is refused when it comes back")
    if any(block["type"] == "thinking" and not block["signature"] for block in message["content"]):
        faults.append("a thinking block without a signature")
    return faults


def of_stream(raw: bytes, *, complete: bool = True) -> list[str]:
    """The faults of a stream, in its events and in what they add up to.

    Args:
        raw: all of it.
        complete: whether it ends as an answer does; else with an error, and then nothing may look like an end.
    """
    events = events_of(raw)
    faults = [f"{name!r} names the event {event.get('type')!r}" for name, event in events if name != event["type"]]
    kinds = [event["type"] for _, event in events if event["type"] != "ping"]
    faults += list(_of_order([event for _, event in events if event["type"] != "ping"]))
    for _, event in events:
        if event["type"] == "error":
            faults += of_error(event)
        elif event["type"] != "ping":
            faults += by_schema("BetaRawMessageStreamEvent", event)
    if complete:
        faults += [] if kinds[-2:] == ["message_delta", "message_stop"] else [f"it ends with {kinds[-2:]}"]
        faults += of_message(message_of(raw)) if not faults else []
    else:
        faults += [] if kinds[-1:] == ["error"] else [f"it ends with {kinds[-1:]}"]
        faults += ["an error after what looks like an end"] if {"message_delta", "message_stop"} & {*kinds} else []
    return faults


def of_error(body: Any, status: int | None = None) -> list[str]:
    """The faults of an error. `status`: of the reply; None in a stream."""
    error = body.get("error") if isinstance(body, dict) and body.get("type") == "error" else None
    if not isinstance(error, dict) or not error.get("message"):
        return ["it is no error of Anthropic's"]
    allowed = STATUSES.get(error.get("type", ""))
    if allowed is None:
        return [f"clients know no type {error.get('type')!r}"]
    return [] if status is None or status in allowed else [f"{error['type']} with the status {status}"]


def of_models(page: Any) -> list[str]:
    """The faults of a list of models."""
    missing = [name for name in ("data", "has_more", "first_id", "last_id") if name not in page]
    return [*missing, *(fault for model in page["data"] for fault in by_schema("ModelInfo", model))]


def events_of(raw: bytes) -> list[tuple[str, Any]]:
    """The events of a stream: names and data."""
    return [(event.event, json.loads(event.data)) for event in SseDecoder().feed(raw)]


def message_of(raw: bytes) -> Any:
    """The message that a stream's events add up to, as a client adds them."""
    message: Any = None
    inputs: dict[int, str] = {}
    for _, event in events_of(raw):
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                message["content"].append(event["content_block"])
            case "content_block_delta":
                _add(message["content"][event["index"]], event["delta"], inputs, event["index"])
            case "content_block_stop" if inputs.get(event["index"]):
                message["content"][event["index"]]["input"] = json.loads(inputs[event["index"]])
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
    return message


def _add(block: Any, delta: Any, inputs: dict[int, str], index: int) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            inputs[index] = inputs.get(index, "") + delta["partial_json"]


def _of_order(events: Sequence[Any]) -> Iterator[str]:
    """What is wrong with the order of events and blocks."""
    kinds: list[str] = []
    is_open = False
    for place, event in enumerate(events):
        kind = event["type"]
        if (kind == "message_start") != (place == 0) and not (place == 0 and kind == "error"):
            yield f"{kind} is the event {place}"
        if kind == "content_block_start":
            if is_open or event["index"] != len(kinds):
                yield f"the block {event['index']} begins after {len(kinds)}, of which one is open: {is_open}"
            kinds.append(event["content_block"]["type"])
            is_open = True
        elif kind in ("content_block_delta", "content_block_stop"):
            if not is_open or event["index"] != len(kinds) - 1:
                yield f"{kind} for the block {event['index']}, which is not open"
            elif kind == "content_block_delta" and GOES_INTO[event["delta"]["type"]] != kinds[-1]:
                yield f"{event['delta']['type']} in a block of the kind {kinds[-1]}"
            is_open = is_open and kind == "content_block_delta"
        elif kind == "message_delta" and is_open:
            yield "the answer ends while a block is open"


def _of_calls(calls: Sequence[Any]) -> list[str]:
    faults = [f"the call's id {call['id']!r}" for call in calls if not ID.fullmatch(call["id"])]
    faults += [f"the input {call['input']!r}" for call in calls if not isinstance(call["input"], dict)]
    return faults if len({call["id"] for call in calls}) == len(calls) else [*faults, "ids of calls repeat"]


def _of_usage(usage: Any) -> list[str]:
    counts = [usage[name] for name in usage if name.endswith("_tokens")]
    thinking = (usage.get("output_tokens_details") or {}).get("thinking_tokens", 0)
    faults = ["thinking_tokens exceed output_tokens"] if thinking > usage["output_tokens"] else []
    return faults if all(type(count) is int and count >= 0 for count in counts) else [*faults, f"the counts {counts}"]
