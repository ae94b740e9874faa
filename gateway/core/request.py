"""A chat call in our own few words, with what it came from.

The values are small and frozen. Each keeps its `Source`: the wire format it was written in and the JSON as it came,
so that between two ends that speak the same wire everything passes, fields invented tomorrow included. Our own words
are for the other case, where one wire's request becomes another's: they are read from the source only when that
happens (`ChatRequest.prompt`). What a vendor put beside a value (a thought signature) stays with it as `extra`, under
the vendor's name; nobody but that vendor's wire looks into it, and it is never shown as text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec import field as new

from gateway.core.strict_json import JsonObject


class Source(Struct, frozen=True):
    """Where a value came from: the name of the wire format, and the JSON in it."""

    wire: str
    body: JsonObject


# What is said ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """Words. `extra`: by vendor, what belongs to them."""

    text: str
    extra: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a model thought before it spoke."""

    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a model would not answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Media:
    """An image, a sound or a file: its bytes, or where they are.

    Attributes:
        kind: what it was called in its wire.
        mime_type: lower case, without parameters; "" where nobody said.
        data: in base64; "" where `uri` says where it is.
        uri: "" where `data` has it.
        detail: how closely an image is to be looked at (low, high, auto), if said.
        name: a file's, if said.
    """

    kind: Literal["image", "audio", "file"]
    mime_type: str = ""
    data: str = ""
    uri: str = ""
    detail: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that the caller has stored with a vendor, by the vendor's id for it."""

    id: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that a model calls.

    Attributes:
        id: "" in wires without ids.
        name: of the tool.
        arguments: the text as the model wrote it: JSON for a function, anything for a custom tool.
        kind: what the tool takes.
        extra: by vendor, what belongs to it.
    """

    id: str
    name: str
    arguments: str
    kind: Literal["function", "custom"] = "function"
    extra: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnknownPart:
    """A part of a message for which there is no word here; `kind` is its wire's name for it."""

    kind: str


Part: TypeAlias = Text | Reasoning | Refusal | Media | StoredFile | ToolCall | UnknownPart


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        role: `system` is also what OpenAI calls developer.
        parts: in their order; an assistant's tool calls come last.
        call_id: of a tool's message, the call that it answers ("" in wires without ids).
        name: of a tool's message, the tool's, if said; else the participant's.
        extra: by vendor, what belongs to the message.
    """

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...]
    call_id: str = ""
    name: str | None = None
    extra: JsonObject = field(default_factory=dict)


# What is asked -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model may call. `parameters`: its JSON Schema; None where it was given none. A custom tool takes
    one text."""

    name: str
    description: str = ""
    parameters: JsonObject | None = None
    kind: Literal["function", "custom"] = "function"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether tools are to be called: `required` is at least one; `names` are the only ones allowed, if any are."""

    mode: Literal["auto", "none", "required"]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JsonOutput:
    """The answer is to be JSON, by this JSON Schema if there is one."""

    schema: JsonObject | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Params:
    """How to answer; None is "as the provider thinks best".

    Attributes:
        max_tokens: of the answer, thinking included.
        stop: texts at which to stop.
        logprobs: whether the tokens' probabilities are wanted.
        top_logprobs: how many alternatives of each token.
        effort: how long to think: none, minimal, low, medium, high, xhigh, max.
        output: what shape the answer has; None is text.
        modalities: lower case (text, image, audio).
        parallel_calls: whether several tools may be called at once.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    effort: str | None = None
    output: JsonOutput | None = None
    modalities: tuple[str, ...] = ()
    parallel_calls: bool | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request in our words.

    Attributes:
        messages: the conversation.
        tools: what may be called.
        tool_choice: None where nothing was said.
        params: how to answer.
        extra: by vendor, what the caller says to that vendor alone.
        unmapped: the request's fields that these words leave out, by their wire's names.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    params: Params = Params()
    extra: JsonObject = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()


class ChatRequest(Struct, frozen=True):
    """What a caller asks.

    Attributes:
        model: as the caller calls it.
        stream: the answer is to come as it is made.
        wants_usage: token counts at the end of a stream were asked for.
        source: the request as it came.
        prompt: the request in our words, read anew at each call. Raises InvalidRequest.
        choices: how many answers beside each other.
        plain: the answer can only be text and tool calls: one choice, no JSON by a schema, no probabilities, no sound.
    """

    model: str
    stream: bool
    wants_usage: bool
    source: Source
    prompt: Callable[[], Prompt]
    choices: int = 1
    plain: bool = False


class Rendered(Struct, frozen=True):
    """A request in a provider's wire format.

    Attributes:
        body: the bytes to send.
        dropped: what that wire cannot say, by the names of the caller's wire.
        choices: how many answers it asks for.
        tools: what its answer may call, by the name it was sent with; empty where names pass as they are.
    """

    body: bytes
    dropped: tuple[str, ...] = ()
    choices: int = 1
    tools: Mapping[str, Tool] = new(default_factory=dict)
