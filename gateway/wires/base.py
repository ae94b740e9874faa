"""The contract of a wire format: the inbound half serves callers, the outbound half asks providers.

Wires handle bytes and values only. A wire knows no socket and no other wire, so a new wire changes no existing one.
"""

from collections.abc import Mapping
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from gateway.core.answer import ChatChunk, ChatResponse, Usage
from gateway.core.errors import GatewayError
from gateway.core.provider_failures import ProviderFailure
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest
from gateway.core.source import RequestContext

Headers: TypeAlias = tuple[tuple[str, str], ...]

MAX_CHOICES: Final = 128
"""Choices of one answer: OpenAI's maximum. It bounds the state that a decoder keeps for a provider's choices."""


class Naming(Struct, frozen=True):
    """What an answer shows the caller: `model` (None keeps the provider's name) and whether it shows `usage`."""

    model: str | None
    usage: bool


class Passthrough(Protocol):
    """Bypasses decoder and encoder for events that add only text, where both ends speak the same wire."""

    def take(self, data: bytes) -> tuple[bytes, str, bytes]:
        """Take as many events from the start of `data` as possible.

        Returns:
            The bytes that decoder and encoder would have made of them; their plain text; the rest of `data`. The caller
            must feed the rest, and nothing else, to the decoder before the next call. Nothing is buffered.
        """


class Encoder(Protocol):
    """Turns chunks into the caller's stream."""

    def passthrough(self, decoder: "Decoder") -> Passthrough | None:
        """A bypass of `decoder` and this encoder; None where every event needs both."""

    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes:
        """The bytes for one chunk, without the first `skip` characters of its plain text; empty where the caller gets
        nothing of it. Raises InvalidAnswer where this wire cannot express it; after that only `error` is called."""

    def answered_by(self, provider: str, spent: Usage | None) -> bytes:
        """A provider answers: called before its first chunk, and again for the stream that resumes a broken one.

        Args:
            provider: and the model, as the configuration names them.
            spent: the usage of the streams that broke, which is added to all later token counts.

        Returns:
            The bytes that tell the caller of it; none for the first provider.
        """

    def heartbeat(self) -> bytes:
        """Bytes that every reader of the stream ignores; they stand between two events."""

    def end(self) -> bytes:
        """The bytes that close a complete stream."""

    def error(self, error: GatewayError) -> bytes:
        """The bytes that close an incomplete stream: the error, and nothing that looks like a regular end."""


class Decoder(Protocol):
    """Turns a provider's stream into chunks."""

    fault: ProviderFailure | None
    """The error that the provider sent inside its stream."""
    done: bool
    """The stream has ended; later bytes are ignored."""
    skipped: int
    """The number of events that were skipped because they were unreadable."""

    @property
    def complete(self) -> bool:
        """Every choice has its finish; only usage may follow."""

    def feed(self, data: bytes) -> list[ChatChunk]:
        """The chunks that `data` completes. Raises InvalidAnswer when a limit is exceeded."""

    def close(self) -> list[ChatChunk]:
        """The chunks that were held back, at the end of the body or when the gateway stops reading it."""


class CallerWire(Protocol):
    """What a route answers in, whatever is answered: its errors and its headers."""

    def error_status(self, error: GatewayError) -> int:
        """The HTTP status of an error."""

    def render_error(self, error: GatewayError) -> bytes:
        """An error as the caller's body."""

    def error_event(self, error: GatewayError) -> bytes:
        """An error as the only event of a stream whose head is out already."""

    def reply_headers(self, request_id: str) -> Headers:
        """Headers of every reply that callers of this wire expect beside x-request-id."""


class InboundWire(CallerWire, Protocol):
    """The caller's half of a wire.

    Attributes:
        name: of the wire.
        request_headers: the headers of a request that belong to the wire, in lower case.
    """

    name: str
    request_headers: frozenset[str]

    def parse_request(self, body: bytes, context: RequestContext) -> ChatRequest:
        """Read and check a request body. Raises InvalidRequest, which names the field in the wire's own notation."""

    def resume_request(self, request: ChatRequest, text_so_far: str) -> ChatRequest:
        """A request that asks a model to continue an answer that broke off after `text_so_far`."""

    def render_response(self, response: ChatResponse, request: ChatRequest, naming: Naming) -> bytes:
        """A whole answer as the caller's body. Raises InvalidAnswer where this wire cannot express it, while another
        target may still be asked."""

    def encoder(self, request: ChatRequest, naming: Naming) -> Encoder:
        """A new encoder for one stream. It makes the first heartbeat too, so it exists before there is an answer."""

    def forwarded(self, headers: Mapping[str, str], wire: str) -> Headers:
        """The headers of a provider that clients of this wire read. `wire`: the provider's."""

    def field_name(self, name: str) -> str:
        """This wire's name for a field that an outbound wire has left out, which names it as OpenAI chat does."""


class CountingWire(InboundWire, Protocol):
    """An inbound wire whose callers may ask how many tokens a request has."""

    def parse_count(self, body: bytes, context: RequestContext) -> ChatRequest:
        """Read and check a request whose tokens are to be counted. Raises InvalidRequest."""

    def render_count(self, tokens: int) -> bytes:
        """A number of tokens as the caller's body."""


class OutboundWire(Protocol):
    """The provider's half of a wire.

    Attributes:
        name: of the wire.
        vendor: whose data it reads from the values' `extra`.
    """

    name: str
    vendor: str

    def render_request(self, request: ChatRequest, model: str, ask: Ask) -> Rendered:
        """The request for a provider: the source where the caller speaks this wire, else rendered from neutral form.

        Args:
            request: stays unchanged, because the next candidate gets it too.
            model: the provider's name for the model.
            ask: how this try is made.

        Raises:
            InvalidRequest: no provider could read the request.
            UnsupportedByTarget: this wire cannot express it, another one may.
        """

    def parse_response(self, body: bytes, now: int, asked: Rendered) -> ChatResponse:
        """Read a whole answer to `asked` that arrived at `now`, in seconds since the epoch. Raises ProviderFailure."""

    def decoder(self, now: int, asked: Rendered) -> Decoder:
        """A new decoder for one stream that answers `asked` and begins at `now`, in seconds since the epoch."""

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
        """The failure for an answer with a status other than 2xx."""
