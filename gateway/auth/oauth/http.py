"""One HTTP request to an authorization server, with limits of size and time.

Nothing is automatic here. No redirect is followed: it would carry a code or a secret to a server that is not
configured. No request is repeated: a refresh token may be valid for one use only. No connection is kept: the next
request comes in minutes or hours and would find it half closed. The libraries' error texts do not leave this module,
because they contain addresses and may contain a header. It knows no field of OAuth.
"""

import ssl
import threading
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from gateway.auth.oauth.endpoint import OAuthResponse, trusted_address
from gateway.auth.oauth.errors import OAuthRefused, OAuthUnreachable
from gateway.core.clock import Clock, SystemClock
from gateway.core.provider_failures import ProviderFailure, ProviderTimeout
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.certificates import TrustStore, handshake_fault
from gateway.upstream.proxied.proxies import proxy_of
from gateway.upstream.proxied.stream import RequestsStream
from gateway.upstream.proxied.transport import plain_session
from gateway.upstream.user_agents import own_name

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0
MAX_RESPONSE: Final = 65_536
"""Bytes. A token response has a few KB, a discovery document under 20."""


class OAuthHttp:
    """Sends requests to authorization servers. Safe to use from many threads.

    Args:
        environ: for REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE.
        read_seconds: limit in seconds for the head of a response, and then for its whole body.
        clock: measures the second limit.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        read_seconds: float = READ_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        self._environ = environ
        self._read_seconds = read_seconds
        self._clock = clock or SystemClock()
        self._sessions: dict[str, requests.Session] = {}
        self._lock = threading.Lock()  # guards the sessions

    def get(self, url: str) -> OAuthResponse:
        """Fetch a document. Raises the same errors as `post`."""
        return self._ask("GET", url, {}, None)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> OAuthResponse:
        """Send a request once.

        Raises:
            OAuthRefused: `url` is no trusted_address; nothing was sent.
            OAuthUnreachable: no connection, no complete response in time, more than MAX_RESPONSE bytes, or a redirect.
        """
        return self._ask("POST", url, headers, body)

    def close(self) -> None:
        """Close all sessions. Idempotent."""
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.close()

    def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> OAuthResponse:
        if not trusted_address(url):
            raise OAuthRefused("untrusted_endpoint", "an endpoint must be an https address, or one on this machine")
        host = urlsplit(url).hostname or ""
        sent = self._send(method, url, headers, body)
        if isinstance(sent, str):  # raised outside the except, so that no library's exception is chained to it
            raise OAuthUnreachable(f"{host} {sent}")
        stream = RequestsStream(sent, host)
        try:
            return OAuthResponse(stream.status, stream.headers.get("content-type", ""), self._body(stream, host))
        finally:
            stream.cancel()  # even if the server would keep the connection: the pool would reuse it
            stream.close()

    def _body(self, stream: ByteStream, host: str) -> bytes:
        if 300 <= stream.status < 400:
            raise OAuthUnreachable(f"{host} answered with a redirect ({stream.status}), which is not followed")
        try:
            return stream.read_all(MAX_RESPONSE, self._timeouts())
        except ProviderTimeout:
            why = f"{host} did not send its whole answer within {self._read_seconds:g} s"
        except ProviderFailure as failure:
            why = failure.message.rstrip(".")
        raise OAuthUnreachable(why)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> requests.Response | str:
        """The response's head, or why there is none."""
        fields = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": own_name(),
            **headers,
        }
        try:
            return self._session(url).request(
                method,
                url,
                headers=fields,
                data=body,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_SECONDS, self._read_seconds),
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as fault:  # ValueError: not a header's text
            return self._why(fault, url)

    def _session(self, url: str) -> requests.Session:
        """The session of a host: each host may have a proxy of its own."""
        origin = urlsplit(url).netloc
        with self._lock:
            if origin not in self._sessions:
                self._sessions[origin] = plain_session(url, self._environ)
            return self._sessions[origin]

    def _timeouts(self) -> Iterator[float]:
        """The seconds left for each read, so that a body that trickles in has a deadline too."""
        deadline = self._clock.monotonic() + self._read_seconds
        while True:
            yield max(deadline - self._clock.monotonic(), 0.001)

    def _why(self, fault: Exception, url: str) -> str:
        if isinstance(fault, requests.ReadTimeout):
            return f"did not answer within {self._read_seconds:g} s"
        if isinstance(fault, requests.ConnectTimeout):
            return f"could not be reached within {CONNECT_SECONDS:g} s"
        proxy = proxy_of(url) if isinstance(fault, requests.exceptions.ProxyError) else None
        through = f" through {proxy}" if proxy is not None else ""
        broken = next((each for each in _causes(fault) if isinstance(each, ssl.SSLError)), None)
        if broken is not None:
            host = proxy.address if proxy is not None else urlsplit(url).hostname or ""
            return f"could not be reached{through}: {handshake_fault(broken, host, TrustStore.of(self._environ))}"
        return f"could not be reached{through} ({_cause(fault)})"


def _cause(fault: BaseException) -> str:
    """The innermost operating system error's text (`Connection refused`), else the exception's class."""
    texts = [each.strerror for each in _causes(fault) if isinstance(each, OSError) and each.strerror]
    return texts[-1] if texts else type(fault).__name__


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """An exception and what it was raised from, the outermost first. requests keeps urllib3's in `args`."""
    seen: BaseException | None = fault
    while seen is not None:
        yield seen
        within = (getattr(seen, "reason", None), *seen.args)
        inner = next((each for each in within if isinstance(each, BaseException)), None)
        seen = inner or seen.__cause__ or seen.__context__
