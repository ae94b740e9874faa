"""Reads the conversation of a request in neutral form.

The results of tool calls are blocks of a user's message here, and messages of their own in neutral form. They follow
the calls directly, and the rest of the user's message comes after them.
Source: https://platform.claude.com/docs/en/api/messages/create, `messages` and `system`.
"""

from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from gateway.core.request import Message, Part, Reasoning, Text, ToolCall
from gateway.core.strict_json import JsonObject, dumps
from gateway.wires.anthropic_messages import OWN_SIGNATURE, VENDOR
from gateway.wires.anthropic_messages.inbound.fields import Fields
from gateway.wires.anthropic_messages.inbound.parts import extra, read_content, read_part
from gateway.wires.field_reader import FieldReader

BILLING: Final = "x-anthropic-billing-header:"
"""How a system text of Claude Code begins that is for Anthropic's accounts. It changes from version to version, which
spoils the caches of other providers."""
_BOOKKEEPING: Final = ("cache_control", "caller", "toolset_name")
"""Fields of calls and results that mean nothing elsewhere."""


class History(Struct, frozen=True):
    """A conversation.

    Attributes:
        messages: in neutral form.
        effort: the last one that a message sets; None where none does.
        referenced_tools: the names of deferred tools that a result has made available.
    """

    messages: tuple[Message, ...]
    effort: str | None
    referenced_tools: frozenset[str]


def read_messages(request: Fields) -> History:
    """Read the system texts and the messages.

    Raises:
        InvalidRequest: naming the field.
    """
    return _Conversation().read(request)


class _Conversation:
    """Reads one conversation.

    `_results_at` is the place for the results of the last assistant's calls; `_waiting` are the ids without a result.
    """

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._effort: str | None = None
        self._referenced: set[str] = set()
        self._results_at = 0
        self._waiting: list[str] = []

    def read(self, request: Fields) -> History:
        self._add("system", read_content(request, "system"))
        for message in request.objects("messages"):
            match message.text("role"):
                case "assistant":
                    self._assistant(message)
                case "system":
                    self._system(message)
                case _:
                    self._user(message)
        return History(tuple(self._messages), self._effort, frozenset(self._referenced))

    def _add(self, role: Literal["system", "user", "assistant"], parts: list[Part]) -> None:
        parts = [part for part in parts if not (isinstance(part, Text) and _says_nothing(part, role))]
        if parts:
            self._messages.append(Message(role, tuple(parts)))

    def _system(self, message: FieldReader) -> None:
        config = message.object("output_config")
        if config is not None and (effort := config.text("effort")):
            self._effort = effort
        self._add("system", read_content(message, "content"))

    def _assistant(self, message: FieldReader) -> None:
        parts = list(_assistant_parts(message))
        before = self._messages[-1].role if self._messages else None
        if before != "assistant":
            self._waiting.clear()
        self._waiting += [part.id for part in parts if isinstance(part, ToolCall)]
        self._add("assistant", parts)
        self._results_at = len(self._messages)

    def _user(self, message: FieldReader) -> None:
        content = message.raw("content")
        if isinstance(content, str):
            return self._add("user", [Text(content)])
        parts: list[Part] = []
        for block in message.objects("content"):
            if block.text("type") == "tool_result":
                self._result(block)
            else:
                parts += read_part(block)
        return self._add("user", parts)

    def _result(self, block: FieldReader) -> None:
        """Read the result of a call. One that answers no call of the last turn is left out: other vendors refuse it."""
        call_id = block.needed_text("tool_use_id")
        if call_id not in self._waiting:
            block.skip("messages.content.tool_result")
            return
        self._waiting.remove(call_id)
        block.ignore("type", *_BOOKKEEPING)
        failed = block.flag("is_error") or False
        result = Message("tool", tuple(self._content(block)), call_id=call_id, failed=failed, extra=extra(block))
        self._messages.insert(self._results_at, result)
        self._results_at += 1

    def _content(self, block: FieldReader) -> Iterator[Part]:
        content = block.raw("content")
        if isinstance(content, str):
            yield Text(content)
            return
        for inner in block.objects("content"):
            if inner.text("type") == "tool_reference":
                inner.ignore(*_BOOKKEEPING)
                name = inner.needed_text("tool_name")
                self._referenced.add(name)
                yield Text(f"Tool {name} is now available.")
            else:
                yield from read_part(inner)


def _says_nothing(part: Text, role: str) -> bool:
    return not part.text or (role == "system" and part.text.startswith(BILLING))


def _signed(signature: str) -> JsonObject:
    """Anthropic's data of its reasoning. Other reasoning has none: it was said by a provider of another wire, which may
    want it back."""
    return {VENDOR: {"signature": signature}} if signature and not signature.startswith(OWN_SIGNATURE) else {}


def _assistant_parts(message: FieldReader) -> Iterator[Part]:
    content = message.raw("content")
    if isinstance(content, str):
        yield Text(content)
        return
    for block in message.objects("content"):
        match block.text("type"):
            case "tool_use":
                block.ignore(*_BOOKKEEPING)
                arguments = dumps(block.json("input") or {}).decode()
                yield ToolCall(block.needed_text("id"), block.needed_text("name"), arguments, extra=extra(block))
            case "thinking":
                yield Reasoning(block.text("thinking") or "", _signed(block.text("signature") or ""))
            case "redacted_thinking":
                yield Reasoning("", {VENDOR: {"redacted": block.text("data") or ""}})
            case _:
                yield from read_part(block)
