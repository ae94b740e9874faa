"""Operations: what a target is asked to do.

Attempts, hedging and failover treat all operations alike. An operation knows its request, which method of a provider
carries it out, and how an answer that broke off is continued. It chooses no target and knows no wire.
"""

from collections.abc import Callable
from typing import Protocol, Self

from msgspec import Struct
from msgspec.structs import replace

from gateway.core.answer import ChatResponse
from gateway.core.request import ChatRequest
from gateway.providers.base import Answer, AttemptContext, OpenStream, Provider


class Operation(Protocol):
    """One thing that a caller wants done, by any target of a route. Every attempt starts from the same operation."""

    @property
    def streams(self) -> bool:
        """Whether the answer is a stream."""

    def ask(self, provider: Provider, context: AttemptContext) -> Answer | OpenStream:
        """Ask a provider. Raises ProviderFailure."""

    def continued(self, text_so_far: str) -> Self:
        """The operation that continues an answer which broke off after `text_so_far`."""


class Chat(Struct, frozen=True):
    """A chat.

    Attributes:
        request: the caller's request.
        write: a whole answer as the caller's body. Raises InvalidAnswer where the caller's wire cannot express it.
        continue_request: the caller's wire's request that continues an answer, from the request and the text so far.
        continues: it continues an answer, so it may have nothing to add.
    """

    request: ChatRequest
    write: Callable[[ChatResponse, ChatRequest], bytes]
    continue_request: Callable[[ChatRequest, str], ChatRequest]
    continues: bool = False

    @property
    def streams(self) -> bool:
        return self.request.stream

    def ask(self, provider: Provider, context: AttemptContext) -> Answer | OpenStream:
        """A whole answer is written at once: where the caller's wire cannot express it, another target may answer."""
        if self.request.stream:
            return provider.open(self.request, replace(context, continues=True) if self.continues else context)
        answer = provider.send(self.request, context)
        return replace(answer, content=self.write(answer.response, self.request))

    def continued(self, text_so_far: str) -> "Chat":
        """A chat without any text so far is asked again as it was."""
        if not text_so_far:
            return self
        return replace(self, request=self.continue_request(self.request, text_so_far), continues=True)
