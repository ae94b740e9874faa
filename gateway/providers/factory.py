"""Builds a provider from its resolved settings: one row for each wire.

A new wire adds a builder and a row here, and a name to `vendors.Wire`. So no other module asks which wire a provider
has. This module does not choose addresses or credentials (catalog and credentials do), and it starts nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.config import schema
from gateway.core.clock import Clock
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.base import Provider
from gateway.providers.catalog import Resolved
from gateway.providers.gemini import GeminiProvider
from gateway.providers.openai import RESPONSES_PATH, OpenAIProvider
from gateway.providers.token_limits import TokenLimits, configured
from gateway.providers.vendors import Wire
from gateway.upstream.session import SharedTransports, UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.anthropic_messages.outbound import AnthropicMessagesProvider
from gateway.wires.gemini import Gemini
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_responses.outbound import OpenAIResponsesProvider
from gateway.wires.reasoning_memory import ReasoningMemory


@dataclass(frozen=True, slots=True)
class ProviderParts:
    """What a builder puts together.

    Attributes:
        resolved: the provider's settings with its vendor's defaults.
        endpoint: the base address, without a trailing slash.
        session: connections to it.
        user_agents: its User-Agent texts.
        clock: for deadlines.
        memory: what clients do not give back between the calls of a conversation; all providers share it.
        quota_project: the Google project that calls are billed to, if it is known by now.
        max_tokens: the largest limits of an answer that requests may have.
    """

    resolved: Resolved
    endpoint: str
    session: UpstreamSession
    user_agents: UserAgentPool
    clock: Clock
    memory: ReasoningMemory
    quota_project: Callable[[], str | None]
    max_tokens: TokenLimits


def _openai_chat(parts: ProviderParts) -> Provider:
    resolved = parts.resolved
    return OpenAIProvider(
        resolved.name,
        parts.endpoint,
        session=parts.session,
        user_agents=parts.user_agents,
        wire=OpenAIChatProvider(resolved.dialect),
        stream_usage=resolved.stream_usage,
        clock=parts.clock,
        api_key_header=resolved.settings.api_key_header,
        quota_project=parts.quota_project,
        credential=parts.resolved.credential,
        max_tokens=parts.max_tokens,
        paths=parts.resolved.paths,
    )


def _openai_responses(parts: ProviderParts) -> Provider:
    resolved = parts.resolved
    return OpenAIProvider(
        resolved.name,
        parts.endpoint,
        session=parts.session,
        user_agents=parts.user_agents,
        wire=OpenAIResponsesProvider(resolved.name, parts.memory),
        stream_usage=True,
        clock=parts.clock,
        api_key_header=resolved.settings.api_key_header,
        quota_project=parts.quota_project,
        credential=resolved.credential,
        path=RESPONSES_PATH,
        max_tokens=parts.max_tokens,
        paths=resolved.paths,
    )


def _gemini(parts: ProviderParts) -> Provider:
    return GeminiProvider(
        parts.resolved.name,
        parts.endpoint,
        session=parts.session,
        user_agents=parts.user_agents,
        wire=Gemini(parts.memory),
        clock=parts.clock,
        api_key_header=parts.resolved.settings.api_key_header,
        quota_project=parts.quota_project,
        credential=parts.resolved.credential,
        max_tokens=parts.max_tokens,
        paths=parts.resolved.paths,
    )


def _anthropic_messages(parts: ProviderParts) -> Provider:
    return AnthropicProvider(
        parts.resolved.name,
        parts.endpoint,
        session=parts.session,
        user_agents=parts.user_agents,
        wire=AnthropicMessagesProvider(parts.memory),
        clock=parts.clock,
        api_key_header=parts.resolved.settings.api_key_header,
        credential=parts.resolved.credential,
        max_tokens=parts.max_tokens,
    )


BUILDERS: Final[Mapping[Wire, Callable[[ProviderParts], Provider]]] = {
    "openai_chat": _openai_chat,
    "openai_responses": _openai_responses,
    "gemini": _gemini,
    "anthropic_messages": _anthropic_messages,
}


class ProviderFactory:
    """Builds the providers of one configuration.

    Args:
        pool_size: idle connections that each provider keeps.
        environ: where CA bundles are read.
        clock: for deadlines.
        memory: what clients do not give back between the calls of a conversation.
        shared: connections that the providers of several configurations share; by default they share none.
        aliases: whose targets may have limits of their own.
    """

    def __init__(  # noqa: PLR0913 - what all providers of a configuration are built with, by name
        self,
        *,
        pool_size: int,
        environ: Mapping[str, str],
        clock: Clock,
        memory: ReasoningMemory,
        shared: SharedTransports | None = None,
        aliases: Sequence[schema.Alias] = (),
    ) -> None:
        self._shared = shared
        self._pool_size = pool_size
        self._environ = environ
        self._clock = clock
        self._memory = memory
        self._aliases = aliases

    def build(self, resolved: Resolved, endpoint: str, quota_project: Callable[[], str | None]) -> Provider:
        """A provider that can be asked; close it after use.

        Args:
            resolved: its settings.
            endpoint: its base address, without a trailing slash.
            quota_project: the Google project that calls are billed to, if it is known by now.
        """
        settings = resolved.settings
        agents = UserAgentPool(settings.user_agents, sticky=settings.user_agent_rotation == "credential")
        session = UpstreamSession(
            resolved.name,
            endpoint,
            pool_size=self._pool_size,
            connect_seconds=settings.timeouts.connect_seconds,
            environ=self._environ,
            shared=self._shared,
        )
        limits = configured(resolved.name, settings.max_output_tokens, self._aliases)
        parts = ProviderParts(resolved, endpoint, session, agents, self._clock, self._memory, quota_project, limits)
        try:
            return BUILDERS[resolved.wire](parts)
        except BaseException:
            session.close()
            raise
