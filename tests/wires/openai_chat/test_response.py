"""Whole answers of OpenAI-compatible servers: what a server sends, and what the client gets."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from gateway.core.answer import Usage
from gateway.core.provider_failures import (
    ContentRefused,
    InvalidAnswer,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from gateway.core.rendered import Rendered
from gateway.core.strict_json import JsonObject, JsonValue, dumps, loads
from gateway.wires.base import Naming
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from tests.support.cases import each_case
from tests.support.chats import ASKED

GOLDEN = Path(__file__).parents[2] / "golden" / "openai" / "answers"
NOW = 1_800_000_000
SPOKEN = ("id", "object", "created", "model", "choices", "usage", "error", "index", "message", "finish_reason")
SPOKEN_BY_MESSAGES = ("role", "content", "tool_calls", "function", "name", "arguments", "type", "thinking", "text")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
unknown = st.dictionaries(texts.filter(lambda name: name not in SPOKEN + SPOKEN_BY_MESSAGES), values, max_size=3)


def shown(body: object, *, model: str | None = "alias", forced: bool = False) -> JsonObject:
    """What the client gets for what a server sent; it must satisfy the real client. `forced`: it forced one tool."""
    text = OpenAIChatCallers().render_response(
        OpenAIChatProvider().parse_response(json.dumps(body).encode(), NOW, Rendered(b"", forced_tool=forced)),
        ASKED,
        Naming(model, usage=True),
    )
    found = json.loads(text)
    assert isinstance(found, dict)
    ChatCompletion.model_validate(found)
    return found


def refusal(body: bytes) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as caught:
        OpenAIChatProvider().parse_response(body, NOW, Rendered(b""))
    return caught.value


def answer(message: JsonObject | None = None, **fields: JsonValue) -> JsonObject:
    """A correct answer; `fields` replace its choice's."""
    said: JsonObject = {"role": "assistant", "content": "Hello"} if message is None else message
    choice: JsonObject = {"index": 0, "message": said, "finish_reason": "stop", **fields}
    envelope: JsonObject = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "alias"}
    return {**envelope, "choices": [choice], "usage": usage(9, 2, 11)}


def usage(prompt: JsonValue, completion: JsonValue, total: JsonValue) -> JsonObject:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def called(*calls: JsonValue, finish: JsonValue = "tool_calls") -> JsonObject:
    return answer({"role": "assistant", "content": None, "tool_calls": list(calls)}, finish_reason=finish)


def call(**fields: JsonValue) -> JsonObject:
    return {"id": "call_a", "type": "function", "function": {"name": "get", "arguments": "{}"}, **fields}


def without(body: JsonObject, name: str) -> JsonObject:
    return {key: value for key, value in body.items() if key != name}


# What is right ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_correct_answer_leaves_as_it_came_but_for_its_model(path: Path) -> None:
    came = json.loads(path.read_bytes())
    forced = path.stem.startswith("forced")
    left = shown(came, forced=forced)
    assert left == {**came, "model": "alias"}
    assert json.dumps(left) == json.dumps({**came, "model": "alias"}), "the order of the fields has changed"
    assert shown(came, model=None, forced=forced) == came


@st.composite
def correct_answers(draw: st.DrawFn) -> JsonObject:
    choices: list[JsonValue] = []
    for index in range(draw(st.integers(1, 3))):
        message: JsonObject = {"role": "assistant", "content": draw(st.one_of(st.none(), texts)), **draw(unknown)}
        if draw(st.booleans()):
            arguments = json.dumps(draw(st.dictionaries(texts, values, max_size=2)))
            function: JsonObject = {"name": "get", "arguments": arguments, **draw(unknown)}
            message["tool_calls"] = [{"id": "call_a", "type": "function", "function": function, **draw(unknown)}]
        finish = draw(st.sampled_from(["stop", "length", "tool_calls", "content_filter", "function_call"]))
        if not (message["content"] or "tool_calls" in message):
            finish = "length"  # nothing at all is no answer
        choices.append({"index": index, "message": message, "finish_reason": finish, **draw(unknown)})
    body = answer()
    body |= {"choices": choices, "created": draw(st.integers(1, 2**40)), "id": draw(texts.filter(bool))}
    prompt, completion = draw(st.integers(0, 2**50)), draw(st.integers(0, 2**50))
    body["usage"] = draw(st.sampled_from([None, {**usage(prompt, completion, prompt + completion), **draw(unknown)}]))
    return dict(draw(st.permutations(sorted({**body, **draw(unknown)}.items()))))


@given(correct_answers(), texts)
def test_any_correct_answer_leaves_as_it_came_but_for_its_model(body: JsonObject, model: str) -> None:
    parsed = OpenAIChatProvider().parse_response(dumps(body), NOW, Rendered(b"", forced_tool=True))
    assert OpenAIChatCallers().render_response(parsed, ASKED, Naming(None, usage=True)) == dumps(body)
    assert OpenAIChatCallers().render_response(parsed, ASKED, Naming(model, usage=True)) == dumps(
        {**body, "model": model}
    )


@pytest.mark.parametrize(
    ("sent", "counted"),
    [
        (usage(9, 2, 11), Usage(prompt=9, completion=2)),
        (usage(9.0, 2.0, 11.0), Usage(prompt=9, completion=2)),
        ({"prompt_tokens": 9}, Usage(prompt=9, completion=0)),
        (None, None),
    ],
)
def test_the_counts_are_read(sent: JsonValue, counted: Usage | None) -> None:
    assert OpenAIChatProvider().parse_response(dumps({**answer(), "usage": sent}), NOW, Rendered(b"")).usage == counted


# What is mended --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "left"),
    [
        pytest.param(without(answer(), "object"), answer(), id="no object"),
        pytest.param({**answer(), "object": "chat.completions"}, answer(), id="object misspelt"),
        pytest.param({**answer(), "object": "chat.completion.chunk"}, answer(), id="object of a chunk"),
        pytest.param(without(answer(), "model"), answer(), id="no model"),
        pytest.param({**answer(), "model": None}, answer(), id="model null"),
        pytest.param({**answer(), "created": 1_700_000_000.75}, answer(), id="created with a fraction"),
        pytest.param({**answer(), "created": "1700000000"}, answer(), id="created as text"),
        pytest.param({**answer(), "created": "1700000000.75"}, answer(), id="created as text with a fraction"),
        pytest.param(answer({"content": "Hello"}), answer(), id="no role"),
        pytest.param(answer({"role": "", "content": "Hello"}), answer(), id="empty role"),
        pytest.param(answer({"role": None, "content": "Hello"}), answer(), id="role null"),
        pytest.param(answer(index=None), answer(), id="index null"),
        pytest.param(answer(index="0"), answer(), id="index as text"),
        pytest.param(
            answer({"role": "assistant"}, finish_reason="length"),
            answer({"role": "assistant", "content": None}, finish_reason="length"),
            id="no content",
        ),
        pytest.param(
            answer({"role": "assistant", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]}),
            answer(),
            id="content as parts",
        ),
        pytest.param(
            answer(
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                        {"type": "text", "text": "Hello"},
                    ],
                }
            ),
            answer({"role": "assistant", "content": "Hello", "reasoning_content": "Hm."}),
            id="content as parts with reasoning",
        ),
        pytest.param(answer(finish_reason=None), answer(), id="finish null"),
        pytest.param(answer(finish_reason=""), answer(), id="finish empty"),
        pytest.param(answer(finish_reason="STOP"), answer(), id="finish STOP"),
        pytest.param(answer(finish_reason="eos"), answer(), id="finish eos"),
        pytest.param(answer(finish_reason="end_turn"), answer(), id="finish end_turn"),
        pytest.param(answer(finish_reason="whatever"), answer(native_finish_reason="whatever"), id="finish whatever"),
        pytest.param(answer(finish_reason="max_tokens"), answer(finish_reason="length"), id="finish max_tokens"),
        pytest.param(answer(finish_reason="MAX_TOKENS"), answer(finish_reason="length"), id="finish MAX_TOKENS"),
        pytest.param(answer(finish_reason="SAFETY"), answer(finish_reason="content_filter"), id="finish SAFETY"),
        pytest.param(called(call(), finish="tool_use"), called(call()), id="finish tool_use"),
        pytest.param(called(call(), finish=None), called(call()), id="no finish on tool calls"),
        pytest.param(called(call(), finish="calls"), called(call()), id="unknown finish on tool calls"),
        pytest.param(called(call(type=None)), called(call()), id="tool call without type"),
        pytest.param(called(call(type="")), called(call()), id="tool call with an empty type"),
        pytest.param(
            called(call(function={"name": "get", "arguments": {"a": [1, None, "é"]}})),
            called(call(function={"name": "get", "arguments": '{"a":[1,null,"é"]}'})),
            id="arguments as object",
        ),
        pytest.param(called(call(function={"name": "get", "arguments": {}})), called(call()), id="arguments {}"),
        pytest.param(called(call(function={"name": "get", "arguments": ""})), called(call()), id="arguments empty"),
        pytest.param(called(call(function={"name": "get", "arguments": None})), called(call()), id="arguments null"),
        pytest.param(called(call(function={"name": "get"})), called(call()), id="no arguments"),
        pytest.param({**answer(), "usage": usage(9, 2, None)}, answer(), id="no total"),
        pytest.param({**answer(), "usage": usage(9.0, 2.0, 11.0)}, answer(), id="counts with a fraction"),
        pytest.param(
            {**answer(), "usage": {"total_tokens": 11}}, {**answer(), "usage": usage(0, 0, 11)}, id="total alone"
        ),
        pytest.param(
            {**answer(), "usage": usage(1e300, None, None)}, {**answer(), "usage": usage(0, 0, 0)}, id="absurd counts"
        ),
        pytest.param({**answer(), "usage": {}}, {**answer(), "usage": usage(0, 0, 0)}, id="empty usage"),
    ],
)
def test_a_server_sends_this_and_the_client_gets_that(sent: JsonObject, left: JsonObject) -> None:
    assert shown(sent) == left


@pytest.mark.parametrize("name", ["index", "finish_reason"])
def test_a_choice_without_a_field_gets_it(name: str) -> None:
    body = answer()
    choices = body["choices"]
    assert isinstance(choices, list) and isinstance(choices[0], dict)
    del choices[0][name]
    assert shown(body) == answer()


@pytest.mark.parametrize("id", [None, "", 7])
def test_an_answer_without_an_id_gets_one(id: JsonValue) -> None:
    found = shown({**answer(), "id": id})["id"]
    assert isinstance(found, str) and re.fullmatch(r"chatcmpl-[0-9a-f]{24}", found)


@pytest.mark.parametrize("created", [None, 0, -5, True, "", "soon", "9" * 5000, 1e300, "²", [1]])
def test_an_answer_without_a_usable_time_gets_the_time_it_came(created: JsonValue) -> None:
    expected = 1 if created is True else NOW
    assert shown({**answer(), "created": created})["created"] == expected


@pytest.mark.parametrize("id", [None, ""])
def test_tool_calls_without_an_id_get_one_each(id: JsonValue) -> None:
    body = shown(called(call(id=id), call(id=id)))
    ids = re.findall(r'"id": "(call_[0-9a-f]{24})"', json.dumps(body))
    assert len(set(ids)) == 2


def test_choices_without_an_index_are_counted() -> None:
    one: JsonObject = {"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
    both: list[JsonValue] = [one, one]
    body = ChatCompletion.model_validate(shown({**answer(), "choices": both}))
    assert [choice.index for choice in body.choices] == [0, 1]


def test_an_answer_without_a_model_has_a_name_even_when_the_providers_own_is_shown() -> None:
    assert shown(without(answer(), "model"), model=None)["model"] == ""


def test_stop_beside_tool_calls_stays_where_a_function_was_forced() -> None:
    assert shown(called(call(), finish="stop"), forced=True) == called(call(), finish="stop")
    assert shown(called(call(), finish="stop")) == called(call())


def test_reasoning_that_a_server_has_already_set_aside_is_not_replaced() -> None:
    parts: JsonValue = [{"type": "thinking", "thinking": [{"type": "text", "text": "long"}]}]
    sent = answer({"role": "assistant", "content": parts, "reasoning_content": "short"})
    assert shown(sent) == answer({"role": "assistant", "content": "", "reasoning_content": "short"})


# What is no answer -----------------------------------------------------------------------------------------------


@each_case(
    "body",
    [
        b"",
        b"   ",
        b"<html><body>Welcome</body></html>",
        b'{"id": "chatcmpl-1", "choices": [',
        b'{"choices": [{"message": {"content": NaN}}]}',
        b"data: {}\n\n",
        b"null",
        b"[]",
        b"7",
        b'"Hello"',
        b"{}",
        b'{"choices": null}',
        b'{"choices": []}',
        b'{"choices": {}}',
        b'{"choices": "Hello"}',
        b'{"choices": [null]}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": "Hello"}]}',
        b'{"choices": [{"message": {}}, 7]}',
        b'{"choices": [{"message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"role": "assistant", "tool_calls": []}, "finish_reason": "tool_calls"}]}',
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_200_without_an_answer_is_broken(body: bytes) -> None:
    assert type(refusal(body)) is InvalidAnswer


@pytest.mark.parametrize(
    ("body", "failure", "message"),
    [
        ({"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}, RateLimited, "Slow down."),
        ({"error": {"message": "Slow down.", "code": 429}}, RateLimited, "Slow down."),
        ({"error": {"message": "Spent.", "code": "insufficient_quota"}, "choices": []}, QuotaExhausted, "Spent."),
        ({"error": {"message": "No.", "code": "content_filter"}, "choices": None}, ContentRefused, "No."),
        ({"error": "CUDA out of memory"}, InvalidAnswer, "CUDA out of memory"),
        ([{"error": {"code": 503, "message": "Overloaded."}}], Unavailable, "Overloaded."),
        ({"object": "error", "message": "The engine died.", "code": 500}, Unavailable, "The engine died."),
        ({"error": True}, InvalidAnswer, "The provider reported an error inside its answer."),
    ],
)
def test_a_200_that_holds_an_error_is_that_error(body: JsonValue, failure: type[ProviderFailure], message: str) -> None:
    error = refusal(dumps(body))
    assert type(error) is failure and error.message == message


def test_an_error_beside_an_answer_does_not_take_the_answer_away() -> None:
    assert shown({**answer(), "error": None}) == {**answer(), "error": None}


@given(st.binary(max_size=60))
def test_any_bytes_are_an_answer_or_a_providers_failure(body: bytes) -> None:
    with pytest.raises(ProviderFailure):
        OpenAIChatProvider().parse_response(body, NOW, Rendered(b""))


@st.composite
def wild(draw: st.DrawFn) -> JsonValue:
    """JSON that uses an answer's words for anything."""
    names = st.sampled_from(SPOKEN + SPOKEN_BY_MESSAGES)
    inner = st.dictionaries(names, values, max_size=4)
    tool = st.dictionaries(names, st.one_of(values, inner), max_size=4)
    message = st.dictionaries(names, st.one_of(values, st.lists(st.one_of(tool, values), max_size=2)), max_size=4)
    choice = st.builds(lambda message, rest: {**rest, "message": message}, message, inner)
    counts = st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens"]), values)
    body: JsonObject = draw(st.dictionaries(names, st.one_of(values, counts), max_size=6))
    if draw(st.booleans()):
        body["usage"] = draw(counts)
    choices: list[JsonValue] = [*draw(st.lists(choice, max_size=2))]
    body["choices"] = choices
    return body


@given(wild())
def test_any_json_is_an_answer_or_a_providers_failure(body: JsonValue) -> None:
    try:
        parsed = OpenAIChatProvider().parse_response(dumps(body), NOW, Rendered(b""))
    except ProviderFailure:
        return
    left = loads(OpenAIChatCallers().render_response(parsed, ASKED, Naming("alias", usage=True)))
    assert isinstance(left, dict)
    assert left["object"] == "chat.completion" and left["model"] == "alias" and left["id"]
    assert type(left["created"]) is int and left["choices"]


def test_an_answer_that_finished_in_an_error_is_no_answer() -> None:
    sent = answer({"role": "assistant", "content": "Hel"}, finish_reason="error")
    assert "broke its answer off" in refusal(dumps(sent)).message


def test_a_list_of_parts_with_an_image_in_it_stays_a_list() -> None:
    parts: JsonValue = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    sent = answer({"role": "assistant", "content": parts})
    assert OpenAIChatProvider().parse_response(dumps(sent), NOW, Rendered(b"")).source.body == sent
