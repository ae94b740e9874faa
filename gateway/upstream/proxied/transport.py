"""The transport through requests: for providers behind a proxy. A login uses its session.

By default requests follows redirects with the key in them, prefers the credentials in ~/.netrc to ours, replays one
caller's cookies to another, and looks up the proxy at every call. So all of that is off, and this module reads the
proxy and the CA bundle once. It must not put the library's texts into messages: they hold the address and may hold a
header.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from http.client import RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy

import requests
from urllib3.exceptions import HTTPError

from gateway.core.errors import GatewayError
from gateway.core.no_op import no_op
from gateway.core.provider_failures import ConnectionFailed, ProviderTimeout
from gateway.net.descriptors import is_exhausted
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.certificates import ca_bundle
from gateway.upstream.proxied.adapter import CancellableAdapter, ThreadPending
from gateway.upstream.proxied.proxies import proxies_for
from gateway.upstream.proxied.stream import RequestsStream
from gateway.upstream.transport import DEFAULT_HEADERS, HttpRequest, no_descriptor


class _PlainSession(requests.Session):
    """A session that treats a redirect as an ordinary status. Even with allow_redirects=False, requests reads a
    redirect's body without a limit and parses its Location, which may be malformed."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


def plain_session(endpoint: str, environ: Mapping[str, str]) -> requests.Session:
    """A session without redirects, cookies and netrc. It keeps the proxy and CA bundle that the environment names now.

    Args:
        endpoint: an address it will be used for, which decides on a proxy.
        environ: where REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE are read.
    """
    session = _PlainSession()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.proxies = proxies_for(endpoint)
    session.verify = ca_bundle(environ) or True
    return session


class RequestsTransport:
    """Implements gateway.upstream.transport.Transport.

    Args:
        provider: the name for messages.
        endpoint: the base address, which decides on a proxy.
        pool_size: connections kept; with fewer than there are threads, urllib3 discards some.
        connect_seconds: limit for each address tried, TLS included, and for each 16 KiB of a request on its way out.
        environ: where the CA bundle is read.
    """

    def __init__(
        self, provider: str, endpoint: str, *, pool_size: int, connect_seconds: float, environ: Mapping[str, str]
    ) -> None:
        self._provider = provider
        self._connect_seconds = connect_seconds
        self._session = plain_session(endpoint, environ)
        self._pending = ThreadPending()
        adapter = CancellableAdapter(self._pending, pool_size)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def post(
        self,
        request: HttpRequest,
        timeout: float,
        on_wait: Callable[[PendingResponse], None],
        on_sent: Callable[[], None] = no_op,
    ) -> ByteStream:
        pending = self._pending.current = PendingResponse(on_sent)
        on_wait(pending)
        try:
            # The session must not prepare the request: it would merge its own cookies, settings and auth, which is a
            # fifth of a call's cost. The body is a file, because a file leaves in pieces with a time limit each. As
            # bytes it would have connect_seconds in all, which is too short for a few images on a slow line.
            prepared = requests.PreparedRequest()
            headers = {**DEFAULT_HEADERS, **request.headers}
            prepared.prepare("POST", request.url, headers=headers, data=io.BytesIO(request.body))
            response = self._session.send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=(min(self._connect_seconds, timeout), timeout),
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as fault:  # ValueError: not a valid header
            raise self._failed(fault, timeout) from None
        finally:
            self._pending.current = None
            pending.finish()
        return RequestsStream(response, self._provider)

    def close(self) -> None:
        self._session.close()

    def _failed(self, fault: Exception, timeout: float) -> GatewayError:
        """The failure, without the library's text, which holds the address and may hold a header."""
        if any(is_exhausted(cause) for cause in _causes(fault)):
            return no_descriptor(self._provider)
        if isinstance(fault, requests.ReadTimeout):
            return ProviderTimeout(f"{self._provider} did not answer within {timeout:.0f} s.")
        if isinstance(fault, requests.ConnectTimeout):
            return ConnectionFailed(f"{self._provider} could not be reached within {self._connect_seconds:g} s.")
        if isinstance(fault, requests.exceptions.SSLError):
            return ConnectionFailed(f"{self._provider} could not be reached: the TLS handshake failed.")
        return ConnectionFailed(f"{self._provider} could not be reached ({_cause(fault)}).")


def _cause(fault: BaseException) -> str:
    """The innermost known cause in short: `Connection refused`, `Name or service not known`, or a class name."""
    cause = type(fault).__name__
    for seen in _causes(fault):
        if isinstance(seen, RemoteDisconnected):
            cause = "it closed the connection without an answer"
        elif isinstance(seen, OSError) and seen.strerror:
            cause = seen.strerror
    return cause


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """What was raised, and what it was raised for, the innermost last."""
    seen: BaseException | None = fault
    while seen is not None:
        yield seen
        inner = getattr(seen, "reason", None)
        following = seen.__cause__ or seen.__context__
        seen = inner if isinstance(inner, BaseException) else following
