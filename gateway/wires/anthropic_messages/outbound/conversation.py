"""Renders the conversation: system texts apart, user and assistant alternating, calls with their results.

OpenAI accepts messages in almost any order. Anthropic has stricter rules: a user begins, the results of an assistant's
calls come first in the message after it, and no message and no text is blank. Newer models also refuse an assistant's
message at the end. Otherwise the order stays unchanged.

Source: https://platform.claude.com/docs/en/api/messages/create, `messages` and `system` (2026-11).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from gateway.core.request import Media, Message, ToolCall
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.anthropic_messages.outbound import blocks, media, own_reasoning
from gateway.wires.anthropic_messages.outbound.blocks import Setting
from gateway.wires.tool_results import Place, ToolResult, pair

NOTHING: Final = "."
"""The text of a user's message that exists only because Anthropic requires one; a blank text is refused."""
CONTINUE: Final = "Go on exactly where your last message ended."
"""Replaces a continuation of the assistant's last message (prefill), where the model has none."""

_Results: TypeAlias = dict[Place, ToolResult]


@dataclass(frozen=True, slots=True)
class Conversation:
    """The request's `messages`, never empty, and the blocks of its `system`."""

    messages: list[JsonValue]
    system: list[JsonValue]


@dataclass(slots=True)
class _Turn:
    """The consecutive messages of one role.

    Attributes:
        blocks: the content; an assistant's calls stand where it made them.
        results: the results of the calls, in the calls' order.
        beside: an assistant's media, which only a user's message may have; they follow the results.
        answered: whether a result has arrived; a later message of the same role then starts a new turn.
    """

    role: Literal["user", "assistant", "system"]
    blocks: list[JsonObject] = field(default_factory=list)
    results: list[JsonObject] = field(default_factory=list)
    beside: list[JsonObject] = field(default_factory=list)
    answered: bool = False

    @property
    def speaks(self) -> bool:
        """Whether it has more than an assistant's thinking, which cannot stand alone."""
        return any(block["type"] not in ("thinking", "redacted_thinking") for block in self.blocks)

    @property
    def is_closed(self) -> bool:
        """Whether results follow it, which a user's message brings."""
        return self.answered and bool(self.results)

    def join(self, further: "_Turn") -> None:
        self.blocks += further.blocks
        self.results += further.results
        self.beside += further.beside
        self.answered |= further.answered


def render(messages: tuple[Message, ...], setting: Setting) -> Conversation:
    """Render the conversation for one model.

    Raises:
        InvalidRequest: a tool message answers no call, or media is invalid.
        UnsupportedByTarget: a part that Anthropic does not support cannot be left out.
    """
    if any(message.name is not None and message.role in ("user", "assistant") for message in messages):
        setting.drop("messages.name")
    system, turns = _placed(list(_turns(messages, setting)), setting)
    contents = list(_contents(turns))
    if not contents:  # only system messages, or no messages
        return Conversation([_content("user", system or [_nothing()])], [])
    if contents[0]["role"] == "assistant":
        contents.insert(0, _content("user", [_nothing()]))
    if contents[-1]["role"] == "assistant":
        contents += _continuation(contents[-1], setting)
    return Conversation(list(contents), list(system))


def _turns(messages: tuple[Message, ...], setting: Setting) -> Iterator[_Turn]:
    """A turn for each message that has content; tool messages only mark the turn that they answer."""
    results = dict(pair(messages))
    sent_back: set[bytes] = set()
    latest: _Turn | None = None
    for index, message in enumerate(messages):
        if message.role == "tool":
            if latest is not None:
                latest.answered = True
                latest.results = blocks.marked(latest.results, message)
            continue
        if message.role == "assistant":
            turn = _assistant(index, message, results, setting, sent_back)
        else:
            rendered = (blocks.user if message.role == "user" else blocks.system)(message, setting)
            turn = _Turn(message.role, rendered)
        if turn.speaks or turn.beside:
            yield turn
            latest = latest if turn.role == "system" else turn


def _assistant(index: int, message: Message, results: _Results, setting: Setting, sent_back: set[bytes]) -> _Turn:
    """An assistant's message: its thinking, then its parts in their order."""
    turn = _Turn("assistant")
    beside = setting.returned(own_reasoning.beside(message, setting.memory))
    key = dumps(list[JsonValue](beside))
    if beside and key not in sent_back:  # a client may have split a message; its thinking stands in front of the first
        sent_back.add(key)
        turn.blocks += beside
    for position, part in enumerate(message.parts):
        if isinstance(part, ToolCall):
            id = setting.ids.next(part.id)
            turn.blocks.append(blocks.call(part, id, setting))
            turn.results.append(blocks.result(results.get((index, position)), id, setting))
        elif isinstance(part, Media):
            turn.beside.append(media.block(part, setting.drop))
        else:
            turn.blocks += blocks.assistants(part, setting)
    if turn.speaks and turn.blocks[-1]["type"] in ("text", "tool_use"):
        turn.blocks = blocks.marked(turn.blocks, message)
    return turn


def _placed(turns: list[_Turn], setting: Setting) -> tuple[list[JsonObject], list[_Turn]]:
    """The blocks of `system`, and the turns with those system messages that stay in their place.

    A place is one after a user's message or results, and before an assistant's message or at the end, for models that
    take it. All other system messages go to the front, in their order.
    """
    front: list[JsonObject] = []
    placed: list[_Turn] = []
    for at, turn in enumerate(turns):
        last = placed[-1] if placed else None
        if turn.role == "system":
            following = next((one.role for one in turns[at + 1 :] if one.role != "system"), None)
            if setting.traits.system_inside and last and _ends_with_user(last) and following != "user":
                placed.append(turn)
            elif last and last.role == "system":
                last.blocks += turn.blocks
            else:
                front += turn.blocks
        elif last and last.role == turn.role and not last.is_closed:
            last.join(turn)
        else:
            placed.append(turn)
    return front, placed


def _ends_with_user(turn: _Turn) -> bool:
    return turn.role == "user" or turn.is_closed


def _contents(turns: list[_Turn]) -> Iterator[JsonObject]:
    """The messages; the results that a turn asked for begin the user's message after it."""
    asked: _Turn | None = None
    for turn in turns:
        owed = [*asked.results, *asked.beside] if asked else []
        asked = None
        if turn.role == "user":
            yield _content("user", owed + turn.blocks)
            continue
        if owed:
            yield _content("user", owed)
        if turn.speaks:
            yield _content(turn.role, turn.blocks)
        asked = turn if turn.role == "assistant" else None
    if asked and (asked.results or asked.beside):
        yield _content("user", [*asked.results, *asked.beside])


def _continuation(last: JsonObject, setting: Setting) -> list[JsonObject]:
    """What follows the assistant's message at the end: nothing where the model continues it, else a request to."""
    content = last["content"]
    if setting.traits.prefill and not setting.thinks and isinstance(content, list):
        final = content[-1]
        if isinstance(final, dict) and isinstance(words := final.get("text"), str):
            content[-1] = {**final, "text": words.rstrip()}
        return []
    setting.drop("prefill")
    return [_content("user", [{"type": "text", "text": CONTINUE}])]


def _nothing() -> JsonObject:
    return {"type": "text", "text": NOTHING}


def _content(role: Literal["user", "assistant", "system"], content: list[JsonObject]) -> JsonObject:
    return {"role": role, "content": list[JsonValue](content)}
