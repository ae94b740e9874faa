"""What the demo provider answers, and in which shape."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import GatewayError, InvalidRequest, ModelNotFound
from gateway.demo.answers import ABOUT, LONGEST_QUOTE, Answer, Choice, answer, pieces
from gateway.demo.rendering import Stamp, render_chunks, render_whole
from gateway.demo.request import read_request

STAMP = Stamp("chatcmpl-1", 1, "demo")

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
            "required": ["city"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time", "parameters": None}}


def request_of(content: object = "hello", **fields: object) -> dict[str, object]:
    return {"model": "demo", "messages": [{"role": "user", "content": content}], **fields}


def answer_to(content: object = "hello", **fields: object) -> Answer:
    ids = itertools.count(1)
    return answer(read_request(json.dumps(request_of(content, **fields)).encode()), lambda: f"call_{next(ids)}")


def choice_for(content: object = "hello", **fields: object) -> Choice:
    return answer_to(content, **fields).choices[0]


def text_for(content: object = "hello", **fields: object) -> str:
    return choice_for(content, **fields).content or ""


def after_tools(*results: str, **fields: object) -> dict[str, object]:
    messages = [{"role": "user", "content": "weather?"}, {"role": "assistant", "content": None}]
    messages += [{"role": "tool", "tool_call_id": "call_1", "content": result} for result in results]
    return {"messages": messages, **fields}


# Words -------------------------------------------------------------------------------------------------------------


def test_it_repeats_the_last_user_message_and_says_what_it_is() -> None:
    messages = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "x"},
        {"role": "user", "content": "second"},
    ]
    assert text_for(messages=messages) == f"You said: second\n\n{ABOUT}"


def test_it_says_so_when_the_user_said_nothing() -> None:
    assert text_for(" ").startswith("You said nothing.")
    assert text_for(messages=[{"role": "system", "content": "rules"}]).startswith("You said nothing.")


def test_it_joins_text_parts_and_counts_the_others() -> None:
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:,"}},
        {"type": "text", "text": "here"},
        {"type": "image_url", "image_url": {"url": "data:,"}},
        {"type": "input_audio", "input_audio": {}},
        {"type": "file", "file": {}},
        {"type": "invented_tomorrow"},
    ]
    said = "You said: look\nhere\n\nI also received 2 images, 1 audio clip and 1 file."
    assert text_for(parts) == f"{said}\n\n{ABOUT}"
    assert "I also received 1 image." in text_for(parts[:2])


def test_a_long_text_is_quoted_in_part() -> None:
    assert text_for("x" * (LONGEST_QUOTE + 1)).startswith(f"You said: {'x' * LONGEST_QUOTE}...\n")


def test_it_quotes_what_the_tools_said() -> None:
    assert text_for(**after_tools("sunny", tools=[WEATHER])).startswith("The tool said: sunny\n")
    assert text_for(**after_tools("sunny", "noon")).startswith("The tools said: sunny; noon\n")


@pytest.mark.parametrize(
    ("stop", "text"), [("b", "You said: a "), (["c", "b", "zz"], "You said: a "), ([], None), (["", "zz"], None)]
)
def test_the_answer_ends_before_the_first_stop_text(stop: object, text: str | None) -> None:
    choice = choice_for("a b c", stop=stop)
    assert (choice.content, choice.finish) == (text or f"You said: a b c\n\n{ABOUT}", "stop")


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_answer_has_at_most_so_many_words(name: str) -> None:
    cut = choice_for("a b c", **{name: 3})
    assert (cut.content, cut.finish) == ("You said: a ", "length")
    assert choice_for("a b c", **{name: 1000}).finish == "stop"


def test_the_newer_limit_wins() -> None:
    assert text_for("a b c", max_tokens=1, max_completion_tokens=4) == "You said: a b "


def test_reasoning_comes_first_and_counts() -> None:
    whole = answer_to(reasoning_effort="low")
    words = len(whole.choices[0].reasoning.split())
    assert words > 0
    assert whole.usage.reasoning == words
    cut = answer_to(reasoning_effort="low", max_completion_tokens=words + 2)
    assert (cut.choices[0].content, cut.usage.completion) == ("You said: ", words + 2)
    assert choice_for(reasoning_effort="none").reasoning == ""


def test_n_answers_cost_n_times_the_words() -> None:
    one, three = answer_to("a  b"), answer_to("a  b", n=3)
    assert len(three.choices) == 3
    assert (three.usage.prompt, three.usage.completion) == (2, 3 * one.usage.completion)


@given(st.text())
def test_the_pieces_of_a_text_add_up_to_it(text: str) -> None:
    assert "".join(pieces(text)) == text
    assert all(len(piece.split()) == 1 for piece in pieces(text)[1:])


# Tools -------------------------------------------------------------------------------------------------------------


def calls_for(content: str, **fields: object) -> list[tuple[str, object]]:
    choice = choice_for(content, **{"tools": [WEATHER, TIME], **fields})
    assert (choice.content, choice.finish) == (None, "tool_calls")
    return [(call.name, json.loads(call.arguments)) for call in choice.calls]


def test_it_calls_the_first_tool_with_the_arguments_that_are_required() -> None:
    assert calls_for("What is the weather in Paris? Please.") == [("get_weather", {"city": "Paris"})]
    assert calls_for("and now?") == [("get_weather", {"city": "city"})]


def test_it_calls_the_tool_that_is_named() -> None:
    assert calls_for("both", tool_choice={"type": "function", "function": {"name": "get_time"}}) == [("get_time", {})]


def test_it_calls_all_tools_when_asked_for_both() -> None:
    assert [name for name, _ in calls_for("Tell me BOTH")] == ["get_weather", "get_time"]
    assert [name for name, _ in calls_for("both", parallel_tool_calls=False)] == ["get_weather"]
    assert [name for name, _ in calls_for("tell me more, actually")] == ["get_weather"]


def test_every_call_has_its_own_id() -> None:
    ids = [call.id for choice in answer_to("all", tools=[WEATHER, TIME], n=2).choices for call in choice.calls]
    assert len(set(ids)) == 4


def test_a_tool_that_does_not_exist_cannot_be_chosen() -> None:
    with pytest.raises(InvalidRequest) as refused:
        answer_to(tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "no_such"}})
    assert refused.value.param == "tool_choice"


@pytest.mark.parametrize("fields", [{"tool_choice": "none"}, after_tools("sunny"), {"tools": [{"type": "custom"}]}])
def test_it_does_not_always_call_a_tool(fields: Mapping[str, object]) -> None:
    assert choice_for(**{"tools": [WEATHER], **fields}).calls == ()


# JSON --------------------------------------------------------------------------------------------------------------


def test_a_json_object_holds_the_answer() -> None:
    assert json.loads(text_for("hi", response_format={"type": "json_object"})) == {
        "answer": f"You said: hi\n\n{ABOUT}",
    }
    assert "answer" in json.loads(text_for(response_format={"type": "json_schema", "json_schema": {}}))


def test_a_schema_is_filled_from_the_prompt_or_the_result() -> None:
    schema = {"type": "object", "properties": {"told": {"type": "string"}}, "required": ["told"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert json.loads(text_for("hi", response_format=form)) == {"told": "hi"}
    assert json.loads(text_for(**after_tools("sunny", response_format=form))) == {"told": "sunny"}


# Requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'"\xff"', None),
        (b"[" * 100_000, None),
        (json.dumps(request_of("\ud800")).encode(), None),
        (b'{"model": "demo"}', "messages"),
        (b'{"model": "demo", "messages": []}', "messages"),
        (json.dumps(request_of(7)).encode(), "messages[0].content"),
        (json.dumps(request_of(max_tokens=0)).encode(), "max_tokens"),
        (json.dumps(request_of(n="2")).encode(), "n"),
    ],
)
def test_what_is_no_chat_request_is_refused(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_request(body)
    assert refused.value.param == param


def test_an_unknown_model_is_not_found() -> None:
    with pytest.raises(ModelNotFound):
        read_request(json.dumps(request_of(model="gpt-4")).encode())


def test_null_stands_for_absent() -> None:
    names = [
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "response_format",
        "n",
        "stop",
        "max_tokens",
        "reasoning_effort",
    ]
    assert answer_to(**dict.fromkeys(names)) == answer_to()


FIELDS = st.sampled_from(
    ["messages", "tools", "tool_choice", "response_format", "n", "stop", "stream", "max_tokens", "role", "content"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(FIELDS | st.text(), inner),
)


@given(st.dictionaries(FIELDS, JSON))
def test_any_request_is_answered_or_refused(fields: dict[str, object]) -> None:
    try:
        answered = answer_to(**fields)
    except GatewayError as refused:
        assert refused.status in (400, 404)
    else:
        assert answered.choices


# Shapes ------------------------------------------------------------------------------------------------------------

ASKED: list[dict[str, object]] = [
    {},
    {"n": 2},
    {"reasoning_effort": "high"},
    {"max_tokens": 2},
    {"tools": [WEATHER, TIME], "content": "both, in Seoul", "reasoning_effort": "low"},
    {"response_format": {"type": "json_object"}},
]


def summed(chunks: list[Any], index: int) -> dict[str, object]:
    """The choice that the chunks of a stream add up to, as a client adds them up."""
    choice: dict[str, Any] = {"index": index, "message": {}, "logprobs": None, "finish_reason": None}
    message = choice["message"]
    for part in [part for chunk in chunks for part in chunk["choices"] if part["index"] == index]:
        assert choice["finish_reason"] is None
        choice["finish_reason"] = part["finish_reason"]
        for name, value in part["delta"].items():
            if name != "tool_calls":
                message[name] = message[name] + value if message.get(name) else value
                continue
            for piece in value:
                calls = message.setdefault("tool_calls", [])
                if piece["index"] == len(calls):
                    assert piece["function"]["arguments"] == ""
                    calls.append({key: piece[key] for key in ("id", "type")} | {"function": dict(piece["function"])})
                else:
                    assert list(piece["function"]) == ["arguments"]
                    calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
    return choice


@pytest.mark.parametrize("fields", ASKED)
def test_a_stream_adds_up_to_the_whole_answer(fields: dict[str, object]) -> None:
    said = answer_to(**fields)
    whole: Any = render_whole(said, STAMP)
    chunks: list[Any] = list(render_chunks(said, STAMP, usage=True))
    assert [summed(chunks, choice["index"]) for choice in whole["choices"]] == whole["choices"]
    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], whole["usage"])
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"


def test_usage_is_streamed_only_on_request() -> None:
    assert all("usage" not in chunk and chunk["choices"] for chunk in render_chunks(answer_to(), STAMP, usage=False))


def test_a_whole_answer_has_the_shape_of_openai() -> None:
    text = f"You said: a b\n\n{ABOUT}"
    message = {"role": "assistant", "content": text, "refusal": None}
    words = len(text.split())
    assert render_whole(answer_to("a b"), STAMP) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "demo",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2, "completion_tokens": words, "total_tokens": 2 + words},
    }
