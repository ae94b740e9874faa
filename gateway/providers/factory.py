"""Builds a provider from its resolved settings: one row for each wire.

A new wire adds a builder and a row here, and a name to `catalog.Wire`. So no other module asks which wire a provider
has. This module does not choose addresses or credentials (catalog and credentials do), and it starts nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.clock import Clock
from gateway.providers.base import Provider
from gateway.providers.catalog import Resolved
from gateway.providers.gemini import GeminiProvider
from gateway.providers.openai import OpenAIProvider
from gateway.providers.vendors import Wire
from gateway.upstream.session import SharedTransports, UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.gemini import Gemini
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
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
    """

    resolved: Resolved
    endpoint: str
    session: UpstreamSession
    user_agents: UserAgentPool
    clock: Clock
    memory: ReasoningMemory
    quota_project: Callable[[], str | None]


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
    )


BUILDERS: Final[Mapping[Wire, Callable[[ProviderParts], Provider]]] = {"openai_chat": _openai_chat, "gemini": _gemini}


class ProviderFactory:
    """Builds the providers of one configuration.

    Args:
        pool_size: idle connections that each provider keeps.
        environ: where CA bundles are read.
        clock: for deadlines.
        memory: what clients do not give back between the calls of a conversation.
        shared: connections that the providers of several configurations share; by default they share none.
    """

    def __init__(
        self,
        *,
        pool_size: int,
        environ: Mapping[str, str],
        clock: Clock,
        memory: ReasoningMemory,
        shared: SharedTransports | None = None,
    ) -> None:
        self._shared = shared
        self._pool_size = pool_size
        self._environ = environ
        self._clock = clock
        self._memory = memory

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
        parts = ProviderParts(resolved, endpoint, session, agents, self._clock, self._memory, quota_project)
        try:
            return BUILDERS[resolved.wire](parts)
        except BaseException:
            session.close()
            raise
