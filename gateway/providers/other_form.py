"""Answers in the other form: a whole one where a stream was asked for, and a stream where a whole one was.

Some servers ignore `stream`, and a gateway between may turn one into the other. The answer is paid for, so it is read
in the form that came and carried on in neutral form, which every wire writes. This module knows no wire.
"""

from typing import Final

from msgspec.structs import replace

from gateway.core.answer import ChatChunk, ChatResponse
from gateway.core.deltas import assemble, has_content, plain_text
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.wires.base import Decoder

NEUTRAL: Final = Source("", {})
"""The source of an answer that only its neutral form holds: no wire takes it for its own."""
_BEGINS_STREAM: Final = (b"data:", b"event:", b"id:", b"retry:", b":")
_BOM: Final = b"\xef\xbb\xbf"


def is_whole(data: bytes) -> bool:
    """Whether a body begins like JSON; no line of a stream begins like that."""
    return data.removeprefix(_BOM).lstrip().startswith((b"{", b"["))


def is_stream(body: bytes) -> bool:
    """Whether a body is a stream of events; no JSON begins like that."""
    return body.removeprefix(_BOM).lstrip().startswith(_BEGINS_STREAM)


def in_neutral_form(rendered: Rendered) -> Rendered:
    """The request for an answer that is read into neutral form."""
    return rendered if rendered.neutral else replace(rendered, neutral=True)


def chunk_of(response: ChatResponse) -> ChatChunk:
    """A whole answer in neutral form as the only chunk of a stream."""
    deltas = response.deltas
    speaks = has_content(deltas) or any(one.finish in ("length", "content_filter") for one in deltas)
    return ChatChunk(speaks, response.usage, NEUTRAL, plain_text(deltas), response.envelope, deltas)


def joined(body: bytes, decoder: Decoder) -> ChatResponse:
    """The whole answer that a stream adds up to.

    Args:
        body: the whole stream.
        decoder: a new one, which reads into neutral form.

    Raises:
        ProviderFailure: the stream holds an error, is cut, or says nothing.
    """
    chunks = decoder.feed(body)
    chunks += decoder.close()
    if decoder.fault:
        raise decoder.fault
    if not (decoder.done or decoder.complete):
        raise InvalidAnswer("The provider's answer came as a stream and ended without a finish.")
    if not any(chunk.has_content for chunk in chunks):
        raise InvalidAnswer("The provider answered with nothing.")
    return replace(assemble(chunks, NEUTRAL), mended=decoder.mended + 1)


class Ended:
    """The decoder behind an answer that came whole. Implements Decoder of gateway.wires.base.

    Args:
        mended: how many things in the answer had to be mended; its form is another one.
    """

    def __init__(self, mended: int) -> None:
        self.fault: ProviderFailure | None = None
        self.done = True
        self.skipped = 0
        self.mended = mended + 1

    @property
    def complete(self) -> bool:
        return True

    def feed(self, data: bytes) -> list[ChatChunk]:
        return []

    def close(self) -> list[ChatChunk]:
        return []
