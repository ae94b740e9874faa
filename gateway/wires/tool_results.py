"""Pairs tool messages with the calls that they answer.

OpenAI finds a call by its id and accepts results in any order. Other vendors require one result a call, in the order of
the calls and directly after them, and answer 400 otherwise. So results are paired with calls before a conversation is
rendered. Ids repeat in real histories (some servers count from 0 in every turn), and old histories have only names.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from gateway.core.errors import GatewayError, InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import Message, Part, ToolCall, UnknownPart

NO_RESULT: Final = "no result"
"""The result of a call that the conversation has none for; vendors refuse a call without one."""

Place: TypeAlias = tuple[int, int]
"""The indexes of a call's message and of its part in the message."""

_Key: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class ToolResult:
    """The result of a call: the parts of all messages that answer it, and whether the call failed."""

    parts: list[Part] = field(default_factory=list)
    failed: bool = False


def pair(messages: Sequence[Message]) -> Mapping[Place, ToolResult]:
    """The result of each call that has one. Several results of one call are joined.

    The latest call of an id gets the result; parallel calls of the same id get theirs in order.

    Raises:
        InvalidRequest: a tool message answers no call.
        UnsupportedByTarget: a tool message answers a call that the neutral form does not have.
    """
    waiting = _Waiting()
    results: dict[Place, ToolResult] = {}
    for index, message in enumerate(messages):
        if message.role == "assistant":
            waiting.add(index, message)
        elif message.role == "tool":
            result = results.setdefault(waiting.answered(message), ToolResult())
            result.parts += message.parts
            result.failed |= message.failed
        elif message.role == "user":
            waiting.end_step()
    return results


class _Waiting:
    """The calls without a result yet, by id, or by name where there are no ids, grouped in steps."""

    def __init__(self) -> None:
        self._step = 0
        self._calls: dict[_Key, list[tuple[int, deque[Place]]]] = {}
        self._answered: dict[_Key, Place] = {}
        self._unmapped = False

    def add(self, index: int, message: Message) -> None:
        """Add the calls of an assistant's message."""
        for position, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                steps = self._calls.setdefault(_key(part.id, part.name), [])
                if not steps or steps[-1][0] != self._step:
                    steps.append((self._step, deque()))
                steps[-1][1].append((index, position))
            self._unmapped = self._unmapped or isinstance(part, UnknownPart)

    def end_step(self) -> None:
        """End the step; later calls belong to another one."""
        self._step += 1

    def answered(self, message: Message) -> Place:
        """Remove and return the call that a tool's message answers."""
        self.end_step()
        key = _key(message.call_id, message.name or "")
        if steps := self._calls.get(key):
            self._answered[key] = steps[-1][1].popleft()
            if not steps[-1][1]:
                steps.pop()
        if key not in self._answered:
            raise self._fault()
        return self._answered[key]

    def _fault(self) -> GatewayError:
        if self._unmapped:
            return UnsupportedByTarget(
                "A tool message answers a call of a kind that this provider does not have.", param="messages"
            )
        return InvalidRequest(
            "A message with the role tool must answer a tool call of an assistant message before it.", param="messages"
        )


def _key(call_id: str, name: str) -> _Key:
    return (call_id, "" if call_id else name)
