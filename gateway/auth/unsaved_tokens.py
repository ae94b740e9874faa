"""Writes tokens that could not be written when they were obtained.

A renewal spends the old refresh token, so a new token that is lost costs the login. While one is unsaved, a thread
tries once a second; it is started by the first such token. This module knows neither tokens nor their file: it calls
`save` until that succeeds.
"""

import threading
from collections.abc import Callable
from typing import Final

from gateway.core.clock import Clock

AGAIN_SECONDS: Final = 1.0
"""Seconds between two tries."""


class UnsavedTokens:
    """The tokens that are still to be written. Safe to use from many threads.

    Args:
        clock: for the time between two tries.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()  # guards all below
        self._saves: list[Callable[[], bool]] = []
        self._thread: threading.Thread | None = None
        self._closing = False

    def __len__(self) -> int:
        return len(self._saves)

    def add(self, save: Callable[[], bool]) -> None:
        """Have `save` called once a second until it returns True. Adding it twice is adding it once."""
        with self._changed:
            if save in self._saves or self._closing:
                return
            self._saves.append(save)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="unsaved-tokens", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Try once more, and end. Idempotent."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(AGAIN_SECONDS)
        self._try_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._saves and not self._closing:
                    self._clock.wait(self._changed, AGAIN_SECONDS)
                if self._closing or not self._saves:
                    self._thread = None
                    return
            self._try_all()

    def _try_all(self) -> None:
        for save in list(self._saves):
            if save():
                with self._changed:
                    if save in self._saves:
                        self._saves.remove(save)
