"""Calls through requests: where a proxy stands before the provider, and the questions of a login.

requests follows redirects with the key on, takes credentials from ~/.netrc over ours, replays cookies between callers
and looks the proxy up at every call; so all of that is off, and the proxy and the CA bundle are read once, here.
"""

import io
from collections.abc import Callable, Mapping
from http.client import RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy

import requests
from urllib3.exceptions import HTTPError

from gateway.core.provider_failures import ConnectionFailed, ProviderFailure, ProviderTimeout
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.connection import ca_bundle
from gateway.upstream.proxies import proxies_for
from gateway.upstream.requests_stream import RequestsStream
from gateway.upstream.transport import DEFAULT_HEADERS, Post, uncounted
from gateway.upstream.waiting import Wait
from gateway.upstream.watched_adapter import Waits, WatchedAdapter


class _PlainSession(requests.Session):
    """Even where it is told not to follow a redirect, requests reads its body without a limit and parses its Location,
    which may be none. So nothing is a redirect here, only a status."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


def plain_session(endpoint: str, environ: Mapping[str, str]) -> requests.Session:
    """A session that does nothing by itself: no redirects, cookies, netrc; the proxy and CA bundle as they are now.

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
    """The contract of gateway.upstream.transport.

    Args:
        provider: the name for messages.
        endpoint: the base address, which decides on a proxy.
        pool_size: connections kept; at least the number of threads, or urllib3 throws them away.
        connect_seconds: limit for each address tried, TLS included, and for each 16 KiB of a request on its way out.
        environ: where the CA bundle is read.
    """

    def __init__(
        self, provider: str, endpoint: str, *, pool_size: int, connect_seconds: float, environ: Mapping[str, str]
    ) -> None:
        self._provider = provider
        self._connect_seconds = connect_seconds
        self._session = plain_session(endpoint, environ)
        self._waits = Waits()
        adapter = WatchedAdapter(self._waits, pool_size)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def post(
        self, call: Post, timeout: float, waiting: Callable[[Wait], None], sent: Callable[[], None] = uncounted
    ) -> ByteStream:
        wait = self._waits.current = Wait(sent)
        waiting(wait)
        try:
            # Prepared by itself, not by the session: that would merge cookies, settings and auth of its own, a fifth
            # of a call's cost. As a file the body leaves in pieces with a time limit each; in one piece it had
            # connect_seconds in all, which a few images on a slow line do not keep.
            prepared = requests.PreparedRequest()
            headers = {**DEFAULT_HEADERS, **call.headers}
            prepared.prepare("POST", call.url, headers=headers, data=io.BytesIO(call.body))
            response = self._session.send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=(min(self._connect_seconds, timeout), timeout),
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as fault:  # ValueError: not a header's text
            raise self._failed(fault, timeout) from None
        finally:
            self._waits.current = None
            wait.over()
        return RequestsStream(response, self._provider)

    def close(self) -> None:
        self._session.close()

    def _failed(self, fault: Exception, timeout: float) -> ProviderFailure:
        """The failure without the library's text, which holds the address and may hold a header."""
        if isinstance(fault, requests.ReadTimeout):
            return ProviderTimeout(f"{self._provider} did not answer within {timeout:.0f} s.")
        if isinstance(fault, requests.ConnectTimeout):
            return ConnectionFailed(f"{self._provider} could not be reached within {self._connect_seconds:g} s.")
        if isinstance(fault, requests.exceptions.SSLError):
            return ConnectionFailed(f"{self._provider} could not be reached: the TLS handshake failed.")
        return ConnectionFailed(f"{self._provider} could not be reached ({_cause(fault)}).")


def _cause(fault: BaseException) -> str:
    """The innermost known cause in a word: `Connection refused`, `Name or service not known`, a class name."""
    seen: BaseException | None = fault
    words = type(fault).__name__
    while seen is not None:
        if isinstance(seen, RemoteDisconnected):
            words = "it closed the connection without an answer"
        elif isinstance(seen, OSError) and seen.strerror:
            words = seen.strerror
        inner = getattr(seen, "reason", None)
        following = seen.__cause__ or seen.__context__
        seen = inner if isinstance(inner, BaseException) else following
    return words
