"""Endpoints beside chat at a provider over HTTP: a request that passes, sent as one call or as several.

What a vendor's API makes of a request is a `ForwardedCall`, from the vendor's module. This module sends it as chats are
sent (gateway.providers.http_provider) and names no vendor.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.core.passed import PassedRequest
from gateway.core.provider_failures import (
    CredentialRefused,
    ProviderFailure,
    TargetModelMissing,
    UnsupportedByTarget,
)
from gateway.core.rendered import Rendered
from gateway.core.sse import DONE, encode
from gateway.providers import other_form
from gateway.providers.base import AttemptContext, Forwarded, OpenStream
from gateway.providers.http_provider import MAX_ANSWER, HttpProvider
from gateway.wires.base import Decoder

MISSING: Final = frozenset({404, 405, 501})
"""Statuses of a server that has no such path, or has it switched off (llama.cpp without --embeddings: 501)."""
_OTHER_USE: Final = re.compile(r"chat model|\bembed|endpoint|completions|rerank|moderation", re.IGNORECASE)
"""Words of a refusal that is about what the model is for. OpenAI has 403 "You are not allowed to generate embeddings
from this model" and 404 "This is a chat model and not supported in the v1/completions endpoint", Google has 404 "is not
supported for embedContent" (2026-11)."""


class Received(Struct, frozen=True):
    """The answers to all requests of a call.

    Attributes:
        contents: their bodies, in the order of the requests.
        headers: of the last one.
    """

    contents: Sequence[bytes]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ForwardedCall:
    """A request as a vendor's API takes it.

    Attributes:
        address: where it goes.
        bodies: of its requests, sent one after the other; all of them must be answered.
        read: the answer that they make. Raises ProviderFailure.
        decoder: reads the answer to a request that streams; None where there is no such request.
    """

    address: str
    bodies: Sequence[bytes]
    read: Callable[[Received], Forwarded]
    decoder: Decoder | None = None


class ForwardingProvider(HttpProvider, ABC):
    """A provider that has endpoints beside chat. Implements Forwarder too (gateway.providers.base)."""

    def forward(self, request: PassedRequest, context: AttemptContext) -> Forwarded | OpenStream:
        self._check(context.credential)
        try:
            return self._forward(request, context)
        except ProviderFailure as failure:
            raise self._of_endpoint(failure, request, context.model) from None

    @abstractmethod
    def _call(self, passed: PassedRequest, model: str) -> ForwardedCall:
        """The request in this vendor's API. Raises UnsupportedByTarget where it has none of the kind."""

    def _forward(self, request: PassedRequest, context: AttemptContext) -> Forwarded | OpenStream:
        call = self._call(request, context.model)
        if request.stream and call.decoder is not None:
            return self._streamed(call, call.decoder, context)
        contents: list[bytes] = []
        headers: Mapping[str, str] = {}
        for body in call.bodies:
            content, headers = self._part(call, body, context, is_first=not contents)
            contents.append(content)
        return call.read(Received(contents, headers))

    def _part(
        self, call: ForwardedCall, body: bytes, context: AttemptContext, *, is_first: bool
    ) -> tuple[bytes, Mapping[str, str]]:
        """The answer to one request. Each but the first takes a permit of its own: the provider counts them all."""
        if is_first:
            return self._whole(call, body, context)
        permit = context.further_permit()
        try:
            return self._whole(call, body, replace(context, on_sent=permit.sent))
        finally:
            permit.close()

    def _whole(self, call: ForwardedCall, body: bytes, context: AttemptContext) -> tuple[bytes, Mapping[str, str]]:
        timeouts = self._first_content_timeouts(context)
        answer = self._post(call.address, Rendered(body), context, timeouts)
        try:
            deadline = self._timeouts(context.deadline)
            begun = self._past_blanks(answer, answer.read(next(timeouts)), timeouts)
            return answer.read_all(MAX_ANSWER, deadline, begun), answer.headers
        finally:
            answer.close()

    def _streamed(self, call: ForwardedCall, decoder: Decoder, context: AttemptContext) -> OpenStream:
        timeouts = self._first_content_timeouts(context)
        body = self._post(call.address, Rendered(call.bodies[0]), context, timeouts)
        try:
            data = body.read(next(timeouts))
            if other_form.is_whole(data):  # which has the form of an event
                content = data + body.read_all(MAX_ANSWER, self._timeouts(context.deadline))
                data = encode(content) + encode(DONE)
            first = self._first_content(data, body, decoder, timeouts)
            self._check_content(first, decoder, may_be_empty=False)
        except BaseException:
            body.close()
            raise
        return OpenStream(first, decoder, body, ())

    def _of_endpoint(self, failure: ProviderFailure, request: PassedRequest, model: str) -> ProviderFailure:
        """The failure as it means for an endpoint beside chat: that a server or a model does not have it says nothing
        of their chats, so it counts against neither them nor their credential. And nothing is learned from the refusal
        of a field, because what passes is not sent without it."""
        words = re.sub(rf"(?<![\w.-]){re.escape(model)}(?![\w.-])", "", failure.message)
        is_other_use = _OTHER_USE.search(words) is not None
        if isinstance(failure, TargetModelMissing) and "model" in words.lower() and not is_other_use:
            return UnsupportedByTarget(
                failure.message,
                evidence=failure.evidence,
                param=failure.param,
                code=TargetModelMissing.code,
                status=TargetModelMissing.status,
            )
        if failure.evidence.status in MISSING or (isinstance(failure, CredentialRefused) and is_other_use):
            return UnsupportedByTarget(
                f"{self.name} has no {request.endpoint} for {model}, and answered {failure.evidence.status}:"
                f" {failure.message}",
                evidence=failure.evidence,
                param="model",
            )
        found = copy(failure)
        found.refused_fields = ()
        return self._named(found) if isinstance(found, CredentialRefused) else found
