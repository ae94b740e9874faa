"""Both ways to a provider, opened and used the same: for every test that what holds for one holds for the other."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from gateway.core.clock import Clock
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.proxied.transport import RequestsTransport
from gateway.upstream.session import UpstreamSession
from gateway.upstream.transport import HttpRequest, Transport
from tests.support.upstream_script import ScriptedUpstream

KEY = "canary-key-3141592653"
LONG = 20.0  # seconds; only a hang takes so long
SHORT = 0.05


class Opening(Protocol):
    """Opens a transport: one of the two, or the session that decides between them."""

    def __call__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        environ: Mapping[str, str] | None = None,
        connect_seconds: float = LONG,
        clock: Clock | None = None,
    ) -> Transport: ...


def chosen(
    url: str,
    *,
    pool_size: int = 8,
    environ: Mapping[str, str] | None = None,
    connect_seconds: float = LONG,
    clock: Clock | None = None,
) -> Transport:
    return UpstreamSession(
        "acme", url, pool_size=pool_size, connect_seconds=connect_seconds, environ=environ or {}, clock=clock
    )


def through_requests(
    url: str,
    *,
    pool_size: int = 8,
    environ: Mapping[str, str] | None = None,
    connect_seconds: float = LONG,
    clock: Clock | None = None,
) -> Transport:
    return RequestsTransport(
        "acme", url, pool_size=pool_size, connect_seconds=connect_seconds, environ=environ or {}, clock=clock
    )


BOTH: Mapping[str, Opening] = {"direct": chosen, "requests": through_requests}


def post(url: str, body: bytes = b"{}") -> HttpRequest:
    return HttpRequest(f"{url}/chat/completions", {"User-Agent": "Test/1", "Authorization": f"Bearer {KEY}"}, body)


def open_stream(session: Transport, up: ScriptedUpstream, timeout: float = LONG) -> ByteStream:
    return session.post(post(up.base_url), timeout, unwatched)


def unwatched(pending: PendingResponse) -> None:
    """The test does not cancel this call."""


def forever(timeout: float = LONG) -> Iterator[float]:
    return itertools.repeat(timeout)


def everything(stream: ByteStream) -> bytes:
    try:
        return stream.read_all(1 << 20, forever())
    finally:
        stream.close()


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
