"""Operations: what a target is asked to do.

Attempts, hedging and failover treat all operations alike. An operation knows its request, which method of a provider
carries it out, and how an answer that broke off is continued. It chooses no target and knows no wire.
"""

from collections.abc import Callable
from typing import ClassVar, Final, Protocol, Self

from msgspec import Struct
from msgspec.structs import replace

from gateway.core.answer import ChatResponse
from gateway.core.errors import InvalidRequest
from gateway.core.passed import PassedRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import ChatRequest
from gateway.core.strict_json import dumps
from gateway.core.token_estimate import ROUGH_BYTES, rough_estimate, tokens_by_bytes
from gateway.limits.token_reserves import RequestSize
from gateway.providers.base import Answer, AttemptContext, Forwarded, Forwarder, OpenStream, Provider

FIRST_BYTE: Final = 120.0
"""Seconds until the first byte of an answer that passes. Embeddings and scores take seconds, so another target is worth
more than a longer wait."""
LARGEST_HEDGED: Final = 1 << 20
"""Bytes of a request that two targets may get at once. A larger one costs more than the time that this saves."""


class Operation(Protocol):
    """One thing that a caller wants done, by any target of a route. Every attempt starts from the same operation."""

    @property
    def streams(self) -> bool:
        """Whether the answer is a stream."""

    @property
    def hedged(self) -> bool:
        """Whether a second target may be asked beside a slow one."""

    @property
    def longest_wait(self) -> float | None:
        """Seconds until the first content, where the configuration sets no time; None for the rest of the call's."""

    def ask(self, provider: Provider, context: AttemptContext) -> Answer | Forwarded | OpenStream:
        """Ask a provider. Raises ProviderFailure."""

    def size(self) -> RequestSize:
        """Its tokens, as far as the request says; for limits that count tokens."""

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
    hedged: ClassVar[bool] = True
    longest_wait: ClassVar[float | None] = None

    @property
    def streams(self) -> bool:
        return self.request.stream

    def ask(self, provider: Provider, context: AttemptContext) -> Answer | OpenStream:
        """A whole answer is written at once: where the caller's wire cannot express it, another target may answer."""
        if self.request.stream:
            return provider.open(self.request, replace(context, continues=True) if self.continues else context)
        answer = provider.send(self.request, context)
        return replace(answer, content=self.write(answer.response, self.request))

    def size(self) -> RequestSize:
        try:
            prompt = self.request.prompt()
        except InvalidRequest:  # what has no neutral form may still pass as it is
            return RequestSize(len(dumps(self.request.source.body)) // ROUGH_BYTES, None)
        most = prompt.params.max_tokens
        return RequestSize(rough_estimate(prompt), None if most is None else most * self.request.choices)

    def continued(self, text_so_far: str) -> "Chat":
        """A chat without any text so far is asked again as it was."""
        if not text_so_far:
            return self
        return replace(self, request=self.continue_request(self.request, text_so_far), continues=True)


class Passed(Struct, frozen=True):
    """What an endpoint beside chat gives.

    Attributes:
        request: the caller's request.
    """

    request: PassedRequest
    longest_wait: ClassVar[float | None] = FIRST_BYTE

    @property
    def streams(self) -> bool:
        return self.request.stream

    @property
    def hedged(self) -> bool:
        return len(self.request.body) <= LARGEST_HEDGED

    def ask(self, provider: Provider, context: AttemptContext) -> Forwarded | OpenStream:
        if not isinstance(provider, Forwarder):
            raise UnsupportedByTarget(f"{provider.name} has no {self.request.endpoint}.", param="model")
        return provider.forward(self.request, context)

    def size(self) -> RequestSize:
        """Only completions have an output in tokens."""
        most = self.request.fields.get("max_tokens") if self.request.endpoint == "completions" else 0
        tokens = tokens_by_bytes(self.request.body.decode(errors="replace"))
        return RequestSize(tokens, most if isinstance(most, int) and most >= 0 else None)

    def continued(self, text_so_far: str) -> "Passed":
        """It is asked again as it was: what passes has no form that continues an answer."""
        return self
