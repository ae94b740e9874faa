"""Messages of the gateways of a group, read by one thread on a connection of its own.

Whoever hears a message must not wait. After each connect the listeners catch up with what they have missed. Every
gateway's sign of life is a message too, so a connection that is silent for longer is dead.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from gateway.core.clock import Clock
from gateway.sharing.address import Connection
from gateway.sharing.redis_link import RedisAway, RedisLink
from gateway.sharing.script import plain

SILENCE: Final = 12.0
"""Seconds without a message, of which this gateway itself causes one every 5 s."""
AGAIN: Final = 1.0
MESSAGE: Final = b"message"


class Subscription:
    """The thread.

    Args:
        link: makes the connection.
        channels: who hears the messages of each channel.
        caught_up: is called after each connect. It may raise RedisAway.
        clock: the time.
    """

    def __init__(
        self,
        link: RedisLink,
        channels: Mapping[str, Callable[[bytes], None]],
        caught_up: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._link = link
        self._channels = {name.encode(): hear for name, hear in channels.items()}
        self._caught_up = caught_up
        self._clock = clock
        self._stopping = threading.Condition()
        self._stopped = False
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="sharing messages", daemon=True)

    def start(self) -> None:
        """Start to listen."""
        self._thread.start()

    def close(self) -> None:
        """End. Idempotent."""
        with self._stopping:
            self._stopped = True
            self._stopping.notify()
            connection = self._connection
        if connection is not None:
            self._link.interrupt(connection)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            with suppress(RedisAway):  # whoever asks or beats has said so
                self._listen()
            with self._stopping:
                if not self._stopped:
                    self._clock.wait(self._stopping, AGAIN)

    def _listen(self) -> None:
        connection = self._link.subscription(SILENCE)
        try:
            with self._stopping:
                if self._stopped:
                    return
                self._connection = connection
            names = [name.decode() for name in self._channels]
            self._link.send(connection, plain("SUBSCRIBE", *names))
            for _ in names:
                self._link.read(connection)
            self._caught_up()
            while not self._stopped:
                kind, channel, body = self._link.read(connection)
                if kind == MESSAGE and (hear := self._channels.get(channel)) is not None:
                    hear(body)
        finally:
            with self._stopping:
                self._connection = None
            connection.disconnect()
