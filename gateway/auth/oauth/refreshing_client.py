"""The OAuth clients of a running gateway, one for each login.

A client is made when the login's first token expires. Most processes never renew most of their logins, and a token
endpoint that is not configured must be discovered first, so both would be wasted work at the start. Every secret of a
renewal is reported at once, so that no log line shows it. When to renew is decided in renewal.py.
"""

import threading
from collections.abc import Callable, Mapping
from typing import TypeAlias

from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.discovery import discover
from gateway.auth.oauth.errors import OAuthUnreachable
from gateway.auth.oauth.settings import OAuthSettings, with_endpoints
from gateway.auth.oauth.token_reply import TokenReply
from gateway.core.clock import Clock
from gateway.core.secrets import Secret

OnSecret: TypeAlias = Callable[[Secret], None]
"""Called with a secret before any log line could contain it."""


class RefreshingClient:
    """Renews the tokens of one login. Safe to use from many threads.

    Args:
        settings: of the login; a missing token endpoint is discovered.
        environ: for the CA bundle's variables.
        clock: measures how long a response takes.
        on_secret: called with every secret that is sent or received.
    """

    def __init__(self, settings: OAuthSettings, environ: Mapping[str, str], clock: Clock, on_secret: OnSecret) -> None:
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._learned = on_secret
        self._client: OAuthClient | None = None
        self._lock = threading.Lock()  # guards the settings and the client

    def refresh(self, refresh_token: Secret) -> TokenReply:
        """Request a new access token. Raises OAuthRefused and OAuthUnreachable."""
        if self._settings.client_secret is not None:
            self._learned(self._settings.client_secret)
        self._learned(refresh_token)
        reply = self._ready().refresh(refresh_token)
        self._learned(reply.access_token)
        if reply.refresh_token is not None:
            self._learned(reply.refresh_token)
        return reply

    def close(self) -> None:
        """Close its connections. Idempotent."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ready(self) -> OAuthClient:
        with self._lock:
            if self._settings.token_endpoint is None:
                self._settings = with_endpoints(self._settings, discover(self._settings, self._environ))
            if self._settings.token_endpoint is None:  # perhaps the server is out of reach: no reason to log in
                raise OAuthUnreachable("its tokenEndpoint is not configured, and the server does not publish one now")
            if self._client is None:
                self._client = OAuthClient(self._settings, self._environ, self._clock)
            return self._client


class OAuthClients:
    """A RefreshingClient for each login, by the provider's name. Safe to use from many threads.

    Args:
        logins: the settings of each login, by provider.
        environ: for the CA bundle's variables.
        clock: measures how long a response takes.
        on_secret: called with every secret that is sent or received.
    """

    def __init__(
        self, logins: Mapping[str, OAuthSettings], environ: Mapping[str, str], clock: Clock, on_secret: OnSecret
    ) -> None:
        self._clients = {
            name: RefreshingClient(settings, environ, clock, on_secret) for name, settings in logins.items()
        }

    def __call__(self, provider: str) -> RefreshingClient:
        """The provider's client. Raises KeyError for any other name."""
        return self._clients[provider]

    def close(self) -> None:
        """Close all connections. Idempotent."""
        for client in self._clients.values():
            client.close()
