"""OpenAI, and every API that is compatible with it: one address, one wire, a Bearer key or one in its own header."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from gateway.auth.auth_manager import Credential
from gateway.core.clock import Clock
from gateway.providers.http_provider import Api, HttpProvider
from gateway.upstream.session import UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.base import OutboundWire

PATH: Final = "/chat/completions"
QUOTA_PROJECT: Final = "x-goog-user-project"
"""Whom Google bills and limits: https://cloud.google.com/apis/docs/system-parameters (2026-11)"""


class OpenAIProvider(HttpProvider):
    """A provider that speaks chat completions.

    Args:
        name: as in the configuration.
        endpoint: the base address, without a trailing slash.
        session: connections to it; closed with the provider.
        user_agents: what to call ourselves.
        wire: the outbound half to speak.
        stream_usage: whether the server takes `stream_options`.
        clock: for deadlines.
        api_key_header: the header that the credential is sent in, as it is; None sends it as a Bearer token.
        quota_project: the Google project that calls are billed to, if one is known by now.
    """

    def __init__(  # noqa: PLR0913 - one place puts a provider together
        self,
        name: str,
        endpoint: str,
        *,
        session: UpstreamSession,
        user_agents: UserAgentPool,
        wire: OutboundWire,
        stream_usage: bool,
        clock: Clock,
        api_key_header: str | None = None,
        quota_project: Callable[[], str | None] = lambda: None,
    ) -> None:
        url = endpoint + PATH
        api = Api(wire, lambda model, stream: url, partial(_headers, api_key_header, quota_project), stream_usage)
        super().__init__(name, api, session=session, user_agents=user_agents, clock=clock)


def _headers(own: str | None, quota_project: Callable[[], str | None], credential: Credential) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    if credential.secret is not None:
        value = credential.secret.reveal()
        headers = {"Authorization": f"Bearer {value}"} if own is None else {own: value}
    if project := quota_project():
        headers[QUOTA_PROJECT] = project
    return headers
