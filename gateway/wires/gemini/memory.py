"""Remembers what Gemini needs back and many clients do not send: a thought's signature and Gemini's own id of a call.

Both go to the client as `extra_content`. For clients that do not send it back, they are kept by the tool call's id,
which every client sends. The memory is limited to this process and to the latest calls, so a gateway that runs for
months does not grow.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MAX_CALLS: Final = 20_000
MAX_BYTES: Final = 16 << 20
"""A signature has from a few hundred to some ten thousand bytes."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Of one tool call: its signature as received, and Gemini's id for it; "" where there was none."""

    signature: str = ""
    native_id: str = ""


class CallMemory:
    """The latest tool calls, by the id that the caller got. Threads may share it.

    Args:
        max_calls: the most calls that are kept.
        max_bytes: the most bytes of signatures and ids that are kept.
    """

    def __init__(self, max_calls: int = MAX_CALLS, max_bytes: int = MAX_BYTES) -> None:
        self._max_calls = max_calls
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._calls: OrderedDict[str, Remembered] = OrderedDict()
        self._bytes = 0

    def keep(self, call_id: str, remembered: Remembered) -> None:
        """Remember a call, and forget the oldest calls where a limit is exceeded."""
        with self._lock:
            self._forget(call_id)
            self._calls[call_id] = remembered
            self._bytes += _size(call_id, remembered)
            while self._calls and (len(self._calls) > self._max_calls or self._bytes > self._max_bytes):
                self._forget(next(iter(self._calls)))

    def find(self, call_id: str) -> Remembered:
        """The data of a call; empty where it is not known."""
        with self._lock:
            found = self._calls.get(call_id)
            if found is None:
                return Remembered()
            self._calls.move_to_end(call_id)
            return found

    def _forget(self, call_id: str) -> None:
        remembered = self._calls.pop(call_id, None)
        if remembered is not None:
            self._bytes -= _size(call_id, remembered)


def _size(call_id: str, remembered: Remembered) -> int:
    return len(call_id) + len(remembered.signature) + len(remembered.native_id)
