"""A chat answer: whole (`ChatResponse`) or in chunks (`ChatChunk`), and the sum of its chunks.

A whole answer is the sum of its stream. So a wire reads both with the same code, and a test can compare the two. An
answer keeps its source as a request does (gateway.core.request); `deltas` are its neutral form, which stays empty where
both ends speak the same wire. Types that are made on every call are Structs, types that only the neutral form has are
dataclasses. This module knows no wire format, and no vendor.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from msgspec import Struct

from gateway.core.request import Media, Source, ToolCall
from gateway.core.strict_json import JsonObject


class Usage(Struct, frozen=True):
    """Token counts of the provider: `prompt` includes `cached`, `completion` includes `reasoning`."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every object of one answer carries: its id, its start in seconds since the epoch, and the model's name."""

    id: str
    created: int
    model: str


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token, the natural logarithm of its probability, and its alternatives."""

    token: str
    logprob: float
    top: tuple["TokenLogprob", ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A page that is the source of the answer's text from character `start` up to `end`."""

    url: str
    title: str
    start: int
    end: int


Finish: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class ChoiceDelta:
    """One choice of a whole answer, or what a chunk adds to one choice.

    Attributes:
        index: the number of the choice.
        text, reasoning, refusal: "" where there is none.
        calls: tool calls, each whole.
        images: images that the model made.
        citations: the sources of the text.
        logprobs: probabilities of the text's tokens.
        finish: why the choice ended; None until it ends.
        native_finish: the provider's own word for `finish`.
        extra: data that belongs to the choice, by vendor.
    """

    index: int
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[ToolCall, ...] = ()
    images: tuple[Media, ...] = ()
    citations: tuple[Citation, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    finish: Finish | None = None
    native_finish: str | None = None
    extra: JsonObject = field(default_factory=dict)


class ChatResponse(Struct, frozen=True):
    """A whole answer. `deltas`: its neutral form, one a choice; empty where only its own wire reads its source."""

    usage: Usage | None
    source: Source
    envelope: Envelope | None = None
    deltas: tuple[ChoiceDelta, ...] = ()


class ChatChunk(Struct, frozen=True):
    """One piece of a streamed answer.

    Attributes:
        has_content: whether it holds something for the caller (text, reasoning, a tool call, a finish). The first such
            chunk shows that the provider answers.
        usage: the token counts so far; later ones replace it.
        source: the piece as it arrived.
        plain: the text that it adds, if it adds nothing but text and reasoning to the first choice; "" if it adds
            nothing; None if it adds anything else.
        envelope: None where only its own wire reads its source.
        deltas: its neutral form; empty where only its own wire reads its source.
    """

    has_content: bool
    usage: Usage | None
    source: Source
    plain: str | None = None
    envelope: Envelope | None = None
    deltas: tuple[ChoiceDelta, ...] = ()


def plain_text(deltas: tuple[ChoiceDelta, ...]) -> str | None:
    """The text of deltas that add nothing but text and reasoning to the first choice; None for all others."""
    if not deltas:
        return ""
    one = deltas[0]
    other = one.index != 0 or one.refusal or one.calls or one.images or one.logprobs
    return None if other or len(deltas) > 1 else one.text


def assemble(chunks: Iterable[ChatChunk], source: Source) -> ChatResponse:
    """The whole answer that the chunks of a stream add up to.

    Args:
        chunks: all of one answer, in neutral form and in order.
        source: the source of the whole answer.
    """
    usage: Usage | None = None
    envelope: Envelope | None = None
    sums: dict[int, ChoiceDelta] = {}
    for chunk in chunks:
        usage = chunk.usage or usage
        envelope = envelope or chunk.envelope
        for further in chunk.deltas:
            so_far = sums.get(further.index)
            sums[further.index] = further if so_far is None else add(so_far, further)
    return ChatResponse(usage, source, envelope, tuple(sums[index] for index in sorted(sums)))


def add(so_far: ChoiceDelta, further: ChoiceDelta) -> ChoiceDelta:
    """The sum of a choice so far and its next delta."""
    return replace(
        so_far,
        text=so_far.text + further.text,
        reasoning=so_far.reasoning + further.reasoning,
        refusal=so_far.refusal + further.refusal,
        calls=so_far.calls + further.calls,
        images=so_far.images + further.images,
        citations=so_far.citations + further.citations,
        logprobs=so_far.logprobs + further.logprobs,
        finish=further.finish or so_far.finish,
        native_finish=further.native_finish or so_far.native_finish,
        extra={**so_far.extra, **further.extra},
    )
