"""A provider's answer as bytes: the interface of both transports' streams.

A stream owns one provider response; every read has its own timeout. HTTP clients have one timeout, and a model needs
three: until the first word, between words, and in all. Nothing here knows what the bytes mean.
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
    """What an event loop needs to read a stream in place of the stream's own thread.

    The stream still owns the connection: `close` gives it back or ends it, as `ended` allows. `cancel` shuts the socket
    down, which makes it readable. So the event loop takes the socket out of its selector before it calls `close`, and
    never closes the socket itself.

    Attributes:
        connection: the socket, to be read without blocking. Over TLS it is an SSLSocket. Read that after each wake
            until it raises SSLWantReadError, because a selector does not see bytes that are already decrypted.
        early: the bytes of the body that were received already.
        feed: takes received bytes and returns the body's bytes in them; b"" means that the connection has ended. Raises
            InvalidAnswer.
        ended: whether the body is complete. Raises InvalidAnswer if it never will be.
        broken: turns an OSError of receiving into a failure.
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
        headers: of the response; names are found in any case.
    """

    def __init__(self, provider: str, status: int, headers: Mapping[str, str]) -> None:
        self._provider = provider
        self.status = status
        self.headers = headers

    @abstractmethod
    def read(self, timeout: float) -> bytes:
        """The next bytes of the body, as soon as some have come; b"" at its end.

        Args:
            timeout: seconds of silence after which the read fails.

        Raises:
            ProviderTimeout: nothing came in time.
            InvalidAnswer: the connection broke, or what came was not HTTP.
        """

    def read_all(self, limit: int, timeouts: Iterator[float], begun: bytes = b"") -> bytes:
        """The whole body.

        Args:
            limit: bytes that it may have.
            timeouts: the seconds for each read.
            begun: what was read of it before.

        Raises:
            ProviderTimeout: a read took longer.
            InvalidAnswer: the body has more bytes, or `read` raised it.
        """
        parts = [begun]
        size = len(begun)
        while size <= limit:
            data = self.read(next(timeouts))
            if not data:
                return b"".join(parts)
            size += len(data)
            parts.append(data)
        raise InvalidAnswer(f"{self._provider} sent an answer of more than {limit} bytes.")

    def finish(self) -> None:
        """Read the framing after a complete answer, so that the connection can serve again."""
        with contextlib.suppress(ProviderFailure):
            for _ in range(DRAIN_READS):  # a provider that goes on sending is not waited for
                if not self.read(DRAIN_SECONDS):
                    return

    def detach(self) -> Detached | None:
        """Hand the reading over to an event loop. After that, do not call `read` or `finish`.

        Returns:
            None where only a thread can read: through a proxy, or where the body is compressed.
        """
        return None

    @abstractmethod
    def close(self) -> None:
        """Give the connection back if the body was read to its end, otherwise close it. Idempotent."""

    @abstractmethod
    def cancel(self) -> None:
        """End the stream from another thread: a blocked read fails at once. Does nothing after `close`."""
