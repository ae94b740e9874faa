"""The conversation as Gemini takes it: what the system says apart, user and model in turn, calls with their results.

OpenAI takes messages in almost any order. Gemini wants a user to begin, every call answered at once by one Content with
all results in the calls' order, and no Content and no text to be empty. What is said stays in its order otherwise.

Source: https://ai.google.dev/api/caching#Content, https://ai.google.dev/gemini-api/docs/function-calling.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.core.request import Media, Message, Part, Reasoning, Refusal, StoredFile, Text, ToolCall, UnknownPart
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.gemini import media, tool_results
from gateway.wires.gemini.media import Drop
from gateway.wires.gemini.names import ToolNames
from gateway.wires.gemini.signatures import PLACEHOLDER, Signatures
from gateway.wires.gemini.tools import INPUT

NOTHING: Final = " "
"""What a user says where somebody must say something: an empty text is refused."""

CONTINUE: Final = "Continue exactly where your last message ends. Do not repeat any of it."
"""Asks for what OpenAI-compatible servers do with an assistant's message at the end, which Gemini 3 does not take."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the parts of one request have in common.

    Attributes:
        generation: the model's.
        names: the tools' names as they are sent.
        signatures: of this request.
        drop: told what is left out.
    """

    generation: int
    names: ToolNames
    signatures: Signatures
    drop: Drop


@dataclass(frozen=True, slots=True)
class Conversation:
    """`contents` of the request, never empty, and the texts of its systemInstruction."""

    contents: list[JsonValue]
    system: list[str]


@dataclass(slots=True)
class _Turn:
    """What one side says before the other speaks.

    Attributes:
        results: of its calls, in their order.
        beside: parts that belong to the results and stand behind them.
        answered: a result has come, so whatever is said now is said after it.
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
    """The conversation for one model.

    Raises:
        InvalidRequest: a tool message answers no call, or media are none.
        UnsupportedByTarget: it holds what Gemini has no place for and what cannot be left out.
    """
    for message in messages:
        if message.name is not None and message.role != "tool":
            setting.drop("messages.name")
    system = [text for text in (_system(message, setting.drop) for message in messages) if text]
    contents = _contents(_turns(messages, setting), setting.generation)
    if not contents:  # the system alone has spoken, or nobody
        return Conversation([_content("user", [{"text": text} for text in system or [NOTHING]])], [])
    if _role(contents[0]) == "model":
        contents.insert(0, _content("user", [{"text": NOTHING}]))
    if _role(contents[-1]) == "model" and setting.generation >= 3:
        contents.append(_content("user", [{"text": CONTINUE}]))
    return Conversation(contents, system)


def _system(message: Message, drop: Drop) -> str:
    """What a system message says: text is all that a systemInstruction takes."""
    if message.role != "system":
        return ""
    for part in message.parts:
        match part:
            case Media():
                drop(media.field(part))
            case StoredFile():
                drop("messages.content.file")
            case UnknownPart() | ToolCall():
                _leave_out(part, drop)
            case _:
                pass
    return "\n".join(part.text for part in message.parts if isinstance(part, (Text, Refusal)) and part.text)


def _turns(messages: tuple[Message, ...], setting: Setting) -> list[_Turn]:
    """User and model in turn: neighbours of one role become one."""
    results = tool_results.pair(messages)
    turns: list[_Turn] = []
    for index, message in enumerate(messages):
        if message.role == "user":
            turn = _Turn("user", _said(message.parts, setting))
        elif message.role == "assistant":
            turn = _spoken(message, setting)
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


def _spoken(message: Message, setting: Setting) -> _Turn:
    """What an assistant says without its calls."""
    said = _said((part for part in message.parts if not isinstance(part, ToolCall)), setting)
    texts = [part for part in said if isinstance(part, dict) and "text" in part]
    if texts and (signature := setting.signatures.of_text(message)):
        texts[-1]["thoughtSignature"] = signature
    return _Turn("model", said)


def _add_call(turn: _Turn, call: ToolCall, answers: list[Part] | None, setting: Setting) -> None:
    """A call and what it brought, both by the same name and by Google's own id or none."""
    told = setting.signatures.of_call(call)
    named: JsonObject = {"name": setting.names.sent(call.name)}
    if told.native_id and setting.generation >= 3:  # 2.x answers 400: Unknown name "id"
        named["id"] = told.native_id
    asked: JsonObject = {"functionCall": {**named, "args": _arguments(call)}}
    if told.signature:
        asked["thoughtSignature"] = told.signature
    result = tool_results.result(answers, setting.generation, setting.drop)
    turn.calls.append(asked)
    turn.results.append({"functionResponse": {**named, **result.fields}})
    turn.beside += result.beside


def _arguments(call: ToolCall) -> JsonObject:
    """An object as it is; whatever else a model has written as an object that holds it."""
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


def _said(parts: Iterable[Part], setting: Setting) -> list[JsonValue]:
    said = (_part(part, setting) for part in parts)
    return [part for part in said if part is not None]


def _part(part: Part, setting: Setting) -> JsonObject | None:
    match part:
        case Text(text) | Refusal(text):
            return {"text": text} if text else None
        case Reasoning():
            return None  # what was thought is not part of the history, in any vendor's API; its signature is
        case Media():
            return media.part(part, setting.generation, setting.drop)
        case StoredFile():
            return media.stored(part)
        case UnknownPart() | ToolCall():
            _leave_out(part, setting.drop)
            return None


def _leave_out(part: UnknownPart | ToolCall, drop: Drop) -> None:
    drop("messages.tool_calls" if isinstance(part, ToolCall) else f"messages.content.{part.kind}")


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
    """What the model says, then what it calls. From the third generation on the first call must be signed: in the
    current turn Google insists on it, in older ones the placeholder does no harm."""
    first = turn.calls[0] if turn.calls else None
    if generation >= 3 and isinstance(first, dict):
        first.setdefault("thoughtSignature", PLACEHOLDER)
    return _content("model", turn.parts + turn.calls)


def _user(asked: _Turn | None, said: list[JsonValue], generation: int) -> list[JsonValue]:
    """What comes after the model has spoken: first the results that it `asked` for. Models before the third generation
    take text beside results, but no media."""
    if asked is None:
        return [_content("user", said)] if said else []
    after = asked.beside + said
    if generation < 3 and any(isinstance(part, dict) and "text" not in part for part in after):
        return [_content("user", asked.results), _content("user", after)]
    return [_content("user", asked.results + after)]


def _content(role: Literal["user", "model"], parts: list[JsonValue]) -> JsonObject:
    return {"role": role, "parts": parts}


def _role(content: JsonValue) -> JsonValue:
    return content.get("role") if isinstance(content, dict) else None
