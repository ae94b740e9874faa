"""A chat request and its neutral form.

All values are small and frozen. A request keeps its `Source` (gateway.core.source). Where both ends speak the same
wire, it passes unchanged, including fields that no version of the gateway knows. The neutral form (`Prompt`) serves the
other case, where one wire's request becomes another's: `ChatRequest.prompt` reads it from the source only when a wire
asks for it. Data that a vendor attached to a value (a thought signature) stays with that value in `extra`, under the
vendor's name. Only that vendor's wire reads it, and it is never shown as text.

All types are msgspec Structs: making one of ten fields takes 0.11 us, a frozen dataclass 1.37 us (Python 3.11,
2026-11-29). This module knows no wire format, and no vendor.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

from msgspec import Struct, field

from gateway.core.source import Source
from gateway.core.strict_json import JsonObject, JsonValue  # noqa: F401 - hypothesis resolves annotations here

ToolKind: TypeAlias = Literal["function", "custom"]
"""What a tool takes: a function takes JSON, a custom tool takes a text."""


# Messages and their parts ------------------------------------------------------------------------------------------


class Text(Struct, frozen=True):
    """A text. `extra`: data that belongs to it, by vendor."""

    text: str
    extra: JsonObject = field(default_factory=dict)


class Reasoning(Struct, frozen=True):
    """A model's reasoning before its answer. `text` is "" where the vendor shows none; `extra`: its own data of it."""

    text: str
    extra: JsonObject = field(default_factory=dict)


class Refusal(Struct, frozen=True):
    """A model's explanation of why it does not answer."""

    text: str


class Media(Struct, frozen=True):
    """An image, a sound or a file: its bytes, or its address.

    Attributes:
        kind: what its wire calls it.
        mime_type: lower case, without parameters; "" where the request has none.
        data: the bytes in base64; "" where there is a `uri`.
        uri: the address; "" where there is `data`.
        detail: the resolution at which the model reads an image (low, high, auto); None where the request has none.
        name: the name of a file; None where the request has none.
        extra: data that belongs to it, by vendor.
    """

    kind: Literal["image", "audio", "file"]
    mime_type: str = ""
    data: str = ""
    uri: str = ""
    detail: str | None = None
    name: str | None = None
    extra: JsonObject = field(default_factory=dict)


class StoredFile(Struct, frozen=True):
    """A file that the caller stored with a vendor, by the vendor's id. Only that vendor can read it."""

    id: str
    vendor: str = "openai"


class ToolCall(Struct, frozen=True):
    """A model's call of a tool, in a conversation.

    Attributes:
        id: "" in wires without ids.
        name: the tool's.
        arguments: the text that the model wrote: JSON for a function, any text for a custom tool.
        kind: of the tool.
        extra: data that belongs to the call, by vendor.
    """

    id: str
    name: str
    arguments: str
    kind: ToolKind = "function"
    extra: JsonObject = field(default_factory=dict)


class UnknownPart(Struct, frozen=True):
    """A part of a message that the neutral form does not have; `kind` is its name in the source's wire."""

    kind: str


Part: TypeAlias = Text | Reasoning | Refusal | Media | StoredFile | ToolCall | UnknownPart


class Message(Struct, frozen=True):
    """One message.

    Attributes:
        role: `system` includes OpenAI's developer role.
        parts: in their order, tool calls included.
        call_id: in a tool's message, the id of the call that it answers ("" in wires without ids).
        name: in a tool's message the name of the tool, else the name of the participant; None where there is none.
        failed: in a tool's message, whether the call failed.
        extra: data that belongs to the message, by vendor.
    """

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...]
    call_id: str = ""
    name: str | None = None
    failed: bool = False
    extra: JsonObject = field(default_factory=dict)


# Tools, parameters, the request ------------------------------------------------------------------------------------


class Tool(Struct, frozen=True):
    """A tool that the model may call, and that the caller runs.

    Attributes:
        name: the caller's name for it.
        description: "" where the request has none.
        parameters: the JSON Schema of a function's arguments; None where the request has none.
        kind: what it takes.
        strict: whether the arguments must follow the schema exactly; None where the request does not say.
        grammar: the syntax (lark, regex) and the definition of a custom tool's text; None where any text is valid.
        extra: data that belongs to it, by vendor.
    """

    name: str
    description: str = ""
    parameters: JsonObject | None = None
    kind: ToolKind = "function"
    strict: bool | None = None
    grammar: tuple[str, str] | None = None
    extra: JsonObject = field(default_factory=dict)


class HostedTool(Struct, frozen=True):
    """A tool that the vendor runs. `field` is its name in the source's wire, for the list of what is left out."""

    kind: Literal["web_search"]
    field: str


class ToolChoice(Struct, frozen=True):
    """Whether the model must call a tool (`required`: at least one), and the tools it may call; no names allow all."""

    mode: Literal["auto", "none", "required"]
    names: tuple[str, ...] = ()


class JsonOutput(Struct, frozen=True):
    """The request for an answer in JSON.

    Attributes:
        schema: the JSON Schema that the answer must follow; None allows any JSON.
        name: of the schema; "" where the request has none.
        strict: whether the answer must follow the schema exactly; None where the request does not say.
        description: of the schema; "" where the request has none.
    """

    schema: JsonObject | None = None
    name: str = ""
    strict: bool | None = None
    description: str = ""


class Params(Struct, frozen=True):
    """The parameters of the answer; None leaves a parameter to the provider.

    Attributes:
        max_tokens: the most tokens of the answer, reasoning included.
        stop: texts that end the answer.
        logprobs: whether the answer carries the probabilities of its tokens.
        top_logprobs: the number of alternatives for each token.
        effort: how much to reason: none, minimal, low, medium, high, xhigh, max.
        reasoning_budget: the most tokens of reasoning.
        show_reasoning: whether the answer shows the reasoning; None leaves it to the custom of the wires.
        verbosity: how long the answer is: low, medium, high.
        output: the form of the answer; None means text.
        modalities: lower case (text, image, audio).
        parallel_calls: whether the model may call several tools at once.
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
    reasoning_budget: int | None = None
    show_reasoning: bool | None = None
    verbosity: str | None = None
    output: JsonOutput | None = None
    modalities: tuple[str, ...] = ()
    parallel_calls: bool | None = None


class Prompt(Struct, frozen=True):
    """A request in neutral form.

    Attributes:
        messages: the conversation.
        tools: the tools that the model may call.
        hosted: the tools that the vendor runs.
        tool_choice: None where the request has none.
        params: the parameters of the answer.
        extra: what the caller sends to one vendor alone, by vendor.
        unmapped: the names of the request's fields that the neutral form does not have, as the source's wire has them.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    hosted: tuple[HostedTool, ...] = ()
    tool_choice: ToolChoice | None = None
    params: Params = Params()
    extra: JsonObject = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()


class ChatRequest(Struct, frozen=True):
    """A caller's request.

    Attributes:
        model: the caller's name for the model.
        stream: whether the answer is streamed.
        wants_usage: whether the caller gets token counts at the end of a stream.
        source: the request as it arrived.
        prompt: reads the request in neutral form; each call reads it again. Raises InvalidRequest.
        choices: the number of alternative answers.
        plain: the answer can only be text and tool calls: one choice, no JSON by a schema, no probabilities, no sound.
        client: see RequestContext.
    """

    model: str
    stream: bool
    wants_usage: bool
    source: Source
    prompt: Callable[[], Prompt]
    choices: int = 1
    plain: bool = False
    client: str = ""
