"""A chat answer in neutral form: whole (`ChatResponse`) or in chunks (`ChatChunk`).

A whole answer is the deltas of its stream, joined (gateway.core.deltas). So a wire reads both with the same code, and a
test can compare the two. The order of an answer is the order of its deltas. Inside one delta it is: reasoning, text,
refusal, calls, images; what was said in another order makes several deltas. An answer keeps its source as a request
does (gateway.core.request); `deltas` stay empty where both ends speak the same wire.

All types are msgspec Structs, as in gateway.core.request. This module knows no wire format, and no vendor.
"""

from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

from gateway.core.request import Media, ToolKind
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject, JsonValue  # noqa: F401 - hypothesis resolves annotations here

PER_DOLLAR: Final = 10**12
"""The unit of an exact cost is the trillionth of a US dollar: a millionth of the price of a token at one dollar per
million tokens."""
MICROS: Final = 1_000_000
"""Millionths in a US dollar: the unit of a cost that is kept."""
PER_MICRO: Final = PER_DOLLAR // MICROS
"""Trillionths in a millionth."""


class Usage(Struct, frozen=True):
    """Token counts of the provider, and what it says of their price. In a stream later counts replace earlier ones.

    Attributes:
        prompt: of the whole request; `cached` and `cache_write` are among it.
        completion: of the whole answer; `reasoning` is among it.
        cached: read from the provider's cache.
        reasoning: of the reasoning before the answer.
        cache_write: written to the provider's cache.
        cache_write_1h: those among `cache_write` that stay for an hour, which some providers price higher.
        reported_cost: what the provider says that the answer costs, in trillionths of a US dollar (`PER_DOLLAR`); None
            where it says nothing.
        service_tier: the provider's word for the tier that answered, such as "flex"; None where it says nothing.
    """

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reported_cost: int | None = None
    service_tier: str | None = None

    def __add__(self, other: "Usage") -> "Usage":
        """The tokens of both. Their sum has no price: each part has the price of its own target."""
        return Usage(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
            self.cache_write + other.cache_write,
            self.cache_write_1h + other.cache_write_1h,
        )


class Envelope(Struct, frozen=True):
    """What every object of one answer carries: the provider's id for it, its start in seconds since the epoch, and the
    provider's name for the model."""

    id: str
    created: int
    model: str


class TokenLogprob(Struct, frozen=True):
    """A token, the natural logarithm of its probability, and its alternatives. `raw`: its bytes, where the token is no
    whole UTF-8; None where they are those of `token`."""

    token: str
    logprob: float
    top: tuple["TokenLogprob", ...] = ()
    raw: bytes | None = None


class Citation(Struct, frozen=True):
    """A page that is the source of the choice's text from character `start` up to `end`."""

    url: str
    title: str
    start: int
    end: int


class ToolCallDelta(Struct, frozen=True):
    """A piece of a model's call of a tool. A call that comes whole is one piece that begins and ends it.

    Attributes:
        index: of the call in its choice: 0, 1, 2 in the order in which calls begin.
        id: in the first piece of a call, never empty there; "" in later ones.
        name: as `id`: the caller's name of the tool.
        arguments: what the piece adds to them. All pieces joined are the text that the model wrote.
        kind: of the tool.
        ended: whether this is the last piece.
        extra: data that belongs to the call, by vendor.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    kind: ToolKind = "function"
    ended: bool = False
    extra: JsonObject = field(default_factory=dict)


Finish: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


class ChoiceDelta(Struct, frozen=True):
    """What a chunk adds to one choice.

    Attributes:
        index: the number of the choice.
        text, reasoning, refusal: "" where there is none.
        calls: pieces of tool calls.
        images: images that the model made.
        citations: the sources of the text.
        logprobs: probabilities of the text's tokens.
        finish: why the choice ended; None until it ends. A choice has one, and it comes last.
        native_finish: the provider's own word for `finish`.
        extra: data that belongs to the choice, by vendor.
        reasoning_extra: data of the block of reasoning that ends with this delta, by vendor.
        stop_sequence: which of the texts that end the answer did so, where the provider says so.
    """

    index: int
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[ToolCallDelta, ...] = ()
    images: tuple[Media, ...] = ()
    citations: tuple[Citation, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    finish: Finish | None = None
    native_finish: str | None = None
    extra: JsonObject = field(default_factory=dict)
    reasoning_extra: JsonObject = field(default_factory=dict)
    stop_sequence: str | None = None


class ChatResponse(Struct, frozen=True):
    """A whole answer.

    Attributes:
        usage: the token counts; None where the provider gave none.
        source: the answer as it arrived.
        envelope: None where only its own wire reads its source.
        deltas: its neutral form, joined; empty where only its own wire reads its source.
        mended: how many things in it had to be mended so that it can be read.
    """

    usage: Usage | None
    source: Source
    envelope: Envelope | None = None
    deltas: tuple[ChoiceDelta, ...] = ()
    mended: int = 0


class ChatChunk(Struct, frozen=True):
    """One piece of a streamed answer.

    Attributes:
        has_content: whether it holds something for the caller: text, reasoning, a call, a refusal, an image, or a
            finish that is an answer by itself. The first such chunk shows that the provider answers.
        usage: the token counts so far; later ones replace it.
        source: the piece as it arrived.
        plain: the text that it adds, if it adds nothing but text and reasoning to the first choice; "" if it adds
            nothing; None if it adds anything else. It decides on resuming, so it is set also where `deltas` is empty.
        envelope: None where only its own wire reads its source.
        deltas: its neutral form; empty where only its own wire reads its source.
    """

    has_content: bool
    usage: Usage | None
    source: Source
    plain: str | None = None
    envelope: Envelope | None = None
    deltas: tuple[ChoiceDelta, ...] = ()
