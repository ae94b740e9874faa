"""Anthropic's own API, and every server that speaks it: one address, and a key has another header than a token.

Source: https://platform.claude.com/docs/en/api/overview, and the client library of Anthropic for the header of tokens
(2026-11).
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from gateway.auth.credential import Credential
from gateway.core.clock import Clock
from gateway.providers.http_provider import Api, HttpProvider
from gateway.providers.token_limits import UNLIMITED, TokenLimits
from gateway.upstream.session import UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.base import OutboundWire

PATH: Final = "/v1/messages"
KEY_HEADER: Final = "x-api-key"
TOKEN_HEADERS: Final[Mapping[str, str]] = {"anthropic-beta": "oauth-2025-04-20"}
"""Goes with a token of OAuth; it joins the beta features that the request names."""


class AnthropicProvider(HttpProvider):
    """A provider with Anthropic's Messages API.

    Args:
        name: as in the configuration.
        endpoint: the base address, without a trailing slash, with or without /v1.
        session: connections to it; closed with the provider.
        user_agents: its User-Agent texts.
        wire: the outbound half of its wire.
        clock: for deadlines.
        api_key_header: the header that holds the bare credential; None sends a key in `x-api-key` and a token as a
            Bearer token.
        credential, max_tokens: see HttpProvider.
    """

    def __init__(  # noqa: PLR0913 - one place puts a provider together
        self,
        name: str,
        endpoint: str,
        *,
        session: UpstreamSession,
        user_agents: UserAgentPool,
        wire: OutboundWire,
        clock: Clock,
        api_key_header: str | None = None,
        credential: str = "its credential",
        max_tokens: TokenLimits = UNLIMITED,
    ) -> None:
        url = endpoint.removesuffix("/v1") + PATH
        api = Api(wire, lambda model, stream: url, partial(_headers, api_key_header))
        super().__init__(
            name,
            api,
            session=session,
            user_agents=user_agents,
            clock=clock,
            credential=credential,
            max_tokens=max_tokens,
        )


def _headers(key_header: str | None, credential: Credential) -> Mapping[str, str]:
    """The header for a key or for a token, never both: the API refuses two credentials."""
    if credential.secret is None:
        return {}
    value = credential.secret.reveal()
    if credential.kind == "api_key" or key_header is not None:
        return {key_header or KEY_HEADER: value}
    return {"Authorization": f"Bearer {value}", **TOKEN_HEADERS}
