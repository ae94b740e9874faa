"""Pairs the outputs of tools with the calls that they answer.

OpenAI takes outputs in any order, and messages between a call and its output. Ids repeat in real histories, because
some servers count from 0 in every turn, so calls and outputs of one id are paired in the order in which they come.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.strict_json import JsonObject
from gateway.wires.untrusted_fields import text

CALLS: Final[Mapping[str, str]] = {
    "function_call": "function call",
    "custom_tool_call": "custom tool call",
    "tool_search_call": "tool search call",
}
OUTPUTS: Final[Mapping[str, str]] = {
    "function_call_output": "function call output",
    "custom_tool_call_output": "custom tool call output",
    "tool_search_output": "tool search output",
}
"""The types of items, and how OpenAI's errors call them."""


def is_call(item: JsonObject) -> bool:
    """Whether the item is a call that the caller runs. A search that the vendor runs has no call_id."""
    return item.get("type") in CALLS and item.get("execution") != "server"


def is_output(item: JsonObject) -> bool:
    """Whether the item is the output of such a call."""
    return item.get("type") in OUTPUTS and item.get("execution") != "server"


def pair(items: Sequence[JsonObject]) -> dict[int, list[int]]:
    """The places of the outputs by the place of their call.

    Raises:
        InvalidRequest: a call has no output, or an output no call, in OpenAI's words.
    """
    waiting: dict[str, deque[int]] = {}
    latest: dict[str, int] = {}
    outputs: dict[int, list[int]] = {}
    for place, item in enumerate(items):
        call_id = text(item.get("call_id"))
        if is_call(item):
            waiting.setdefault(call_id, deque()).append(place)
            outputs[place] = []
        elif is_output(item):
            if waiting.get(call_id):
                latest[call_id] = waiting[call_id].popleft()
            elif call_id not in latest:
                kind = OUTPUTS[text(item.get("type"))]
                raise InvalidRequest(f"No tool call found for {kind} with call_id {call_id}.", param="input")
            outputs[latest[call_id]].append(place)
    unanswered = min((places[0] for places in waiting.values() if places), default=None)
    if unanswered is not None:
        item = items[unanswered]
        kind, call_id = CALLS[text(item.get("type"))], text(item.get("call_id"))
        raise InvalidRequest(f"No tool output found for {kind} {call_id}.", param="input")
    return outputs
