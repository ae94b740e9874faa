"""A streamed answer in our words, and what its pieces add up to.

A whole answer is the sum of its stream, so a wire that reads pieces can read wholes with the same code, and a test can
hold the two against each other.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from msgspec import Struct

from gateway.core.request import Media, Source, ToolCall
from gateway.core.strict_json import JsonObject


class Usage(Struct, frozen=True):
    """Tokens, as the provider counted them: `cached` are among `prompt`, `reasoning` among `completion`."""

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
    """What every object of one answer carries: its id, when it began (seconds since the epoch), who answers."""

    id: str
    created: int
    model: str


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token, the logarithm of its probability, and its alternatives."""

    token: str
    logprob: float
    top: tuple["TokenLogprob", ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A page that the text between two characters of the answer rests on."""

    url: str
    title: str
    start: int
    end: int


Finish: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class ChoiceDelta:
    """What one choice of an answer says, or, in a chunk, what it says further.

    Attributes:
        index: which choice.
        text, reasoning, refusal: "" where there is none.
        calls: tools called, each whole.
        images: made by the model.
        citations: what the text rests on.
        logprobs: of the text's tokens.
        finish: why it ended; None while it has not.
        native_finish: the provider's own word for that.
        extra: by vendor, what belongs to it.
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
    """A whole answer. `deltas` is it in our words, one a choice; empty where only its own wire can read its source."""

    usage: Usage | None
    source: Source
    envelope: Envelope | None = None
    deltas: tuple[ChoiceDelta, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """One piece of a streamed answer.

    Attributes:
        has_content: it says something to the caller (text, reasoning, a tool call, a finish), so a stream that has
            brought one is a stream that answers.
        usage: the token counts so far, which later ones replace.
        source: the piece as it came.
        plain: the text that it adds, where it says nothing but text and thoughts in one choice; None where it says
            anything else. "" for what says nothing.
        envelope: None where only its own wire can read its source.
        deltas: it in our words; empty where only its own wire can read its source.
    """

    has_content: bool
    usage: Usage | None
    source: Source
    plain: str | None = None
    envelope: Envelope | None = None
    deltas: tuple[ChoiceDelta, ...] = ()


def plain_text(deltas: tuple[ChoiceDelta, ...]) -> str | None:
    """The text that words add to an answer, where they are nothing but text and thoughts in the first choice."""
    if not deltas:
        return ""
    one = deltas[0]
    other = one.index != 0 or one.refusal or one.calls or one.images or one.logprobs
    return None if other or len(deltas) > 1 else one.text


def assemble(chunks: Iterable[ChatChunk], source: Source) -> ChatResponse:
    """What the chunks of a stream add up to.

    Args:
        chunks: of one answer, in our words, in their order.
        source: the answer as it came.
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
    """One choice, and what it says further."""
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
