"""A provider's answer as bytes: the owner of one response, who knows how long silence may last.

requests sets one read timeout for a whole response; a model needs three (until the first word, between words, in all).
So the owner sets the socket's timeout before each read. Closing is idempotent, and works from another thread while a
read blocks: the socket is shut down first, which wakes the reader.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping

import requests
import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

from gateway.core.errors import BrokenAnswer, ProviderFailure, Silent
from gateway.upstream.waiting import plain, shut_down

READ_SIZE = 65_536
DRAIN_SECONDS = 0.05
DRAIN_READS = 8


class ByteStream:
    """One response of a provider.

    Args:
        response: opened with `stream=True`; the stream owns it from here on.
        provider: the name for messages.
    """

    def __init__(self, response: requests.Response, provider: str) -> None:
        self._raw: urllib3.HTTPResponse = response.raw
        # urllib3 gives the connection back with the last byte of the body. Here it is `close` that does: until then
        # `cut` may shut the socket down, which must not be another call's by that time.
        self._release = self._raw.release_conn
        self._raw.release_conn = _nothing  # type: ignore[method-assign]
        self._provider = provider
        self._socket = _socket_of(self._raw)
        self._lock = threading.Lock()
        self._closed = False
        self._cut = False
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def read(self, timeout: float) -> bytes:
        """What has come, as soon as something has; b"" at the end of the body.

        Args:
            timeout: seconds of silence after which to give up.

        Raises:
            Silent: nothing came in time.
            BrokenAnswer: the connection broke, or what came was not HTTP.
        """
        if self._socket is not None:
            with contextlib.suppress(OSError):  # closed meanwhile: the read below says so
                self._socket.settimeout(max(timeout, 0.001))
        try:
            data = self._raw.read1(READ_SIZE, decode_content=True)
        except (ReadTimeoutError, TimeoutError):
            raise Silent(f"{self._provider} was silent for too long.") from None
        except (HTTPError, OSError, ValueError, AttributeError) as fault:
            # ValueError, AttributeError: what http.client raises when the response is closed under its feet
            why = type(fault).__name__
            raise BrokenAnswer(f"{self._provider} broke off in the middle of its answer ({why}).") from None
        if not data and self._cut:  # where the connection's end is the body's end, a cut looks like one
            raise BrokenAnswer(f"The answer of {self._provider} was cut.")
        return data

    def read_all(self, limit: int, timeouts: Iterator[float]) -> bytes:
        """The whole body, of at most `limit` bytes; `timeouts` gives the seconds for each read."""
        parts: list[bytes] = []
        size = 0
        while data := self.read(next(timeouts)):
            size += len(data)
            if size > limit:
                raise BrokenAnswer(f"{self._provider} sent an answer of more than {limit} bytes.")
            parts.append(data)
        return b"".join(parts)

    def finish(self) -> None:
        """The answer is complete: read the rest of its framing, so that the connection can serve again."""
        with contextlib.suppress(ProviderFailure):
            for _ in range(DRAIN_READS):  # whoever sends on and on is not waited for
                if not self.read(DRAIN_SECONDS):
                    return

    def close(self) -> None:
        """Give the connection back if its body was read to the end, else end it. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._cut or not self._ended():
            shut_down(self._socket)
            self._raw.close()
        self._release()

    def cut(self) -> None:
        """End it from another thread: a blocked read fails at once. After `close` it does nothing."""
        with self._lock:
            if not self._closed:
                self._cut = True
                shut_down(self._socket)

    def _ended(self) -> bool:
        inner = getattr(self._raw, "_fp", None)
        return inner is None or bool(inner.isclosed())


def _nothing() -> None:
    """Stands in for the release that comes too early."""


def _socket_of(raw: urllib3.HTTPResponse) -> socket.socket | None:
    """The socket under a response. http.client hands it from the connection to the response when the server says
    `Connection: close`, so both places are looked at."""
    own = getattr(getattr(raw, "connection", None), "sock", None)
    if own is None:
        reader = getattr(getattr(raw, "_fp", None), "fp", None)
        own = getattr(getattr(reader, "raw", None), "_sock", None)
    return None if own is None else plain(own)
