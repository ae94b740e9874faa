"""A provider over HTTP, for every vendor: one POST, its status, and its answer or first content within a time limit.

An `Api` holds what differs between vendors: the wire, the address, and the headers for a credential. This module names
no vendor, and a vendor's module holds nothing but its Api.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from gateway.auth.credential import Credential
from gateway.core.answer import ChatChunk
from gateway.core.clock import Clock
from gateway.core.provider_failures import CredentialRefused, InvalidAnswer, ProviderTimeout
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest
from gateway.providers import other_form
from gateway.providers.base import Answer, AttemptContext, OpenStream
from gateway.providers.token_limits import UNLIMITED, TokenLimits
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.session import UpstreamSession
from gateway.upstream.transport import HttpRequest
from gateway.upstream.user_agents import UserAgentPool
from gateway.wires.base import Decoder, OutboundWire

MAX_ANSWER: Final = 64 << 20
MAX_ERROR: Final = 64 << 10
MAX_PRELUDE: Final = 1_000
"""Chunks without content before the first content. Servers that read a long prompt may send one a second."""


@dataclass(frozen=True, slots=True)
class Api:
    """What differs between vendors.

    Attributes:
        wire: the outbound half of a wire.
        address: the URL for a model (the vendor's own name) and for streaming or not. Raises TargetModelMissing if this
            cannot be the name of a model.
        headers: the headers that authenticate with a credential. Its secret has only characters that a header may have.
        stream_usage: whether to ask for token counts at the end of a stream.
    """

    wire: OutboundWire
    address: Callable[[str, bool], str]
    headers: Callable[[Credential], Mapping[str, str]]
    stream_usage: bool = True


class HttpProvider:
    """Implements gateway.providers.base.Provider for one vendor's API.

    Args:
        name: as in the configuration.
        api: what differs between vendors.
        session: connections to it; closed with the provider.
        user_agents: its User-Agent texts.
        clock: for deadlines.
        credential: what a refusal names: the credential and where it is corrected.
        max_tokens: the largest limits of an answer that requests may have.
    """

    def __init__(  # noqa: PLR0913 - one place puts a provider together
        self,
        name: str,
        api: Api,
        *,
        session: UpstreamSession,
        user_agents: UserAgentPool,
        clock: Clock,
        credential: str = "its credential",
        max_tokens: TokenLimits = UNLIMITED,
    ) -> None:
        self.name = name
        self._max_tokens = max_tokens
        self._credential = credential
        self._api = api
        self._session = session
        self._user_agents = user_agents
        self._clock = clock

    def send(self, request: ChatRequest, context: AttemptContext) -> Answer:
        self._check(context.credential)
        try:
            return self._send(request, context)
        except CredentialRefused as refusal:
            raise self._named(refusal) from None

    def open(self, request: ChatRequest, context: AttemptContext) -> OpenStream:
        self._check(context.credential)
        try:
            return self._open(request, context)
        except CredentialRefused as refusal:
            raise self._named(refusal) from None

    def close(self) -> None:
        self._session.close()

    def _check(self, credential: Credential) -> None:
        value = "" if credential.secret is None else credential.secret.reveal()
        if not (value.isascii() and value.isprintable()):  # an ellipsis or a line end that was copied along
            raise CredentialRefused(f"{self.name} was not asked: {self._credential} has a character that no key has.")

    def _named(self, refusal: CredentialRefused) -> CredentialRefused:
        """The refusal with the provider's name, and with a code that is not that of a caller's own wrong key."""
        named = refusal.with_message(f"{self.name} refused {self._credential}: {refusal.message}")
        named.code = CredentialRefused.code
        return named

    def _send(self, request: ChatRequest, context: AttemptContext) -> Answer:
        address = self._api.address(context.model, False)
        rendered = self._api.wire.render_request(request, context.model, self._ask(context, usage=False))
        timeouts = self._first_content_timeouts(context)
        body = self._post(address, rendered, context, timeouts)
        try:
            deadline = self._timeouts(context.deadline)
            begun = self._past_blanks(body, body.read(next(deadline)), timeouts)
            content = body.read_all(MAX_ANSWER, deadline, begun)
        finally:
            body.close()
        wire, now = self._api.wire, self._now()
        if other_form.is_stream(content):
            response = other_form.joined(content, wire.decoder(now, other_form.in_neutral_form(rendered)))
        else:
            response = wire.parse_response(content, now, rendered)
        return Answer(response, body.headers, rendered.dropped)

    def _open(self, request: ChatRequest, context: AttemptContext) -> OpenStream:
        address = self._api.address(context.model, True)
        ask = self._ask(context, usage=self._api.stream_usage)
        rendered = self._api.wire.render_request(request, context.model, ask)
        if context.continues:
            rendered = replace(rendered, may_be_empty=True)
        timeouts = self._first_content_timeouts(context)
        body = self._post(address, rendered, context, timeouts)
        try:
            data = body.read(next(timeouts))
            if other_form.is_whole(data):
                data += body.read_all(MAX_ANSWER, self._timeouts(context.deadline))
                return self._whole_as_stream(data, body, rendered)
            decoder = self._api.wire.decoder(self._now(), rendered)
            first = self._first_content(data, body, decoder, timeouts)
            self._check_content(first, decoder, may_be_empty=context.continues)
        except BaseException:
            body.close()
            raise
        return OpenStream(first, decoder, body, rendered.dropped)

    def _whole_as_stream(self, content: bytes, body: ByteStream, rendered: Rendered) -> OpenStream:
        """A whole answer where a stream was asked for, as a stream of one chunk. Raises the failure that it is."""
        response = self._api.wire.parse_response(content, self._now(), other_form.in_neutral_form(rendered))
        return OpenStream([other_form.chunk_of(response)], other_form.Ended(response.mended), body, rendered.dropped)

    def _ask(self, context: AttemptContext, *, usage: bool) -> Ask:
        """How a request is rendered, with the smaller of the limits that are configured and learned."""
        learned, most = context.adjustments, self._max_tokens.of(context.model)
        if most is None or (learned.max_tokens is not None and learned.max_tokens < most):
            return Ask(usage, learned)
        return Ask(usage, replace(learned, max_tokens=most))

    def _post(self, address: str, rendered: Rendered, context: AttemptContext, timeouts: Iterator[float]) -> ByteStream:
        """Send the request and return the body of a 200. Raises the failure that any other status means."""
        headers = _joined(rendered.headers, self._headers(context.credential))
        request = HttpRequest(f"{address}?{rendered.query}" if rendered.query else address, headers, rendered.body)
        body = self._session.post(request, next(timeouts), context.on_wait, context.on_sent)
        context.on_wait(body)
        context.on_head(body.status, body.headers)
        if body.status == 200:
            return body
        try:
            content = body.read_all(MAX_ERROR, timeouts)
        except (InvalidAnswer, ProviderTimeout):
            content = b""  # the status is enough to classify the failure
        finally:
            body.close()
        raise self._api.wire.parse_error(body.status, body.headers, content)

    def _headers(self, credential: Credential) -> Mapping[str, str]:
        return {
            "User-Agent": self._user_agents.pick(credential.fingerprint),
            "Accept": "application/json",
            **self._api.headers(credential),
        }

    def _past_blanks(self, body: ByteStream, data: bytes, timeouts: Iterator[float]) -> bytes:
        """Read a whole answer up to its first bytes that are more than blanks. Some providers send those meanwhile, and
        they are no begin of an answer."""
        if not data.isspace():
            return data
        parts = [data]
        size = len(data)
        while parts[-1].isspace() and size <= MAX_ANSWER:
            parts.append(body.read(next(timeouts)))
            size += len(parts[-1])
        return b"".join(parts)

    def _first_content(
        self, data: bytes, body: ByteStream, decoder: Decoder, timeouts: Iterator[float]
    ) -> list[ChatChunk]:
        """Read up to the first content, or to the end where there is none, and return all chunks until then. `data`:
        what was read already. Raises the failure that the stream tells."""
        chunks = decoder.feed(data)
        size = len(data)
        while not any(chunk.has_content for chunk in chunks):
            if decoder.fault:
                raise decoder.fault
            if len(chunks) > MAX_PRELUDE or size > MAX_ANSWER:
                raise InvalidAnswer(f"{self.name} sent a stream that goes on without saying anything.")
            if decoder.done or not data:
                break
            data = body.read(next(timeouts))
            size += len(data)
            chunks += decoder.feed(data) if data else decoder.close()
        return chunks

    def _check_content(self, chunks: list[ChatChunk], decoder: Decoder, *, may_be_empty: bool) -> None:
        """Check that a stream has begun to say something, or that it ended regularly and need not."""
        if any(chunk.has_content for chunk in chunks):
            return
        if not (may_be_empty and chunks and decoder.complete):
            raise decoder.fault or InvalidAnswer(f"{self.name} ended its stream without saying anything.")

    def _first_content_timeouts(self, context: AttemptContext) -> Iterator[float]:
        """The timeouts of all waits until the first content."""
        return self._timeouts(min(self._clock.monotonic() + context.first_content, context.deadline))

    def _timeouts(self, limit: float) -> Iterator[float]:
        """The timeout in seconds for each further wait of an attempt. Raises ProviderTimeout once the limit is reached.

        Args:
            limit: monotonic seconds at which all waits must be over.
        """
        while True:
            left = limit - self._clock.monotonic()
            if left <= 0:
                raise ProviderTimeout(f"{self.name} did not answer within its time.")
            yield left

    def _now(self) -> int:
        return int(self._clock.wall())


def _joined(of_request: Mapping[str, str], of_credential: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of both; a name that both have is a list (RFC 9110 section 5.3)."""
    if not of_request:
        return of_credential
    both = {name: f"{value},{of_credential[name]}" for name, value in of_request.items() if name in of_credential}
    return {**of_request, **of_credential, **both}
