"""The transport through requests: for providers behind a proxy. A login uses its session.

By default requests follows redirects with the key in them, prefers the credentials in ~/.netrc to ours, replays one
caller's cookies to another, and looks up the proxy at every call. So all of that is off, and this module reads the
proxy and the CA bundle once. It must not put the library's texts into messages: they hold the address and may hold a
header.
"""

import io
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy

import requests
from urllib3.exceptions import HTTPError

from gateway.core.clock import Clock, SystemClock
from gateway.core.no_op import no_op
from gateway.net.resolver import Resolver
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.certificates import TrustStore, ca_bundle
from gateway.upstream.proxied.adapter import CancellableAdapter, ProxiedCall, ThreadCall
from gateway.upstream.proxied.faults import ProxiedFaults
from gateway.upstream.proxied.proxies import proxies_for, proxy_of
from gateway.upstream.proxied.stream import RequestsStream
from gateway.upstream.proxied.timed_response import ReadLimit
from gateway.upstream.transport import DEFAULT_HEADERS, HttpRequest, is_idle_timeout, unreached


class _PlainSession(requests.Session):
    """A session that treats a redirect as an ordinary status. Even with allow_redirects=False, requests reads a
    redirect's body without a limit and parses its Location, which may be malformed."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


def plain_session(
    endpoint: str, environ: Mapping[str, str], calls: ThreadCall | None = None, pool_size: int = 1
) -> requests.Session:
    """A session without redirects, cookies and netrc. It keeps the proxy and CA bundle that the environment names now.

    Args:
        endpoint: an address it will be used for, which decides on a proxy.
        environ: where REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR are read.
        calls: the calls of the threads that use it; without them nobody cancels its requests.
        pool_size: connections kept.
    """
    clock = SystemClock()
    adapter = CancellableAdapter(calls or ThreadCall(Resolver(clock), clock), pool_size)
    session = _PlainSession()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.proxies = proxies_for(endpoint)
    session.verify = ca_bundle(environ) or True
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class RequestsTransport:
    """Implements gateway.upstream.transport.Transport.

    Args:
        provider: the name for messages.
        endpoint: the base address, which decides on a proxy.
        pool_size: connections kept; with fewer than there are threads, urllib3 discards some.
        connect_seconds: limit for looking the proxy up, for each address tried, for the tunnel, for TLS, and for each
            16 KiB of a request on its way out.
        environ: where the CA bundle is read.
        clock: measures the limits.
    """

    def __init__(  # noqa: PLR0913 - one place puts a transport together
        self,
        provider: str,
        endpoint: str,
        *,
        pool_size: int,
        connect_seconds: float,
        environ: Mapping[str, str],
        clock: Clock | None = None,
    ) -> None:
        self._connect_seconds = connect_seconds
        self._clock = clock or SystemClock()
        self._provider = provider
        self._proxy = proxy_of(endpoint)
        self._faults = ProxiedFaults(provider, endpoint, self._proxy, TrustStore.of(environ), connect_seconds)
        self._calls = ThreadCall(Resolver(self._clock), self._clock)
        self._session = plain_session(endpoint, environ, self._calls, pool_size)

    def post(
        self,
        request: HttpRequest,
        timeout: float,
        on_wait: Callable[[PendingResponse], None],
        on_sent: Callable[[], None] = no_op,
    ) -> ByteStream:
        if self._proxy is not None and self._proxy.fault is not None:
            raise unreached(self._provider, self._proxy.fault)
        pending = PendingResponse(on_sent)
        on_wait(pending)
        until = self._clock.monotonic() + timeout
        try:
            stream = self._ask(request, self._call(pending, timeout, fresh=False), timeout)
            if stream is None:  # a kept connection was lost
                left = max(until - self._clock.monotonic(), 0.001)
                stream = self._ask(request, self._call(pending, left, fresh=True), timeout)
            if stream is None:
                raise unreached(self._provider, "it closed the connection without an answer")
            return stream
        finally:
            self._calls.current = None
            pending.finish()

    def close(self) -> None:
        self._session.close()

    def _call(self, pending: PendingResponse, seconds: float, *, fresh: bool) -> ProxiedCall:
        limits = (min(self._connect_seconds, seconds), seconds)
        return ProxiedCall(pending, ReadLimit(self._clock), self._calls.resolver, limits, fresh=fresh)

    def _ask(self, request: HttpRequest, call: ProxiedCall, timeout: float) -> ByteStream | None:
        """Send the request and wait for the head of its answer; None if a kept connection was no good any more.

        Raises:
            GatewayError: there is no answer.
        """
        self._calls.current = call
        try:
            response = self._session.send(_prepared(request), stream=True, allow_redirects=False, timeout=call.seconds)
        except (requests.RequestException, HTTPError, OSError, ValueError) as fault:  # ValueError: not a valid header
            if call.was_lost(silent=isinstance(fault, requests.ReadTimeout)):
                return None
            raise self._faults.failure(fault, call, timeout) from None
        stream = RequestsStream(response, self._provider)
        if call.reused and not call.limit.is_patient and is_idle_timeout(stream.status, stream.headers):
            stream.close()
            return None
        return stream


def _prepared(request: HttpRequest) -> requests.PreparedRequest:
    """The request for a session, which must not prepare it: it would merge its own cookies, settings and auth, which is
    a fifth of a call's cost. The body is a file, because a file leaves in pieces with a time limit each. As bytes it
    would have connect_seconds in all, which is too short for a few images on a slow line."""
    prepared = requests.PreparedRequest()
    headers = {**DEFAULT_HEADERS, **request.headers}
    prepared.prepare("POST", request.url, headers=headers, data=io.BytesIO(request.body))
    return prepared
