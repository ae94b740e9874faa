"""The processes of the workers as the parent's loop sees them: what they say, what they are sent, and how they end.

    running -> ending (its channel is closed) -> over (it has an exit code)

A process that does not end within HANG_SECONDS after its channel is killed. For the loop's thread, but for `kill_all`.
"""

import logging
import selectors
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

from gateway.workers.channel import Channel, Ended
from gateway.workers.messages import Broken, Message

REAP_SECONDS: Final = 0.02
"""Between two looks at a process that has closed its channel."""
HANG_SECONDS: Final = 5.0
"""What it gets to end."""

logger = logging.getLogger(__name__)


class ProcessLike(Protocol):
    """The process of a worker (gateway.workers.launch.Process)."""

    channel: Channel

    @property
    def exit_code(self) -> int | None:
        """How it has ended; negative by a signal. None while it runs."""

    def kill(self) -> None:
        """End it at once. Idempotent."""


class Processes:
    """Those that run, by worker.

    Args:
        selector: waits for their channels. A key's data is the worker's number.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._running: dict[int, ProcessLike] = {}
        self._ending: dict[int, float] = {}  # until when those that are closed may take, in monotonic seconds
        self._closed: set[int] = set()

    def __len__(self) -> int:
        return len(self._running)

    @property
    def ending(self) -> bool:
        """Whether `ended` is to be called every REAP_SECONDS."""
        return bool(self._closed)

    def add(self, number: int, process: ProcessLike) -> None:
        """A worker's process runs."""
        self._running[number] = process
        self._selector.register(process.channel, selectors.EVENT_READ, number)

    def get(self, number: int) -> ProcessLike | None:
        """A worker's process; None where none runs."""
        return self._running.get(number)

    def watch(self) -> None:
        """Have the selector look at what each channel waits for."""
        for number, process in self._running.items():
            if number not in self._closed:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if process.channel.unsent else 0)
                self._selector.modify(process.channel, events, number)

    def hear(self, number: int, take: Callable[[int, Message], None]) -> None:
        """Its channel is ready: send what waits, and take what has come."""
        process = self._running.get(number)
        if process is None or number in self._closed:
            return
        try:
            process.channel.flush()
            for message in process.channel.receive():
                take(number, message)
        except Ended:
            self._lost(number)
        except Broken as fault:
            logger.error("Worker %d cannot be understood: %s.", number, fault)  # noqa: TRY400 - our own words say it
            process.kill()
            self._lost(number)

    def send(self, messages: Iterable[tuple[int, Message]]) -> None:
        """Send messages, by worker; those for one that is gone are for nobody."""
        for number, message in messages:
            process = self._running.get(number)
            if process is None or number in self._closed:
                continue
            try:
                process.channel.send(message)
            except Ended:
                self._lost(number)  # it reads nothing, and is not killed yet: it may end by itself

    def send_all(self, message: Message) -> None:
        """Send it to everybody."""
        self.send((number, message) for number in tuple(self._running))

    def kill(self, number: int) -> None:
        """End one at once."""
        if (process := self._running.get(number)) is not None:
            process.kill()

    def kill_all(self) -> None:
        """End all at once. Any thread, a signal handler too."""
        for process in list(self._running.values()):
            process.kill()

    def ended(self, now: float) -> Iterator[tuple[int, int]]:
        """Those that have ended since the last look, with their exit codes."""
        for number in sorted(self._closed):
            process = self._running[number]
            code = process.exit_code
            if code is not None:
                self._closed.discard(number)
                self._ending.pop(number, None)
                del self._running[number]
                yield number, code
            elif now >= self._ending.setdefault(number, now + HANG_SECONDS):
                process.kill()

    def close(self) -> None:
        """Kill all, and close their channels."""
        self.kill_all()
        for process in self._running.values():
            process.channel.close()

    def _lost(self, number: int) -> None:
        """Its channel is closed: it has ended, or does so now."""
        if number not in self._closed:
            channel = self._running[number].channel
            self._selector.unregister(channel)
            channel.close()
            self._closed.add(number)


def exit_text(code: int) -> str:
    """`with exit code 1`, `by signal 9`."""
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
