"""OpenAI, and every API that is compatible with it: one address, one wire, a Bearer key or one in its own header."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from gateway.auth.auth_manager import Credential
from gateway.core.chat import ChatRequest, Rendered
from gateway.core.clock import Clock
from gateway.core.errors import BrokenAnswer, CredentialRefused, ProviderFailure, Silent
from gateway.core.stream import ChatChunk
from gateway.providers.base import Answer, OpenStream, Terms
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.session import Post, UpstreamSession
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.base import Decoder, OutboundWire

PATH: Final = "/chat/completions"
MAX_ANSWER: Final = 64 << 20
MAX_ERROR: Final = 64 << 10
QUOTA_PROJECT: Final = "x-goog-user-project"
"""Whom Google bills and limits: https://cloud.google.com/apis/docs/system-parameters (2026-11)"""


class OpenAIProvider:
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
        self.name = name
        self._url = endpoint + PATH
        self._session = session
        self._user_agents = user_agents
        self._wire = wire
        self._stream_usage = stream_usage
        self._clock = clock
        self._api_key_header = api_key_header
        self._quota_project = quota_project

    def send(self, request: ChatRequest, terms: Terms) -> Answer:
        rendered = self._wire.render_request(request, terms.model, ask_usage=False)
        body = self._post(rendered, terms, self._waits(terms))
        try:
            content = body.read_all(MAX_ANSWER, self._waits(replace(terms, first_content=math.inf)))
        finally:
            body.close()
        return Answer(self._wire.parse_response(content, self._now(), rendered), body.headers, rendered.dropped)

    def open(self, request: ChatRequest, terms: Terms) -> OpenStream:
        rendered = self._wire.render_request(request, terms.model, ask_usage=self._stream_usage)
        waits = self._waits(terms)
        body = self._post(rendered, terms, waits)
        try:
            decoder = self._wire.decoder(self._now(), rendered)
            first = self._first_content(body, decoder, waits, rendered)
        except BaseException:
            body.close()
            raise
        return OpenStream(first, decoder, body, rendered.dropped)

    def close(self) -> None:
        self._session.close()

    def _post(self, rendered: Rendered, terms: Terms, waits: Iterator[float]) -> ByteStream:
        """The opened answer, if its status is 200; the meaning of its status otherwise."""
        call = Post(self._url, self._headers(terms.credential), rendered.body)
        body = self._session.post(call, next(waits), terms.waiting, terms.sent)
        terms.waiting(body)
        if body.status == 200:
            return body
        try:
            told = body.read_all(MAX_ERROR, waits)
        except (BrokenAnswer, Silent):
            told = b""  # the status alone says enough
        finally:
            body.close()
        raise self._wire.parse_error(body.status, body.headers, told)

    def _headers(self, credential: Credential) -> Mapping[str, str]:
        headers = {"User-Agent": self._user_agents.pick(credential.fingerprint), "Accept": "application/json"}
        if credential.secret is not None:
            value = credential.secret.reveal()
            if not (value.isascii() and value.isprintable()):  # an ellipsis or a line end that came along in copying
                raise CredentialRefused(f"The credential for {self.name} has characters that cannot be sent.")
            if self._api_key_header is None:
                headers["Authorization"] = f"Bearer {value}"
            else:
                headers[self._api_key_header] = value
        if project := self._quota_project():
            headers[QUOTA_PROJECT] = project
        return headers

    def _first_content(
        self, body: ByteStream, decoder: Decoder, waits: Iterator[float], rendered: Rendered
    ) -> list[ChatChunk]:
        """Read until something is said. What is not a stream of chunks has said nothing by its end."""
        data = body.read(next(waits))
        if data.lstrip().startswith((b"{", b"[")):  # no line of a stream begins so
            raise self._instead(data + body.read_all(MAX_ERROR, waits), rendered)
        chunks = decoder.feed(data)
        while not any(chunk.has_content for chunk in chunks):
            if decoder.fault:
                raise decoder.fault
            if decoder.done:
                raise BrokenAnswer(f"{self.name} ended its stream without saying anything.")
            data = data and body.read(next(waits))
            chunks += decoder.feed(data) if data else decoder.close()
            if not data and not any(chunk.has_content for chunk in chunks):
                raise decoder.fault or BrokenAnswer(f"{self.name} ended its stream without saying anything.")
        return chunks

    def _instead(self, content: bytes, rendered: Rendered) -> ProviderFailure:
        """What a JSON object in place of a stream means: mostly it is an error under a 200."""
        try:
            self._wire.parse_response(content, self._now(), rendered)
        except ProviderFailure as failure:
            return failure
        return BrokenAnswer(f"{self.name} sent a whole answer where a stream was asked for.")

    def _waits(self, terms: Terms) -> Iterator[float]:
        """Seconds for each further wait of one try: what is left until the first content and until the deadline."""
        limit = min(self._clock.monotonic() + terms.first_content, terms.deadline)
        while True:
            left = limit - self._clock.monotonic()
            if left <= 0:
                raise Silent(f"{self.name} did not answer within its time.")
            yield left

    def _now(self) -> int:
        return int(self._clock.wall())
