"""What the handler asks of a provider, and what it gets back.

`send` and `open` return only what answers: whatever else happens is raised as a ProviderFailure, so that failing over
is one `except`. A stream is handed over with its first content already read, before any status has gone out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from gateway.auth.auth_manager import Credential
from gateway.core.answer import ChatChunk, ChatResponse
from gateway.core.request import ChatRequest
from gateway.upstream.byte_stream import ByteStream
from gateway.wires.base import Decoder


class Cuttable(Protocol):
    """Something that a reading thread may block on, and that can be ended from another thread."""

    def cut(self) -> None:
        """End it now."""


class Terms(Struct, frozen=True):
    """How one try is to be made.

    Attributes:
        model: the provider's own name for it.
        credential: what to authenticate with.
        deadline: monotonic seconds after which nobody wants the answer.
        first_content: seconds until the first content.
        waiting: is given what the try waits for next, so that it can be cut from outside.
        sent: is called when the request has left for the provider.
    """

    model: str
    credential: Credential
    deadline: float
    first_content: float
    waiting: Callable[[Cuttable], None]
    sent: Callable[[], None]


class Answer(Struct, frozen=True):
    """A whole answer, the provider's headers beside it, and what of the request it was not told."""

    response: ChatResponse
    headers: Mapping[str, str]
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenStream:
    """A stream that has begun to answer. Whoever holds it closes `body`."""

    first: list[ChatChunk]
    decoder: Decoder
    body: ByteStream
    dropped: tuple[str, ...]

    @property
    def headers(self) -> Mapping[str, str]:
        return self.body.headers


class Provider(Protocol):
    """Someone who answers."""

    name: str

    def send(self, request: ChatRequest, terms: Terms) -> Answer:
        """The whole answer. Raises ProviderFailure."""

    def open(self, request: ChatRequest, terms: Terms) -> OpenStream:
        """A stream with its first content read. Raises ProviderFailure."""

    def close(self) -> None:
        """Close idle connections."""
