"""A provider's answer as bytes: the owner of one response, who knows how long silence may last.

A model needs three limits where HTTP clients have one (until the first word, between words, in all), so each read has
its own. Closing is idempotent, and `cut` works from another thread while a read blocks.
"""

import contextlib
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.provider_failures import InvalidAnswer, ProviderFailure

READ_SIZE: Final = 65_536
DRAIN_SECONDS: Final = 0.05
DRAIN_READS: Final = 8


@dataclass(frozen=True, slots=True)
class Detached:
    """A stream whose bytes come from now on to whoever waits for many sockets at once.

    The stream stays the owner: `close` gives the connection back or ends it, whichever `ended` allows, and `cut` shuts
    the socket down, which is then readable. So take the socket out of the selector before `close`, and leave its
    closing to the stream.

    Attributes:
        connection: to be read without blocking. Over TLS it is an SSLSocket: after each wake it is read until it wants
            to read (SSLWantReadError), for what it has decrypted no selector sees.
        early: what of the body was received already.
        feed: the body's bytes in what was received; b"" tells that the connection has ended. Raises InvalidAnswer.
        ended: whether the body is complete. Raises InvalidAnswer: it will not be.
        broken: the failure for what receiving raised.
    """

    connection: socket.socket
    early: bytes
    feed: Callable[[bytes], bytes]
    ended: Callable[[], bool]
    broken: Callable[[OSError], InvalidAnswer]


class ByteStream(ABC):
    """One response of a provider.

    Args:
        provider: the name for messages.
        status: HTTP's.
        headers: of the response; names are found whatever their case.
    """

    def __init__(self, provider: str, status: int, headers: Mapping[str, str]) -> None:
        self._provider = provider
        self.status = status
        self.headers = headers

    @abstractmethod
    def read(self, timeout: float) -> bytes:
        """What has come, as soon as something has; b"" at the end of the body.

        Args:
            timeout: seconds of silence after which to give up.

        Raises:
            ProviderTimeout: nothing came in time.
            InvalidAnswer: the connection broke, or what came was not HTTP.
        """

    def read_all(self, limit: int, timeouts: Iterator[float]) -> bytes:
        """The whole body, of at most `limit` bytes; `timeouts` gives the seconds for each read."""
        parts: list[bytes] = []
        size = 0
        while data := self.read(next(timeouts)):
            size += len(data)
            if size > limit:
                raise InvalidAnswer(f"{self._provider} sent an answer of more than {limit} bytes.")
            parts.append(data)
        return b"".join(parts)

    def finish(self) -> None:
        """The answer is complete: read the rest of its framing, so that the connection can serve again."""
        with contextlib.suppress(ProviderFailure):
            for _ in range(DRAIN_READS):  # whoever sends on and on is not waited for
                if not self.read(DRAIN_SECONDS):
                    return

    def detach(self) -> Detached | None:
        """Hand the reading over; nobody calls `read` or `finish` after that. None where only a thread can read: through
        a proxy, or where the body is compressed."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Give the connection back if its body was read to the end, else end it. Idempotent."""

    @abstractmethod
    def cut(self) -> None:
        """End it from another thread: a blocked read fails at once. After `close` it does nothing."""
