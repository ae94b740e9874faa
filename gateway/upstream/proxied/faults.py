"""What went wrong with a call through requests, as a failure with a text for people.

The library's own texts hold the address and may hold a header, so none of them leaves this module. A proxy that is at
fault is named as the proxy: the provider has not even been asked.
"""

import re
import ssl
from collections.abc import Iterator, Sequence
from http.client import RemoteDisconnected
from typing import Final
from urllib.parse import urlsplit

import requests

from gateway.core.errors import GatewayError
from gateway.core.provider_failures import ConnectionFailed, ProviderTimeout
from gateway.net.descriptors import is_exhausted
from gateway.upstream.certificates import TrustStore, handshake_fault
from gateway.upstream.proxied.adapter import ProxiedCall
from gateway.upstream.proxied.proxies import Proxy
from gateway.upstream.transport import no_descriptor, unreached, unresolved

_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d{3})\b")
"""What urllib3 and http.client raise where a proxy answers CONNECT with another status than 200."""


class ProxiedFaults:
    """The failures of one provider's calls.

    Args:
        provider: the name for messages.
        endpoint: the base address.
        proxy: stands before it; None if none does.
        trust: whom TLS trusts.
        connect_seconds: how long connecting may take.
    """

    def __init__(
        self, provider: str, endpoint: str, proxy: Proxy | None, trust: TrustStore, connect_seconds: float
    ) -> None:
        self._provider = provider
        address = urlsplit(endpoint)
        self._host = address.hostname or ""
        self._is_secure = address.scheme == "https"
        self._proxy = proxy
        self._trust = trust
        self._connect_seconds = connect_seconds

    def failure(self, fault: Exception, call: ProxiedCall, timeout: float) -> GatewayError:
        """The failure that a raised exception means.

        Args:
            fault: what requests or urllib3 raised.
            call: what the connection has noted.
            timeout: seconds that the head of the answer had.
        """
        causes = list(_causes(fault))
        if any(is_exhausted(cause) for cause in causes):
            return no_descriptor(self._provider)
        if call.stuck:
            return unreached(self._provider, f"it took nothing more of the request for {call.seconds[0]:g} s")
        if isinstance(fault, requests.ReadTimeout):
            return ProviderTimeout(f"{self._provider} did not answer within {timeout:.0f} s.")
        if isinstance(fault, requests.exceptions.ProxyError) and self._proxy is not None:
            what = f"{self._provider} could not be reached through {self._proxy}"
            return self._not_connected(what, self._proxy.address, causes, call)
        what = f"{self._provider} could not be reached"
        about_trust = _has(causes, ssl.SSLError) or not isinstance(fault, requests.RequestException)
        if self._is_secure and about_trust and self._trust.fault is not None:
            return unreached(self._provider, self._trust.fault)
        if isinstance(fault, requests.ConnectTimeout) or _has(causes, ssl.SSLError):
            return self._not_connected(what, self._host, causes, call)
        return unreached(self._provider, _cause(causes))

    def _not_connected(
        self, what: str, host: str, causes: Sequence[BaseException], call: ProxiedCall
    ) -> ConnectionFailed:
        """The failure of connecting.

        Args:
            what: failed, as the beginning of the text.
            host: that was connected to, or whose certificate it was.
            causes: what was raised.
            call: what the connection has noted.
        """
        if call.unresolved:
            return unresolved(what, self._connect_seconds)
        if (refused := _refused(causes)) is not None:
            return ConnectionFailed(f"{what}: it answered {refused}.")
        for cause in causes:
            if isinstance(cause, ssl.SSLError):
                return ConnectionFailed(f"{what}: {handshake_fault(cause, host, self._trust)}.")
        if _has(causes, TimeoutError):
            return ConnectionFailed(f"{what} within {self._connect_seconds:g} s.")
        return ConnectionFailed(f"{what}: {_cause(causes)}.")


def _refused(causes: Sequence[BaseException]) -> str | None:
    """What a proxy answered that opens no tunnel, and what helps; None if it was not asked."""
    status = next((found[1] for cause in causes if (found := _TUNNEL.search(str(cause)))), None)
    if status == "407":
        return "407, so it wants a user and a password: name it as http://USER:PASSWORD@HOST:PORT"
    return status


def _has(causes: Sequence[BaseException], kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in causes)


def _cause(causes: Sequence[BaseException]) -> str:
    """The innermost known cause in short: `Connection refused`, `Name or service not known`, or a class name."""
    text = type(causes[0]).__name__
    for seen in causes:
        if isinstance(seen, RemoteDisconnected):
            text = "it closed the connection without an answer"
        elif isinstance(seen, OSError) and seen.strerror:
            text = seen.strerror
    return text


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """What was raised, and what it was raised for, the innermost last."""
    seen: BaseException | None = fault
    while seen is not None:
        yield seen
        inner = (getattr(seen, "reason", None), *seen.args[:1], seen.__cause__, seen.__context__)
        seen = next((each for each in inner if isinstance(each, BaseException)), None)
