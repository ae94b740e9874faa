"""Requests as the renderer makes them, checked against the vendor's rules on the way."""

import json
from typing import Any, Final

from gateway.core.rendered import Adjustments, Ask, Rendered
from gateway.core.request import ChatRequest, Message, Params, Part, Prompt, Text, ToolCall
from gateway.core.source import Source
from gateway.wires.anthropic_messages.outbound import AnthropicMessagesProvider
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.anthropic_server import vendor_fault

NEW: Final = "claude-opus-5-5"
MIDDLE: Final = "claude-opus-4-6"
OLD: Final = "claude-sonnet-4-5-20250929"
OLDEST: Final = "claude-3-5-haiku-20241022"
STRICT: Final = {NEW: True, OLD: False}
"""The models whose rules vendor_fault knows, and whether they are of 2026."""


def rendered(
    prompt: Prompt,
    model: str = NEW,
    *,
    memory: ReasoningMemory | None = None,
    stream: bool = False,
    choices: int = 1,
    without: frozenset[str] = frozenset(),
    most: int | None = None,
) -> Rendered:
    """The request, which the vendor would answer."""
    chat = ChatRequest("alias", stream, True, Source("another", {}), lambda: prompt, choices)
    wire = AnthropicMessagesProvider(memory or ReasoningMemory())
    found = wire.render_request(chat, model, Ask(adjustments=Adjustments(without, most)))
    if model in STRICT:
        fault = vendor_fault(json.loads(found.body), new=STRICT[model])
        assert fault is None, fault
    return found


def body(prompt: Prompt, model: str = NEW, **how: Any) -> Any:
    return json.loads(rendered(prompt, model, **how).body)


def asked(model: str = NEW, **params: Any) -> Any:
    """The body of a plain question with these parameters."""
    return body(Prompt((user("Hi"),), params=Params(**params)), model)


def dropped(model: str = NEW, **params: Any) -> tuple[str, ...]:
    """What of these parameters is left out."""
    return rendered(Prompt((user("Hi"),), params=Params(**params)), model).dropped


def _parts(parts: tuple[Part | str, ...]) -> tuple[Part, ...]:
    return tuple(Text(part) if isinstance(part, str) else part for part in parts)


def system(*parts: Part | str) -> Message:
    return Message("system", _parts(parts))


def user(*parts: Part | str) -> Message:
    return Message("user", _parts(parts))


def assistant(*parts: Part | str, **extra: Any) -> Message:
    return Message("assistant", _parts(parts), extra=extra)


def tool(call_id: str, *parts: Part | str, failed: bool = False) -> Message:
    return Message("tool", _parts(parts), call_id=call_id, failed=failed)


def call(call_id: str, name: str = "f", arguments: str = "{}") -> ToolCall:
    return ToolCall(call_id, name, arguments)


def block(part: Any) -> Any:
    return {"type": "text", "text": part} if isinstance(part, str) else part


def says(role: str, *blocks: Any) -> dict[str, Any]:
    return {"role": role, "content": [block(part) for part in blocks]}


def calls(id: str, name: str = "f", input: Any = None) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": input or {}}


def brings(id: str, *blocks: Any, **more: Any) -> dict[str, Any]:
    content = {"content": [block(part) for part in blocks]} if blocks else {}
    return {"type": "tool_result", "tool_use_id": id, **content, **more}


def missing(id: str) -> dict[str, Any]:
    """The result of a call that has none."""
    return {"type": "tool_result", "tool_use_id": id, "content": "no result", "is_error": True}
