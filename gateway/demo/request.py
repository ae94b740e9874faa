"""The chat request, as far as the demo provider reads it.

It names only the fields that change an answer. Other fields may have any value, and null means absent, as clients
expect of OpenAI. Format: https://platform.openai.com/docs/api-reference/chat/create.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Protocol, TypeVar

import msgspec
from msgspec import Meta, Struct

from gateway.core.errors import InvalidRequest, ModelNotFound

JsonObject = dict[str, object]

DEMO = "demo"
UNAVAILABLE = "demo-unavailable"
MODELS = (DEMO, UNAVAILABLE)

_KINDS = {"image_url": "image", "input_audio": "audio clip", "file": "file"}


class Part(Struct, frozen=True):
    """One piece of a message's content."""

    type: str = "text"
    text: str | None = None


class Message(Struct, frozen=True):
    """One message of the conversation."""

    role: str
    content: str | tuple[Part, ...] | None = None

    @property
    def text(self) -> str:
        """Its text parts, joined."""
        if isinstance(self.content, tuple):
            return "\n".join(part.text for part in self.content if part.type == "text" and part.text)
        return self.content or ""

    @property
    def attachments(self) -> tuple[str, ...]:
        """Its parts that are no text, counted: `1 image`, `2 files`."""
        parts = self.content if isinstance(self.content, tuple) else ()
        kinds = Counter(_KINDS[part.type] for part in parts if part.type in _KINDS)
        return tuple(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in kinds.items())


class Function(Struct, frozen=True):
    """A function that may be called, and the JSON Schema of its arguments."""

    name: str
    parameters: JsonObject | None = None


class Tool(Struct, frozen=True):
    """An entry of `tools`. Kinds other than functions are ignored."""

    type: str = "function"
    function: Function | None = None


class Named(Struct, frozen=True):
    """A reference by name."""

    name: str


class ToolChoice(Struct, frozen=True):
    """The object form of `tool_choice`."""

    function: Named | None = None


class JsonSchema(Struct, frozen=True):
    """The schema that an answer must fit."""

    schema: JsonObject | None = None


class ResponseFormat(Struct, frozen=True):
    """Text, any JSON object, or JSON that fits a schema."""

    type: str
    json_schema: JsonSchema | None = None


class StreamOptions(Struct, frozen=True):
    """What a stream contains besides the answer."""

    include_usage: bool | None = None


Limit = Annotated[int, Meta(ge=1)]


class ChatRequest(Struct, frozen=True):
    """The body of POST /v1/chat/completions."""

    model: str
    messages: Annotated[tuple[Message, ...], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: str | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    stop: str | tuple[str, ...] | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    reasoning_effort: str | None = None

    @property
    def question(self) -> Message:
        """The user's last message; an empty message if there is none."""
        return next((message for message in reversed(self.messages) if message.role == "user"), Message("user"))

    @property
    def tool_results(self) -> tuple[str, ...]:
        """The texts of the tool messages that the conversation ends with."""
        results: list[str] = []
        for message in reversed(self.messages):
            if message.role != "tool":
                break
            results.insert(0, message.text)
        return tuple(results)

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end an answer."""
        given = (self.stop,) if isinstance(self.stop, str) else self.stop or ()
        return tuple(stop for stop in given if stop)

    @property
    def word_limit(self) -> int | None:
        """The words that an answer may have. max_completion_tokens wins over its older name."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with a usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def reasons(self) -> bool:
        """Whether the answer starts with a sentence of reasoning."""
        return self.reasoning_effort not in (None, "", "none")

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions that may be called, in the order given."""
        return tuple(tool.function for tool in self.tools or () if tool.type == "function" and tool.function)


_decoder = msgspec.json.Decoder(ChatRequest)


class OfModel(Protocol):
    """A request for a model."""

    @property
    def model(self) -> str: ...


Asked = TypeVar("Asked", bound=OfModel)


def read_request(body: bytes) -> ChatRequest:
    """Parse the body of a chat. Raises as `decoded` does."""
    return decoded(body, _decoder, "chat")


def decoded(body: bytes, decoder: msgspec.json.Decoder[Asked], api: str) -> Asked:
    """Parse a request body.

    Args:
        body: the body.
        decoder: for its type.
        api: what is asked, for messages.

    Raises:
        InvalidRequest: the body is not JSON, or a field has the wrong shape; `param` names it.
        ModelNotFound: the model is none of the demo's.
    """
    try:
        request = decoder.decode(body)
    except msgspec.ValidationError as fault:
        raise InvalidRequest(f"The request does not fit the {api} API: {fault}.", param=_param(str(fault))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("The body is not valid JSON.") from None
    if request.model not in MODELS:
        raise ModelNotFound(f"The demo provider has only the models {' and '.join(MODELS)}.", param="model")
    return request


def _param(fault: str) -> str | None:
    """The field in OpenAI's notation. msgspec ends its message with "- at `$.messages[0].role`"."""
    found = re.search(r"`\$\.([^`]+)`$", fault) or re.search(r"missing required field `(\w+)`$", fault)
    return found[1] if found else None


def count_words(texts: Iterable[str]) -> int:
    """The number of words separated by white space, which this provider counts as tokens."""
    return sum(len(text.split()) for text in texts)
