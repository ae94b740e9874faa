"""Gemini's own API: the address holds the model, and a key has another header than a token.

Source: https://ai.google.dev/api/generate-content (2026-11).
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from gateway.auth.auth_manager import Credential
from gateway.core.clock import Clock
from gateway.core.provider_failures import TargetModelMissing
from gateway.providers.http_provider import Api, HttpProvider
from gateway.providers.openai import QUOTA_PROJECT
from gateway.providers.token_limits import UNLIMITED, TokenLimits
from gateway.upstream.session import UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.base import OutboundWire

KEY_HEADER: Final = "x-goog-api-key"
"""Never `?key=`: addresses end up in logs."""
SHOWN: Final = 100
"""Characters of a bad model name in an error message."""
_MODEL: Final = re.compile(r"(?P<kind>models/|tunedModels/)?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")


class GeminiProvider(HttpProvider):
    """A provider with Gemini's generateContent API.

    Args:
        name: as in the configuration.
        endpoint: the base address, without a trailing slash.
        session: connections to it; closed with the provider.
        user_agents: its User-Agent texts.
        wire: the outbound half of its wire.
        clock: for deadlines.
        api_key_header: the header that holds the bare credential; None sends a key in `x-goog-api-key` and a token as a
            Bearer token.
        quota_project: the Google project that a token's calls are billed to, if it is known by now. A key has its own.
        credential: see HttpProvider.
        max_tokens: see HttpProvider.
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
        quota_project: Callable[[], str | None] = lambda: None,
        credential: str = "its credential",
        max_tokens: TokenLimits = UNLIMITED,
    ) -> None:
        api = Api(wire, partial(_address, endpoint), partial(_headers, api_key_header, quota_project))
        super().__init__(
            name,
            api,
            session=session,
            user_agents=user_agents,
            clock=clock,
            credential=credential,
            max_tokens=max_tokens,
        )


def _address(endpoint: str, model: str, stream: bool) -> str:
    """The URL for a model. Callers may name any model (`gemini/NAME`), so only a valid name gets into the path."""
    found = _MODEL.fullmatch(model)
    if found is None:
        raise TargetModelMissing(
            f"{model[:SHOWN]!a} cannot be the name of a Gemini model: a name has letters, digits, dots, underscores and"
            " hyphens, and may begin with models/ or tunedModels/.",
            param="model",
        )
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"{endpoint}/{found['kind'] or 'models/'}{found['name']}:{method}"


def _headers(
    key_header: str | None, quota_project: Callable[[], str | None], credential: Credential
) -> Mapping[str, str]:
    """The header for a key or for a token, never both: Google would have to choose."""
    if credential.secret is None:
        return {}
    value = credential.secret.reveal()
    if credential.kind == "api_key":
        return {key_header or KEY_HEADER: value}
    project = quota_project()
    billed = {QUOTA_PROJECT: project} if project else {}
    return {**({"Authorization": f"Bearer {value}"} if key_header is None else {key_header: value}), **billed}
