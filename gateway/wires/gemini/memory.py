"""What Gemini wants back and many clients do not keep: the signature of a thought and Gemini's own id of a call.

Both go to the client as `extra_content`, and a client that returns it needs nothing from here. For the others they are
remembered by the tool call's id, which every client returns: in this process only, the latest calls only, so that a
gateway that runs for months does not grow.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MAX_CALLS: Final = 20_000
MAX_BYTES: Final = 16 << 20
"""A signature has some hundred bytes up to some ten thousand."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Of one tool call: the signature as it came and Gemini's id for it; "" where there was none."""

    signature: str = ""
    native_id: str = ""


class CallMemory:
    """The latest tool calls, by the id that the caller was given. Threads may share it.

    Args:
        max_calls: how many are kept.
        max_bytes: how much of signatures and ids is kept.
    """

    def __init__(self, max_calls: int = MAX_CALLS, max_bytes: int = MAX_BYTES) -> None:
        self._max_calls = max_calls
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._calls: OrderedDict[str, Remembered] = OrderedDict()
        self._bytes = 0

    def keep(self, call_id: str, told: Remembered) -> None:
        """Remember it, and forget the oldest where there are too many."""
        with self._lock:
            self._forget(call_id)
            self._calls[call_id] = told
            self._bytes += _size(call_id, told)
            while self._calls and (len(self._calls) > self._max_calls or self._bytes > self._max_bytes):
                self._forget(next(iter(self._calls)))

    def find(self, call_id: str) -> Remembered:
        """What is known of it; nothing, if it is not."""
        with self._lock:
            found = self._calls.get(call_id)
            if found is None:
                return Remembered()
            self._calls.move_to_end(call_id)
            return found

    def _forget(self, call_id: str) -> None:
        told = self._calls.pop(call_id, None)
        if told is not None:
            self._bytes -= _size(call_id, told)


def _size(call_id: str, told: Remembered) -> int:
    return len(call_id) + len(told.signature) + len(told.native_id)
