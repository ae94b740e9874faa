"""The OAuth clients of a running gateway: one a login, made when its first token runs out.

Most processes never renew most of their logins, and a server whose token endpoint is not configured has to be asked for
it first; neither is worth doing at the start. What a server hands out is reported at once, so that no log shows it.
"""

import threading
from collections.abc import Callable, Mapping
from typing import TypeAlias

from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.discovery import discover
from gateway.auth.oauth.settings import OAuthSettings, OAuthUnreachable, TokenReply, with_endpoints
from gateway.core.clock import Clock
from gateway.core.secrets import Secret

Learned: TypeAlias = Callable[[Secret], None]


class RenewingClient:
    """Renews the tokens of one login. Safe to use from many threads.

    Args:
        settings: how to log in; a token endpoint that is missing is looked for where the server publishes it.
        environ: where the CA bundle is told.
        clock: measures how long an answer takes.
        learned: is given every secret that goes out or comes in.
    """

    def __init__(self, settings: OAuthSettings, environ: Mapping[str, str], clock: Clock, learned: Learned) -> None:
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._learned = learned
        self._client: OAuthClient | None = None
        self._lock = threading.Lock()  # over the settings and the client

    def refresh(self, refresh_token: Secret) -> TokenReply:
        """A new access token. Raises OAuthRefused and OAuthUnreachable."""
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
            if self._settings.token_endpoint is None:  # the server may only be out of reach: never a reason to log in
                raise OAuthUnreachable("its tokenEndpoint is not configured, and the server does not publish one now")
            if self._client is None:
                self._client = OAuthClient(self._settings, self._environ, self._clock)
            return self._client


class Clients:
    """A RenewingClient for each login, by the provider's name. Safe to use from many threads.

    Args:
        logins: how to log in, by provider.
        environ: where the CA bundle is told.
        clock: measures how long an answer takes.
        learned: is given every secret that goes out or comes in.
    """

    def __init__(
        self, logins: Mapping[str, OAuthSettings], environ: Mapping[str, str], clock: Clock, learned: Learned
    ) -> None:
        self._clients = {name: RenewingClient(settings, environ, clock, learned) for name, settings in logins.items()}

    def __call__(self, provider: str) -> RenewingClient:
        """The provider's client; any other name is a KeyError."""
        return self._clients[provider]

    def close(self) -> None:
        """Close all connections. Idempotent."""
        for client in self._clients.values():
            client.close()
