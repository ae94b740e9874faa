"""What a wire format offers. A caller's side needs the inbound half, a provider's side the outbound half.

Bytes and values only: a wire knows no socket and no other wire, so adding one touches nobody.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct

from gateway.core.answer import ChatChunk, ChatResponse, Usage
from gateway.core.errors import GatewayError
from gateway.core.provider_failures import ProviderFailure
from gateway.core.request import ChatRequest, Rendered

MAX_CHOICES: Final = 128
"""Choices of one answer: as many as OpenAI gives. What is kept of them must not grow as long as a provider likes."""


class Naming(Struct, frozen=True):
    """How an answer is shown: its `model` (None leaves the provider's own) and whether usage was asked for."""

    model: str | None
    usage: bool


class Passthrough(Protocol):
    """A way for the events that need neither decoder nor encoder, because they are of one wire and say only text."""

    def take(self, data: bytes) -> tuple[bytes, str, bytes]:
        """What decoder and encoder would have made of the first part of `data`, in bytes; the plain text in it; and
        the rest, which is for the decoder: it is to be given that before the next call, and nothing else. Nothing is
        held back."""


class Encoder(Protocol):
    """Chunks to the caller's stream."""

    def passthrough(self, decoder: "Decoder") -> Passthrough | None:
        """The way past `decoder` and this encoder; None where every event has to take both."""

    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes:
        """The bytes for one chunk without the first `skip` characters of its plain text; empty where the caller is not
        to see it."""

    def resumed(self, by: str, spent: Usage | None) -> bytes:
        """The chunks that follow are another stream's, which goes on where the first broke: to the caller they are one
        answer. Gives a comment that names `by`; `spent` is added to the token counts from here on."""

    def end(self) -> bytes:
        """What closes a stream that is complete."""

    def error(self, error: GatewayError) -> bytes:
        """What closes a stream that is not: the error, and nothing that looks like an end."""


class Decoder(Protocol):
    """A provider's stream to chunks."""

    fault: ProviderFailure | None
    """The error that the provider wrote into its stream."""
    done: bool
    """Nothing may follow."""
    skipped: int
    """Events that were unreadable and passed over."""

    @property
    def complete(self) -> bool:
        """Every choice has its finish: what may follow is usage."""

    def feed(self, data: bytes) -> list[ChatChunk]:
        """The chunks that `data` completes. Raises InvalidAnswer when a limit is passed."""

    def close(self) -> list[ChatChunk]:
        """The body ended, or nobody waits for its end: the chunks that were still held."""


class InboundWire(Protocol):
    """The caller's half."""

    def parse_request(self, body: bytes) -> ChatRequest:
        """Raises InvalidRequest naming the field."""

    def continued(self, request: ChatRequest, said: str) -> ChatRequest:
        """The request to go on exactly where an answer broke off that had said so much."""

    def render_response(self, response: ChatResponse, naming: Naming) -> bytes:
        """The whole answer for the caller."""

    def encoder(self, naming: Naming) -> Encoder:
        """A fresh encoder for one stream."""

    def render_error(self, error: GatewayError) -> bytes:
        """The error for the caller."""


class OutboundWire(Protocol):
    """The provider's half."""

    def render_request(self, request: ChatRequest, model: str, *, ask_usage: bool) -> Rendered:
        """The request for the provider, asking for `model`; `ask_usage`: token counts at a stream's end are wanted.

        Raises InvalidRequest where no provider could make sense of it, UnsupportedByTarget where only this wire cannot.
        """

    def parse_response(self, body: bytes, now: int, asked: Rendered) -> ChatResponse:
        """A whole answer to `asked` that came at `now`, in seconds since the epoch. Raises ProviderFailure."""

    def decoder(self, now: int, asked: Rendered) -> Decoder:
        """A fresh decoder for one stream that answers `asked` and begins at `now`, in seconds since the epoch."""

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailure:
        """What a status other than 2xx means."""


def usage_of(prompt: object, completion: object) -> Usage | None:
    """Usage from two JSON values, or None where neither is a count."""
    asked, answered = _count(prompt), _count(completion)
    if asked is None and answered is None:
        return None
    return Usage(asked or 0, answered or 0)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
