"""Remembers what vendors need back and many clients do not send: the data that belongs to a tool call or its reasoning.

Vendor data goes to the client with the call. For clients that do not send it back, it is kept by the tool call's id,
which every client sends. The memory is limited to the latest calls, so a gateway that runs for months does not grow.
It is that of one process; several workers tell each other of their calls.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Protocol

from gateway.core.strict_json import JsonObject, JsonValue

MAX_CALLS: Final = 20_000
MAX_BYTES: Final = 16 << 20
"""A signature has from a few hundred to some ten thousand bytes."""


class ToolCallLog(Protocol):
    """What workers tell each other of calls (gateway.wires.shared_calls). Safe to use from many threads."""

    def append(self, call_id: str, extra: JsonObject) -> None:
        """Tell the others of a call."""

    def new(self) -> Iterable[tuple[str, JsonObject]]:
        """What others have told since the last time."""


class ReasoningMemory:
    """The latest tool calls, by the id that the caller got. Threads may share it.

    Args:
        max_calls: the most calls that are kept.
        max_bytes: the most bytes of texts that are kept.
        log: of other workers; None where there are none.
    """

    def __init__(
        self, max_calls: int = MAX_CALLS, max_bytes: int = MAX_BYTES, *, log: ToolCallLog | None = None
    ) -> None:
        self._log = log
        self._reading = threading.Lock()
        self._max_calls = max_calls
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._calls: OrderedDict[str, JsonObject] = OrderedDict()
        self._bytes = 0

    def keep(self, call_id: str, extra: JsonObject) -> None:
        """Remember a call's data by vendor, and forget the oldest calls where a limit is exceeded. The data must not
        be changed afterwards."""
        self._keep(call_id, extra)
        if self._log is not None:
            self._log.append(call_id, extra)

    def find(self, call_id: str) -> JsonObject:
        """The data of a call by vendor; empty where it is not known."""
        if self._log is not None:
            with self._reading:  # whoever finds nothing new is to find it kept
                for other_id, extra in self._log.new():
                    self._keep(other_id, extra)
        with self._lock:
            found = self._calls.get(call_id)
            if found is None:
                return {}
            self._calls.move_to_end(call_id)
            return found

    def _keep(self, call_id: str, extra: JsonObject) -> None:
        with self._lock:
            self._forget(call_id)
            self._calls[call_id] = extra
            self._bytes += len(call_id) + _size(extra)
            while self._calls and (len(self._calls) > self._max_calls or self._bytes > self._max_bytes):
                self._forget(next(iter(self._calls)))

    def _forget(self, call_id: str) -> None:
        extra = self._calls.pop(call_id, None)
        if extra is not None:
            self._bytes -= len(call_id) + _size(extra)


def _size(value: JsonValue) -> int:
    """The characters of all texts in a value; names are few and short."""
    if isinstance(value, str):
        return len(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(_size, inner))
