"""Gemini's own API: the address holds the model, and a key has another header than a token.

Source: https://ai.google.dev/api/generate-content (2026-11).
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from gateway.auth.credential import Credential
from gateway.core.answer import Usage
from gateway.core.clock import Clock
from gateway.core.passed import PassedRequest
from gateway.core.provider_failures import TargetModelMissing, UnsupportedByTarget
from gateway.core.strict_json import JsonObject
from gateway.providers.base import Forwarded
from gateway.providers.forwarding import ForwardedCall, ForwardingProvider, Received
from gateway.providers.http_provider import Api
from gateway.providers.openai import QUOTA_PROJECT
from gateway.providers.token_limits import UNLIMITED, TokenLimits
from gateway.providers.vendors import NO_PATHS, Paths
from gateway.upstream.session import UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.base import OutboundWire
from gateway.wires.gemini import embeddings
from gateway.wires.passed.embeddings import render

KEY_HEADER: Final = "x-goog-api-key"
"""Never `?key=`: addresses end up in logs."""
SHOWN: Final = 100
"""Characters of a bad model name in an error message."""
_MODEL: Final = re.compile(r"(?P<kind>models/|tunedModels/)?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")


class GeminiProvider(ForwardingProvider):
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
        paths: the methods of its API that are endpoints beside chat; embeddings is the only one there can be.
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
        paths: Paths = NO_PATHS,
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
        self._endpoint = endpoint
        self._paths = paths

    def _call(self, passed: PassedRequest, model: str) -> ForwardedCall:
        """An embeddings request in Google's form: the only one that is translated."""
        method = self._paths.get(passed.endpoint)
        if method is None:
            raise UnsupportedByTarget(f"{self.name} has no {passed.endpoint}.", param="model")
        name = _name_of(model)
        calls = embeddings.render(passed.fields, name)

        def read(received: Received) -> Forwarded:
            found = embeddings.parse(received.contents, calls.sizes)
            tokens = calls.tokens if found.tokens is None else found.tokens
            members: JsonObject = {"model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
            return Forwarded(
                render(found.vectors, passed.fields.get("encoding_format"), members),
                received.headers,
                calls.dropped,
                Usage(tokens, 0),
                estimated=found.tokens is None,
            )

        return ForwardedCall(f"{self._endpoint}/{name}:{method}", calls.bodies, read)


def _address(endpoint: str, model: str, stream: bool) -> str:
    """The URL for a chat with a model."""
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"{endpoint}/{_name_of(model)}:{method}"


def _name_of(model: str) -> str:
    """A model's resource name. Callers may name any model (`gemini/NAME`), so only a valid name gets into the path."""
    found = _MODEL.fullmatch(model)
    if found is None:
        raise TargetModelMissing(
            f"{model[:SHOWN]!a} cannot be the name of a Gemini model: a name has letters, digits, dots, underscores and"
            " hyphens, and may begin with models/ or tunedModels/.",
            param="model",
        )
    return f"{found['kind'] or 'models/'}{found['name']}"


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
