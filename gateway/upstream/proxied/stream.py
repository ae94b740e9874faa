"""A response that requests has opened, as a ByteStream.

requests has one read timeout for a whole response, so each read begins with a limit of its own. Closing works while
another thread blocks in a read: it shuts the socket down first, which wakes that thread.
"""

import contextlib
import socket
import threading

import requests
import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

from gateway.core.no_op import no_op
from gateway.core.provider_failures import InvalidAnswer, ProviderTimeout
from gateway.net.sockets import plain, shut_down
from gateway.upstream.byte_stream import READ_SIZE, ByteStream
from gateway.upstream.proxied.timed_response import TimedResponse


class RequestsStream(ByteStream):
    """One response.

    Args:
        response: opened with `stream=True`; the stream owns it from here on.
        provider: the name for messages.
    """

    def __init__(self, response: requests.Response, provider: str) -> None:
        super().__init__(provider, response.status_code, response.headers)
        self._raw: urllib3.HTTPResponse = response.raw
        # urllib3 gives the connection back with the last byte of the body. Here `close` does: until then `cancel` may
        # shut the socket down, and it must not belong to another call by that time.
        self._release = self._raw.release_conn
        self._raw.release_conn = no_op  # type: ignore[method-assign]
        self._socket = _socket_of(self._raw)
        inner = getattr(self._raw, "_fp", None)
        self._limit = inner.limit if isinstance(inner, TimedResponse) else None
        self._lock = threading.Lock()
        self._closed = False
        self._cancelled = False

    def read(self, timeout: float) -> bytes:
        if self._limit is not None:
            self._limit.begin(timeout)
        elif self._socket is not None:
            with contextlib.suppress(OSError):  # closed meanwhile: the read below raises
                self._socket.settimeout(max(timeout, 0.001))
        try:
            data = self._raw.read1(READ_SIZE, decode_content=True)
        except (ReadTimeoutError, TimeoutError):
            raise ProviderTimeout(f"{self._provider} was silent for too long.") from None
        except (HTTPError, OSError, ValueError, AttributeError) as fault:
            # ValueError, AttributeError: http.client raises them when another thread has closed the response
            why = type(fault).__name__
            raise InvalidAnswer(f"{self._provider} broke off in the middle of its answer ({why}).") from None
        if not data and self._cancelled:  # where the connection's end is the body's end, cancelling looks like that end
            raise InvalidAnswer(f"The answer of {self._provider} was cut.")
        return data

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._cancelled or not self._ended():
            shut_down(self._socket)
            self._raw.close()
        self._release()

    def cancel(self) -> None:
        with self._lock:
            if not self._closed:
                self._cancelled = True
                shut_down(self._socket)

    def _ended(self) -> bool:
        inner = getattr(self._raw, "_fp", None)
        return inner is None or bool(inner.isclosed())


def _socket_of(raw: urllib3.HTTPResponse) -> socket.socket | None:
    """The socket under a response. With `Connection: close` http.client moves it from the connection to the response,
    so this looks in both places."""
    own = getattr(getattr(raw, "connection", None), "sock", None)
    if own is None:
        reader = getattr(getattr(raw, "_fp", None), "fp", None)
        own = getattr(getattr(reader, "raw", None), "_sock", None)
    return None if own is None else plain(own)
