"""Answers and prompts in neutral form, as hypothesis makes them, and the rules that all of them follow."""

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st
from msgspec import Struct

from gateway.core.answer import ChatChunk, ChoiceDelta
from gateway.core.request import (
    JsonOutput,
    Media,
    Message,
    Params,
    Prompt,
    Refusal,
    StoredFile,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    UnknownPart,
)
from gateway.core.request import Reasoning as ReasoningPart
from gateway.core.strict_json import JsonObject, JsonValue, dumps

PNG: Final = "iVBORw0KGgo="
words = st.text(st.sampled_from("ab é\n한"), min_size=1, max_size=6)
tool_names = st.sampled_from(["get", "put", "server/tool", "two words", "x" * 70])
schemas: st.SearchStrategy[JsonObject] = st.sampled_from(
    [{"type": "object", "properties": {}}, {"type": "object", "properties": {"a": {"type": "string"}}}]
)
tools = st.one_of(
    st.builds(Tool, tool_names, words, schemas, strict=st.sampled_from([None, True, False])),
    st.builds(
        Tool,
        st.sampled_from(["patch", "odd patch"]),
        words,
        kind=st.just("custom"),
        grammar=st.sampled_from([None, ("lark", 'start: "a"')]),
    ),
)
json_values: st.SearchStrategy[JsonValue] = st.one_of(words, st.integers(0, 9))
json_arguments = st.dictionaries(words, json_values, max_size=2).map(lambda value: dumps(value).decode())


# Answers ---------------------------------------------------------------------------------------------------------


class CallPlan(Struct, frozen=True):
    """A call of an answer: the name that the provider says, and its arguments in the pieces in which they come."""

    name: str
    pieces: tuple[str, ...]
    custom: bool = False


class AnswerPlan(Struct, frozen=True):
    """An answer that an OpenAI server gives, whole or as a stream of any cut. The calls' pieces are interleaved by
    `order`, which names calls."""

    reasoning: tuple[str, ...]
    text: tuple[str, ...]
    refusal: tuple[str, ...]
    calls: tuple[CallPlan, ...]
    order: tuple[int, ...]
    finish: str

    def whole(self) -> JsonObject:
        """The answer as one object."""
        message: JsonObject = {"role": "assistant", "content": "".join(self.text) or None, "refusal": None}
        if self.refusal:
            message["refusal"] = "".join(self.refusal)
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.calls:
            message["tool_calls"] = [
                _call(number, call, "".join(call.pieces)) for number, call in enumerate(self.calls)
            ]
        choice: JsonObject = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": dict(USAGE)}

    def events(self) -> list[JsonObject]:
        """The answer as the events of a stream."""
        deltas: list[JsonObject] = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning_content": piece} for piece in self.reasoning]
        deltas += [{"content": piece} for piece in self.text]
        deltas += [{"refusal": piece} for piece in self.refusal]
        deltas += [{"tool_calls": [fragment]} for fragment in self._fragments()]
        choices = [_chunk(delta, None) for delta in deltas]
        return [*choices, _chunk({}, self.finish), {**HEAD, "object": CHUNK, "choices": [], "usage": dict(USAGE)}]

    def _fragments(self) -> list[JsonObject]:
        """The calls begin in their order; which of those that have begun goes on says `order`."""
        left = [list(call.pieces) for call in self.calls]
        fragments: list[JsonObject] = []
        begun = 0
        for wanted in (*self.order, *(number for number, pieces in enumerate(left) for _ in range(len(pieces) + 1))):
            number = min(wanted, begun)
            if number == begun < len(self.calls):
                fragments.append({"index": number, **_call(number, self.calls[number], "")})
                begun += 1
            elif number < begun and left[number]:
                kind, name = ("custom", "input") if self.calls[number].custom else ("function", "arguments")
                fragments.append({"index": number, kind: {name: left[number].pop(0)}})
        return fragments


CHUNK: Final = "chat.completion.chunk"
HEAD: Final[JsonObject] = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "theirs"}
USAGE: Final[JsonObject] = {
    "prompt_tokens": 9,
    "completion_tokens": 5,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def _call(number: int, call: CallPlan, arguments: str) -> JsonObject:
    if call.custom:
        return {"id": f"call_{number}", "type": "custom", "custom": {"name": call.name, "input": arguments}}
    return {"id": f"call_{number}", "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _chunk(delta: JsonObject, finish: str | None) -> JsonObject:
    choice: JsonObject = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**HEAD, "object": CHUNK, "choices": [choice]}


@st.composite
def _pieces(draw: st.DrawFn, text: st.SearchStrategy[str]) -> tuple[str, ...]:
    whole = draw(text)
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(whole) - 1)), max_size=3)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    return tuple(piece for piece in pieces if piece)


call_plans = st.one_of(
    st.builds(CallPlan, st.sampled_from(["get", "put"]), _pieces(json_arguments)),
    st.builds(CallPlan, st.just("patch"), _pieces(words), st.just(True)),
)


@st.composite
def _answers(draw: st.DrawFn) -> AnswerPlan:
    calls = tuple(draw(st.lists(call_plans, max_size=3)))
    said = tuple(draw(st.lists(words, max_size=3)))
    refusal = () if said or calls else tuple(draw(st.lists(words, min_size=1, max_size=2)))
    finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"]))
    order = tuple(draw(st.lists(st.integers(0, 3), max_size=8)))
    return AnswerPlan(tuple(draw(st.lists(words, max_size=2))), said, refusal, calls, order, finish)


answer_plans = _answers()


def check_calls(chunks: Sequence[ChatChunk]) -> None:
    """Calls are numbered in the order of their beginning, begin with id and name, and end once, at the latest with
    their choice; a choice has one finish, which is the last thing of it."""
    for index in {delta.index for chunk in chunks for delta in chunk.deltas}:
        own = [delta for chunk in chunks for delta in chunk.deltas if delta.index == index]
        _check_pieces(own)
        finishes = [at for at, delta in enumerate(own) if delta.finish is not None]
        assert len(finishes) <= 1
        assert all(_says_nothing(delta) for at, delta in enumerate(own) if finishes and at > finishes[0])


def _check_pieces(deltas: Sequence[ChoiceDelta]) -> None:
    ended: dict[int, bool] = {}
    for delta in deltas:
        for piece in delta.calls:
            if piece.index not in ended:
                assert piece.index == len(ended), "calls are numbered in the order of their beginning"
                assert piece.id and piece.name
            else:
                assert not (piece.id or piece.name), "only the first piece has them"
                assert not ended[piece.index], "nothing follows the end of a call"
            ended[piece.index] = piece.ended
        if delta.finish is not None:
            assert all(ended.values()), "a choice that ends has ended its calls"


def _says_nothing(delta: ChoiceDelta) -> bool:
    return not (delta.text or delta.reasoning or delta.refusal or delta.calls or delta.images)


# Prompts ---------------------------------------------------------------------------------------------------------

pictures = st.builds(
    Media,
    st.just("image"),
    st.just("image/png"),
    st.just(PNG),
    detail=st.sampled_from([None, "low", "high"]),
)
addresses = st.builds(Media, st.just("image"), uri=st.just("https://a.example/b.png"))
sounds = st.builds(Media, st.just("audio"), st.just("audio/wav"), st.just("UklGRgAA"))
documents = st.builds(
    Media, st.just("file"), st.just("application/pdf"), st.just("JVBERi0="), name=st.sampled_from(["a.pdf", None])
)
user_parts = st.one_of(
    st.builds(Text, words),
    pictures,
    addresses,
    sounds,
    documents,
    st.builds(StoredFile, st.sampled_from(["file-1"]), st.sampled_from(["openai", "anthropic"])),
    st.builds(UnknownPart, st.just("video_url")),
)
calls = st.builds(
    ToolCall,
    st.sampled_from(["call_1", "call_2", "odd id/" + "x" * 60, ""]),
    tool_names,
    json_arguments,
)
custom_calls = st.builds(ToolCall, st.sampled_from(["call_3"]), st.just("patch"), words, st.just("custom"))
assistant_parts = st.one_of(
    st.builds(Text, words),
    st.builds(ReasoningPart, words),
    st.builds(Refusal, words),
    calls,
    custom_calls,
)


@st.composite
def _turns(draw: st.DrawFn) -> tuple[Message, ...]:
    """A conversation in which every result answers a call; some calls have none."""
    messages = [Message("system", (Text(draw(words)),))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        messages.append(Message("user", tuple(draw(st.lists(user_parts, min_size=1, max_size=3)))))
        spoken = tuple(draw(st.lists(assistant_parts, max_size=3)))
        if not spoken:
            continue
        messages.append(Message("assistant", spoken))
        for call in {part.id or part.name: part for part in spoken if isinstance(part, ToolCall)}.values():
            if draw(st.booleans()):
                result = tuple(draw(st.lists(st.one_of(st.builds(Text, words), pictures), max_size=2)))
                name = None if call.id else call.name
                messages.append(Message("tool", result, call.id, name, draw(st.booleans())))
    return tuple(messages)


params = st.builds(
    Params,
    temperature=st.sampled_from([None, 0.5]),
    top_p=st.sampled_from([None, 0.9]),
    top_k=st.sampled_from([None, 40]),
    max_tokens=st.sampled_from([None, 100]),
    stop=st.sampled_from([(), ("END",)]),
    seed=st.sampled_from([None, 7]),
    effort=st.sampled_from([None, "none", "low", "max"]),
    reasoning_budget=st.sampled_from([None, 0, 2_000, 50_000]),
    show_reasoning=st.sampled_from([None, True, False]),
    verbosity=st.sampled_from([None, "low"]),
    output=st.one_of(
        st.none(),
        st.builds(JsonOutput),
        st.builds(JsonOutput, schemas, st.sampled_from(["", "odd name"]), st.sampled_from([None, True]), words),
    ),
    parallel_calls=st.sampled_from([None, True, False]),
)


@st.composite
def _prompts(draw: st.DrawFn) -> Prompt:
    declared = tuple({tool.name: tool for tool in draw(st.lists(tools, max_size=3))}.values())
    choice = None
    if draw(st.booleans()) and declared:
        some = tuple(tool.name for tool in declared)[: draw(st.integers(0, 2))]
        mode = draw(st.sampled_from(["auto", "none", "required"]))
        choice = ToolChoice("none") if mode == "none" else ToolChoice("auto" if mode == "auto" else "required", some)
    return Prompt(draw(_turns()), declared, (), choice, draw(params))


prompts = _prompts()
