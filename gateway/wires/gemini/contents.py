"""Renders the conversation for Gemini: system texts apart, user and model alternating, calls with their results.

OpenAI accepts messages in almost any order. Gemini has stricter rules: a user begins, one Content with all results in
the calls' order follows each model's calls, and no Content and no text is empty. Otherwise the order stays unchanged.

Source: https://ai.google.dev/api/caching#Content, https://ai.google.dev/gemini-api/docs/function-calling.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.core.request import Media, Message, Part, Reasoning, Refusal, StoredFile, Text, ToolCall, UnknownPart
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.custom_tools import INPUT
from gateway.wires.dropped import Drop
from gateway.wires.gemini import media, tool_results
from gateway.wires.gemini.signatures import PLACEHOLDER, Signatures
from gateway.wires.tool_names import ToolNames
from gateway.wires.tool_results import ToolResult, pair

NOTHING: Final = " "
"""The text of a user's Content that exists only because Gemini requires one; an empty text is refused."""

CONTINUE: Final = "Continue exactly where your last message ends. Do not repeat any of it."
"""Replaces a continuation of the assistant's last message, which OpenAI-compatible servers support and Gemini 3 does
not."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What rendering needs to know of one request.

    Attributes:
        generation: the model's.
        names: the tool names as they are sent.
        signatures: the signatures of this request.
        drop: is called with the name of each dropped field.
    """

    generation: int
    names: ToolNames
    signatures: Signatures
    drop: Drop


@dataclass(frozen=True, slots=True)
class Conversation:
    """The request's `contents`, never empty, and the texts of its systemInstruction."""

    contents: list[JsonValue]
    system: list[str]


@dataclass(slots=True)
class _Turn:
    """The consecutive messages of one role.

    Attributes:
        parts: the content without calls.
        calls: the model's calls.
        results: the results of the calls, in the calls' order.
        beside: parts that belong to the results and follow them.
        answered: whether a result has arrived; a later message of the same role then starts a new turn.
    """

    role: Literal["user", "model"]
    parts: list[JsonValue] = field(default_factory=list)
    calls: list[JsonValue] = field(default_factory=list)
    results: list[JsonValue] = field(default_factory=list)
    beside: list[JsonValue] = field(default_factory=list)
    answered: bool = False

    def join(self, further: "_Turn") -> None:
        self.parts += further.parts
        self.calls += further.calls
        self.results += further.results
        self.beside += further.beside


def render(messages: tuple[Message, ...], setting: Setting) -> Conversation:
    """Render the conversation for one model.

    Raises:
        InvalidRequest: a tool message answers no call, or media is invalid.
        UnsupportedByTarget: a part that Gemini does not support cannot be left out.
    """
    for message in messages:
        if message.name is not None and message.role != "tool":
            setting.drop("messages.name")
    system = [text for text in (_system(message, setting.drop) for message in messages) if text]
    contents = _contents(_turns(messages, setting), setting.generation)
    if not contents:  # only system messages, or no messages
        return Conversation([_content("user", [{"text": text} for text in system or [NOTHING]])], [])
    if _role(contents[0]) == "model":
        contents.insert(0, _content("user", [{"text": NOTHING}]))
    if _role(contents[-1]) == "model" and setting.generation >= 3:
        contents.append(_content("user", [{"text": CONTINUE}]))
    return Conversation(contents, system)


def _system(message: Message, drop: Drop) -> str:
    """The text of a system message; a systemInstruction takes only text."""
    if message.role != "system":
        return ""
    for part in message.parts:
        match part:
            case Media():
                drop(media.field(part))
            case StoredFile():
                drop("messages.content.file")
            case UnknownPart() | ToolCall():
                media.leave_out(part, drop)
            case _:
                pass
    return "\n".join(part.text for part in message.parts if isinstance(part, (Text, Refusal)) and part.text)


def _turns(messages: tuple[Message, ...], setting: Setting) -> list[_Turn]:
    """User and model alternating: consecutive messages of one role become one turn."""
    results = pair(messages)
    turns: list[_Turn] = []
    for index, message in enumerate(messages):
        if message.role == "user":
            turn = _Turn("user", _parts(message.parts, setting))
        elif message.role == "assistant":
            turn = _assistant(message, setting)
            for position, part in enumerate(message.parts):
                if isinstance(part, ToolCall):
                    _add_call(turn, part, results.get((index, position)), setting)
        else:
            if message.role == "tool" and turns:
                turns[-1].answered = bool(turns[-1].calls)
            continue
        if turns and turns[-1].role == turn.role and not turns[-1].answered:
            turns[-1].join(turn)
        elif turn.parts or turn.calls:
            turns.append(turn)
    return turns


def _assistant(message: Message, setting: Setting) -> _Turn:
    """An assistant's message without its calls."""
    parts = _parts((part for part in message.parts if not isinstance(part, ToolCall)), setting)
    texts = [part for part in parts if isinstance(part, dict) and "text" in part]
    if texts and (signature := setting.signatures.of_text(message)):
        texts[-1]["thoughtSignature"] = signature
    return _Turn("model", parts)


def _add_call(turn: _Turn, call: ToolCall, answers: ToolResult | None, setting: Setting) -> None:
    """Add a call and its result. Both have the same name, and Google's own id where there is one."""
    signed = setting.signatures.of_call(call)
    named: JsonObject = {"name": setting.names.sent(call.name)}
    if signed.native_id and setting.generation >= 3:  # 2.x answers 400: Unknown name "id"
        named["id"] = signed.native_id
    asked: JsonObject = {"functionCall": {**named, "args": _arguments(call)}}
    if signed.signature:
        asked["thoughtSignature"] = signed.signature
    result = tool_results.result(answers, setting.generation, setting.drop)
    turn.calls.append(asked)
    turn.results.append({"functionResponse": {**named, **result.fields}})
    turn.beside += result.beside


def _arguments(call: ToolCall) -> JsonObject:
    """The arguments as an object; any other value becomes an object that holds it."""
    if call.kind == "custom":
        return {INPUT: call.arguments}
    if not call.arguments.strip():
        return {}
    try:
        value = loads(call.arguments.encode("utf-8", "surrogatepass"))
    except JsonFault:
        return {"value": call.arguments}
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _parts(parts: Iterable[Part], setting: Setting) -> list[JsonValue]:
    rendered = (_part(part, setting) for part in parts)
    return [part for part in rendered if part is not None]


def _part(part: Part, setting: Setting) -> JsonObject | None:
    match part:
        case Text(text) | Refusal(text):
            return {"text": text} if text else None
        case Reasoning():
            return None  # no vendor's API takes reasoning in the history, only its signature
        case Media():
            return media.part(part, setting.generation, setting.drop)
        case StoredFile():
            return media.stored(part)
        case UnknownPart() | ToolCall():
            media.leave_out(part, setting.drop)
            return None


def _contents(turns: list[_Turn], generation: int) -> list[JsonValue]:
    contents: list[JsonValue] = []
    asked: _Turn | None = None
    for turn in turns:
        if turn.role == "user":
            contents += _user(asked, turn.parts, generation)
            asked = None
            continue
        contents += _user(asked, [], generation)
        contents.append(_model(turn, generation))
        asked = turn if turn.calls else None
    return contents + _user(asked, [], generation)


def _model(turn: _Turn, generation: int) -> JsonObject:
    """The model's parts, then its calls. From the third generation on, the first call must be signed: Google requires
    it in the current turn, and the placeholder does no harm in older ones."""
    first = turn.calls[0] if turn.calls else None
    if generation >= 3 and isinstance(first, dict):
        first.setdefault("thoughtSignature", PLACEHOLDER)
    return _content("model", turn.parts + turn.calls)


def _user(asked: _Turn | None, parts: list[JsonValue], generation: int) -> list[JsonValue]:
    """The user's Contents after the model's turn, which begin with the results that it `asked` for. Models before the
    third generation take text beside results, but no media."""
    if asked is None:
        return [_content("user", parts)] if parts else []
    after = asked.beside + parts
    if generation < 3 and any(isinstance(part, dict) and "text" not in part for part in after):
        return [_content("user", asked.results), _content("user", after)]
    return [_content("user", asked.results + after)]


def _content(role: Literal["user", "model"], parts: list[JsonValue]) -> JsonObject:
    return {"role": role, "parts": parts}


def _role(content: JsonValue) -> JsonValue:
    return content.get("role") if isinstance(content, dict) else None
