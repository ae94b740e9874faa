"""A chat call in our own few words, with what it came from.

The values are small and frozen. Each keeps its `Source`: the wire format it was written in and the JSON as it came,
so that between two ends that speak the same wire everything passes, fields invented tomorrow included. Only what the
gateway itself acts on has a word here.
"""

from dataclasses import dataclass

from gateway.core.jsontext import JsonObject


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value came from: the name of the wire format, and the JSON in it."""

    wire: str
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the provider counted them."""

    prompt: int
    completion: int


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a caller asks.

    `wants_usage`: token counts at the end of a stream were asked for. `choices`: how many answers beside each other.
    """

    model: str
    stream: bool
    wants_usage: bool
    source: Source
    choices: int = 1


@dataclass(frozen=True, slots=True)
class ChatResponse:
    """A whole answer."""

    usage: Usage | None
    source: Source


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """One piece of a streamed answer.

    `has_content`: it says something to the caller (text, reasoning, a tool call, a finish), so a stream that has
    brought one is a stream that answers.
    """

    has_content: bool
    usage: Usage | None
    source: Source


@dataclass(frozen=True, slots=True)
class Rendered:
    """A request in a provider's wire format; `dropped` names what that wire cannot say."""

    body: bytes
    dropped: tuple[str, ...] = ()
