"""A provider that is asked over HTTP, whoever it is: one POST, its status, its answer or its first content, in time.

What differs between vendors comes in as an `Api`: the wire, the address and how the credential is shown. So no vendor
is named here, and a vendor's module holds nothing else.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.auth.auth_manager import Credential
from gateway.core.answer import ChatChunk
from gateway.core.clock import Clock
from gateway.core.provider_failures import CredentialRefused, InvalidAnswer, ProviderFailure, ProviderTimeout
from gateway.core.request import ChatRequest, Rendered
from gateway.providers.base import Answer, OpenStream, Terms
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.session import UpstreamSession
from gateway.upstream.transport import Post
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.base import Decoder, OutboundWire

MAX_ANSWER: Final = 64 << 20
MAX_ERROR: Final = 64 << 10
MAX_PRELUDE: Final = 1_000
"""Pieces of a stream that say nothing before one does. Servers that read a long prompt may send one a second."""


@dataclass(frozen=True, slots=True)
class Api:
    """A vendor's end.

    Attributes:
        wire: the outbound half to speak.
        address: where to ask, from the vendor's name for the model and whether the answer is to be streamed. Raises
            TargetModelMissing where that cannot be the name of a model.
        headers: who asks, from a credential whose secret can stand in a header.
        stream_usage: whether token counts have to be asked for at a stream's end, and may be.
    """

    wire: OutboundWire
    address: Callable[[str, bool], str]
    headers: Callable[[Credential], Mapping[str, str]]
    stream_usage: bool = True


class HttpProvider:
    """The contract of gateway.providers.base, for one vendor's API.

    Args:
        name: as in the configuration.
        api: the vendor's end.
        session: connections to it; closed with the provider.
        user_agents: what to call ourselves.
        clock: for deadlines.
    """

    def __init__(
        self, name: str, api: Api, *, session: UpstreamSession, user_agents: UserAgentPool, clock: Clock
    ) -> None:
        self.name = name
        self._api = api
        self._session = session
        self._user_agents = user_agents
        self._clock = clock

    def send(self, request: ChatRequest, terms: Terms) -> Answer:
        address = self._api.address(terms.model, False)
        rendered = self._api.wire.render_request(request, terms.model, ask_usage=False)
        body = self._post(address, rendered, terms, self._first_waits(terms))
        try:
            content = body.read_all(MAX_ANSWER, self._waits(terms.deadline))
        finally:
            body.close()
        return Answer(self._api.wire.parse_response(content, self._now(), rendered), body.headers, rendered.dropped)

    def open(self, request: ChatRequest, terms: Terms) -> OpenStream:
        address = self._api.address(terms.model, True)
        rendered = self._api.wire.render_request(request, terms.model, ask_usage=self._api.stream_usage)
        waits = self._first_waits(terms)
        body = self._post(address, rendered, terms, waits)
        try:
            decoder = self._api.wire.decoder(self._now(), rendered)
            first = self._first_content(body, decoder, waits, rendered)
        except BaseException:
            body.close()
            raise
        return OpenStream(first, decoder, body, rendered.dropped)

    def close(self) -> None:
        self._session.close()

    def _post(self, address: str, rendered: Rendered, terms: Terms, waits: Iterator[float]) -> ByteStream:
        """The opened answer, if its status is 200; the meaning of its status otherwise."""
        call = Post(address, self._headers(terms.credential), rendered.body)
        body = self._session.post(call, next(waits), terms.waiting, terms.sent)
        terms.waiting(body)
        if body.status == 200:
            return body
        try:
            told = body.read_all(MAX_ERROR, waits)
        except (InvalidAnswer, ProviderTimeout):
            told = b""  # the status alone says enough
        finally:
            body.close()
        raise self._api.wire.parse_error(body.status, body.headers, told)

    def _headers(self, credential: Credential) -> Mapping[str, str]:
        value = credential.secret.reveal() if credential.secret else ""
        if not (value.isascii() and value.isprintable()):  # an ellipsis or a line end that came along in copying
            raise CredentialRefused(f"The credential for {self.name} has characters that cannot be sent.")
        return {
            "User-Agent": self._user_agents.pick(credential.fingerprint),
            "Accept": "application/json",
            **self._api.headers(credential),
        }

    def _first_content(
        self, body: ByteStream, decoder: Decoder, waits: Iterator[float], rendered: Rendered
    ) -> list[ChatChunk]:
        """Read until something is said. What is not a stream of chunks has said nothing by its end."""
        data = body.read(next(waits))
        if data.lstrip().startswith((b"{", b"[")):  # no line of a stream begins so
            raise self._instead(data + body.read_all(MAX_ERROR, waits), rendered)
        chunks = decoder.feed(data)
        size = len(data)
        while not any(chunk.has_content for chunk in chunks):
            if decoder.fault:
                raise decoder.fault
            if len(chunks) > MAX_PRELUDE or size > MAX_ANSWER:
                raise InvalidAnswer(f"{self.name} sent a stream that goes on without saying anything.")
            if decoder.done:
                raise InvalidAnswer(f"{self.name} ended its stream without saying anything.")
            data = data and body.read(next(waits))
            size += len(data)
            chunks += decoder.feed(data) if data else decoder.close()
            if not data and not any(chunk.has_content for chunk in chunks):
                raise decoder.fault or InvalidAnswer(f"{self.name} ended its stream without saying anything.")
        return chunks

    def _instead(self, content: bytes, rendered: Rendered) -> ProviderFailure:
        """What a JSON object in place of a stream means: mostly it is an error under a 200."""
        try:
            self._api.wire.parse_response(content, self._now(), rendered)
        except ProviderFailure as failure:
            return failure
        return InvalidAnswer(f"{self.name} sent a whole answer where a stream was asked for.")

    def _first_waits(self, terms: Terms) -> Iterator[float]:
        """As `_waits`, until the first content is due."""
        return self._waits(min(self._clock.monotonic() + terms.first_content, terms.deadline))

    def _waits(self, limit: float) -> Iterator[float]:
        """Seconds for each further wait of one try: what is left until the limit, in monotonic seconds."""
        while True:
            left = limit - self._clock.monotonic()
            if left <= 0:
                raise ProviderTimeout(f"{self.name} did not answer within its time.")
            yield left

    def _now(self) -> int:
        return int(self._clock.wall())
