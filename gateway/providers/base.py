"""The interface of a provider: what the handler asks of it, and what it gets back.

`send` and `open` return only answers. They raise everything else as a ProviderFailure, so that failover is one
`except`. `open` returns a stream with its first content already read, because no status has gone to the caller before
that. The interface does not show which wire a provider has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from msgspec import Struct

from gateway.auth.credential import Credential
from gateway.core.answer import ChatChunk, ChatResponse, Usage
from gateway.core.passed import PassedRequest
from gateway.core.rendered import Adjustments
from gateway.core.request import ChatRequest
from gateway.limits.permit import UNLIMITED, Permit
from gateway.upstream.byte_stream import ByteStream
from gateway.wires.base import Decoder


class Cancellable(Protocol):
    """Something that a thread may block on and that another thread can cancel."""

    def cancel(self) -> None:
        """End it now: the blocked thread wakes and fails. May be called from any thread, more than once."""


def _unlimited() -> Permit:
    return UNLIMITED


def _ignored(status: int, headers: Mapping[str, str]) -> None:
    """Nobody wants to know."""


class AttemptContext(Struct, frozen=True):
    """What a provider needs for one attempt, besides the request.

    Attributes:
        model: the provider's own name for the model.
        credential: what to authenticate with.
        deadline: monotonic seconds at which the attempt ends.
        first_content: seconds until the first content must be there.
        on_wait: is given what the attempt waits for next, so that another thread can cancel it.
        on_sent: is called when the request has left for the provider.
        adjustments: what was learned of the target.
        continues: the answer continues another one, to which nothing may have to be added.
        on_head: is called with the status and the headers of every answer, and never blocks.
        further_permit: waits for the right to send one more request, where an attempt takes several, and returns it.
            Raises Limited.
    """

    model: str
    credential: Credential
    deadline: float
    first_content: float
    on_wait: Callable[[Cancellable], None]
    on_sent: Callable[[], None]
    adjustments: Adjustments = Adjustments()
    continues: bool = False
    further_permit: Callable[[], Permit] = _unlimited
    on_head: Callable[[int, Mapping[str, str]], None] = _ignored


class Answer(Struct, frozen=True):
    """A whole answer.

    Attributes:
        response: its content.
        headers: the provider's.
        dropped: the fields of the request that the provider did not get.
        content: the caller's body; empty until it is written.
    """

    response: ChatResponse
    headers: Mapping[str, str]
    dropped: tuple[str, ...]
    content: bytes = b""


class Forwarded(Struct, frozen=True):
    """A whole answer of an endpoint beside chat.

    Attributes:
        content: its body, with the provider's name for the model.
        headers: the provider's.
        dropped: the fields of the request that the provider did not get.
        usage: the token counts; None where there are none.
        estimated: `usage` is an estimate, because the provider counted nothing.
    """

    content: bytes
    headers: Mapping[str, str]
    dropped: tuple[str, ...] = ()
    usage: Usage | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class OpenStream:
    """A stream that has begun to answer. Its holder closes `body`.

    Attributes:
        first: the chunks up to the first content.
        decoder: turns further bytes into chunks.
        body: the bytes that follow.
        dropped: the fields of the request that the provider did not get.
    """

    first: list[ChatChunk]
    decoder: Decoder
    body: ByteStream
    dropped: tuple[str, ...]

    @property
    def headers(self) -> Mapping[str, str]:
        return self.body.headers

    @property
    def wire(self) -> str:
        """The name of the provider's wire."""
        return self.first[0].source.wire


class Provider(Protocol):
    """A provider of models. Safe to use from many threads."""

    name: str

    def send(self, request: ChatRequest, context: AttemptContext) -> Answer:
        """Ask for a whole answer. Raises ProviderFailure."""

    def open(self, request: ChatRequest, context: AttemptContext) -> OpenStream:
        """Ask for a stream and read it up to its first content. Raises ProviderFailure."""

    def close(self) -> None:
        """Close the idle connections."""


@runtime_checkable
class Forwarder(Protocol):
    """A provider that has endpoints beside chat."""

    def forward(self, request: PassedRequest, context: AttemptContext) -> Forwarded | OpenStream:
        """Ask for what the request's endpoint gives. Raises ProviderFailure."""
