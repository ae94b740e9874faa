"""OpenAI, and every API that is compatible with it: chat completions, or the Responses API.

They have one address for all models. The credential is a Bearer token, or it has a header of its own.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final
from urllib.parse import urljoin

from gateway.auth.credential import Credential
from gateway.core.clock import Clock
from gateway.core.passed import PassedRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.providers.base import Forwarded
from gateway.providers.forwarding import ForwardedCall, ForwardingProvider, Received
from gateway.providers.http_provider import Api
from gateway.providers.token_limits import UNLIMITED, TokenLimits
from gateway.providers.vendors import NO_PATHS, Paths
from gateway.upstream.session import UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.base import OutboundWire
from gateway.wires.passed import answer, request
from gateway.wires.passed.completions import CompletionDecoder

PATH: Final = "/chat/completions"
RESPONSES_PATH: Final = "/responses"
QUOTA_PROJECT: Final = "x-goog-user-project"
"""For the project that Google bills and limits: https://cloud.google.com/apis/docs/system-parameters (2026-11)"""


class OpenAIProvider(ForwardingProvider):
    """A provider with an API of OpenAI's.

    Args:
        name: as in the configuration.
        endpoint: the base address, without a trailing slash.
        session: connections to it; closed with the provider.
        user_agents: its User-Agent texts.
        wire: the outbound half of its wire.
        path: of its API, behind the base address.
        stream_usage: whether the server accepts `stream_options`.
        clock: for deadlines.
        api_key_header: the header that holds the bare credential; None sends it as a Bearer token.
        quota_project: the Google project that calls are billed to, if it is known by now.
        credential: see HttpProvider.
        max_tokens: see HttpProvider.
        paths: its endpoints beside chat.
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
        credential: str = "its credential",
        path: str = PATH,
        max_tokens: TokenLimits = UNLIMITED,
        paths: Paths = NO_PATHS,
    ) -> None:
        url = endpoint + path
        api = Api(wire, lambda model, stream: url, partial(_headers, api_key_header, quota_project), stream_usage)
        super().__init__(
            name,
            api,
            session=session,
            user_agents=user_agents,
            clock=clock,
            credential=credential,
            max_tokens=max_tokens,
        )
        self._base = endpoint + "/"
        self._paths = paths

    def _call(self, passed: PassedRequest, model: str) -> ForwardedCall:
        path = self._paths.get(passed.endpoint)
        if path is None:
            raise UnsupportedByTarget(f"{self.name} has no {passed.endpoint}.", param="model")

        def read(received: Received) -> Forwarded:
            found = answer.read(received.contents[0], passed)
            return Forwarded(found.content, received.headers, usage=found.usage)

        bodies = (request.render(passed, model),)
        return ForwardedCall(urljoin(self._base, path), bodies, read, CompletionDecoder(passed))


def _headers(
    key_header: str | None, quota_project: Callable[[], str | None], credential: Credential
) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    if credential.secret is not None:
        value = credential.secret.reveal()
        headers = {"Authorization": f"Bearer {value}"} if key_header is None else {key_header: value}
    if project := quota_project():
        headers[QUOTA_PROJECT] = project
    return headers
