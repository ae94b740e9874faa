"""Conversations that have been elsewhere: what a strict server is spared, and that nothing else is touched."""

import copy
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest, Message, Prompt, Refusal, Text, ToolCall
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.providers.vendors import VENDORS
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_chat.outbound.dialect import Dialect
from gateway.wires.openai_chat.outbound.history import LONGEST_ID, clean

STRICT = OpenAIChatProvider(Dialect("strict"))
LONG = "call_x__thought__" + "c2lnbmF0dXJl" * 20
FOREIGN = [
    "extra_content",
    "images",
    "native_finish_reason",
    "provider_specific_fields",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "thinking_blocks",
]


def render(wire: OpenAIChatProvider, *messages: JsonObject, **fields: JsonValue) -> Rendered:
    body: JsonObject = {"messages": list(messages), "model": "alias", **fields}
    request = OpenAIChatCallers().parse_request(dumps(body))
    rendered = wire.render_request(request, "theirs", Ask(usage=False))
    assert request.source.body == body, "what came must stay for the next candidate"
    return rendered


def sent(*messages: JsonObject) -> tuple[list[JsonObject], tuple[str, ...]]:
    """What a strict server gets for the messages, and what is told of it."""
    rendered = render(STRICT, *messages)
    return json.loads(rendered.body)["messages"], rendered.dropped


def call(id: JsonValue = "call_a", **fields: JsonValue) -> JsonObject:
    return {"id": id, "type": "function", "function": {"name": "get", "arguments": "{}"}, **fields}


USER: JsonObject = {"role": "user", "content": "hi"}
SIGNED: JsonObject = {"google": {"thought_signature": "c2ln"}}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_openai_does_not_know_is_taken_out_of_what_an_assistant_said(name: str) -> None:
    said, dropped = sent(USER, {"role": "assistant", name: "x", "content": "a", "refusal": None})
    assert said == [USER, {"role": "assistant", "content": "a", "refusal": None}]
    assert dropped == (f"messages.{name}",)


def test_null_is_taken_out_without_a_word() -> None:
    assert sent({"role": "assistant", "content": "a", "reasoning_content": None}) == (
        [{"role": "assistant", "content": "a"}],
        (),
    )


def test_what_a_vendor_put_beside_a_call_is_taken_out() -> None:
    message: JsonObject = {
        "role": "assistant",
        "content": None,
        "tool_calls": [call(extra_content=SIGNED), call("call_b", provider_specific_fields={"a": 1})],
    }
    said, dropped = sent(USER, message)
    assert said[1] == {"role": "assistant", "content": None, "tool_calls": [call(), call("call_b")]}
    assert dropped == ("messages.tool_calls.extra_content", "messages.tool_calls.provider_specific_fields")


def test_each_name_is_told_once_in_the_order_of_its_coming() -> None:
    one: JsonObject = {"role": "assistant", "content": "a", "reasoning": "x", "images": [], "extra_content": SIGNED}
    assert sent(one, USER, one)[1] == ("messages.reasoning", "messages.images", "messages.extra_content")


@pytest.mark.parametrize("id", [LONG, "x" * (LONGEST_ID + 1), "functions.get:0", "a b", "é", "call_a\n"])
def test_an_id_that_openai_refuses_becomes_a_short_one_in_call_and_result(id: str) -> None:
    said, dropped = sent(
        {"role": "assistant", "content": None, "tool_calls": [call(id), call("call_b")]},
        {"role": "tool", "tool_call_id": id, "content": "1"},
        {"role": "tool", "tool_call_id": "call_b", "content": "2"},
    )
    found = re.findall(r"'(call_[0-9a-f]{24})'", str(said))
    assert len(found) == 2 and len(set(found)) == 1
    assert said[0]["tool_calls"][1] == call("call_b") and said[2]["tool_call_id"] == "call_b"  # type: ignore[index]
    assert dropped == ()


def test_long_ids_that_differ_stay_different() -> None:
    said, _ = sent({"role": "assistant", "content": None, "tool_calls": [call(LONG + "a"), call(LONG + "b")]})
    assert len(set(re.findall(r"'(call_[0-9a-f]{24})'", str(said)))) == 2


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "a", "refusal": None, "annotations": [], "audio": {"id": "audio_1"}},
        {"role": "assistant", "content": None, "tool_calls": [call("x" * LONGEST_ID), call("")]},
        {"role": "assistant", "content": None, "tool_calls": [call(7), call(None)]},
        {"role": "assistant", "content": None, "tool_calls": None},
        {"role": "user", "content": "a", "reasoning": "not a model's"},
        {"role": "tool", "tool_call_id": "call_a", "content": "a", "images": []},
    ],
)
def test_what_openai_knows_is_sent_as_it_came(message: JsonObject) -> None:
    rendered = render(STRICT, message, temperature=0)
    assert rendered.body == render(OpenAIChatProvider(), message, temperature=0).body
    assert rendered.dropped == ()


def test_where_a_server_does_not_mind_everything_passes() -> None:
    message: JsonObject = {"role": "assistant", **dict.fromkeys(FOREIGN, "x"), "tool_calls": [call(LONG)]}
    rendered = render(OpenAIChatProvider(), message)
    assert json.loads(rendered.body)["messages"] == [message] and rendered.dropped == ()


def test_nothing_to_do_makes_nothing_new() -> None:
    messages: JsonValue = [USER, {"role": "assistant", "content": "a"}]
    assert clean(messages)[0] is messages


values: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4), st.just(LONG)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)
ids = st.one_of(st.text(max_size=50), st.just(LONG), values)
calls = st.dictionaries(st.sampled_from(["type", "function", "extra_content", "provider_specific_fields"]), values)
messages = st.lists(
    st.one_of(
        values,
        st.builds(
            lambda role, rest, called, id: {**rest, "role": role, "tool_calls": called, "tool_call_id": id},
            st.sampled_from(["assistant", "assistant", "tool", "user"]),
            st.dictionaries(st.sampled_from(["content", "refusal", "annotations", *FOREIGN]), values, max_size=4),
            st.one_of(values, st.lists(st.builds(lambda rest, id: {**rest, "id": id}, calls, ids), max_size=3)),
            ids,
        ),
    ),
    max_size=4,
)


@given(st.one_of(messages, values))
def test_any_history_is_cleaned_once_and_for_all_and_what_came_stays(came: JsonValue) -> None:
    before = copy.deepcopy(came)
    cleaned, dropped = clean(came)
    assert came == before
    assert clean(cleaned) == (cleaned, ()) and clean(cleaned)[0] is cleaned
    assert len(set(dropped)) == len(dropped)
    if dropped:
        assert cleaned != came
    if isinstance(cleaned, list) and isinstance(came, list):
        assert len(cleaned) <= len(came)
        for message in cleaned:
            if isinstance(message, dict) and message.get("role") == "assistant":
                assert not message.keys() & set(FOREIGN)


# Calls that nobody can answer, and empty lists of calls ------------------------------------------------------------


def nameless(id: str, name: JsonValue = "") -> JsonObject:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}}


@pytest.mark.parametrize("name", ["", None])
def test_a_call_without_a_name_is_left_out_with_its_result(name: JsonValue) -> None:
    said, dropped = sent(
        USER,
        {"role": "assistant", "content": None, "tool_calls": [nameless("c1", name), call("c2")]},
        {"role": "tool", "tool_call_id": "c1", "content": "?"},
        {"role": "tool", "tool_call_id": "c2", "content": "x"},
    )
    assert said == [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call("c2")]},
        {"role": "tool", "tool_call_id": "c2", "content": "x"},
    ]
    assert dropped == ("messages.tool_calls",)


def test_a_message_that_holds_such_calls_only_is_left_out() -> None:
    alone: JsonObject = {"role": "assistant", "content": "", "tool_calls": [nameless("c1")]}
    said, _ = sent(USER, alone, {"role": "tool", "tool_call_id": "c1", "content": "?"}, USER)
    assert said == [USER, USER]
    said, _ = sent(USER, {**alone, "content": "a"}, USER)
    assert said == [USER, {"role": "assistant", "content": "a"}, USER]


@pytest.mark.parametrize("wire", [OpenAIChatProvider(), STRICT, OpenAIChatProvider(VENDORS["mistral"].dialect)])
def test_an_empty_list_of_calls_never_leaves(wire: OpenAIChatProvider) -> None:
    rendered = render(wire, USER, {"role": "assistant", "content": "hi", "tool_calls": []}, USER)
    assert json.loads(rendered.body)["messages"] == [USER, {"role": "assistant", "content": "hi"}, USER]
    assert rendered.dropped == ()


# Mistral ------------------------------------------------------------------------------------------------------------

MISTRAL = OpenAIChatProvider(VENDORS["mistral"].dialect)


def to_mistral(*messages: JsonObject) -> tuple[list[JsonObject], tuple[str, ...]]:
    rendered = render(MISTRAL, *messages)
    return json.loads(rendered.body)["messages"], rendered.dropped


@pytest.mark.parametrize("id", ["call_PTLP8xhu3uwZk4l3nlnrrJha", LONG, "c", "abcdefgh-", "0123456789"])
def test_mistral_gets_ids_of_nine_letters_and_digits(id: str) -> None:
    said, dropped = to_mistral(
        USER,
        {"role": "assistant", "content": "", "tool_calls": [call(id), call(id + "x")]},
        {"role": "tool", "tool_call_id": id, "content": "1"},
        {"role": "tool", "tool_call_id": id + "x", "content": "2"},
    )
    asked = [one["id"] for one in said[1]["tool_calls"]]  # type: ignore[index, union-attr, call-overload]
    assert [message["tool_call_id"] for message in said[2:]] == asked
    assert len(set(asked)) == 2 and all(re.fullmatch("[A-Za-z0-9]{9}", one) for one in asked)
    assert dropped == ()


def test_an_id_of_mistrals_own_stays() -> None:
    said, _ = to_mistral({"role": "assistant", "content": "", "tool_calls": [call("D681PevKs")]})
    assert said[0]["tool_calls"] == [call("D681PevKs")]


def test_mistral_gets_no_key_that_it_does_not_have_and_no_null() -> None:
    said, dropped = to_mistral(
        {"role": "user", "content": "hi", "name": None, "tool_calls": None},
        {
            "role": "assistant",
            "content": "a",
            "refusal": None,
            "annotations": [],
            "audio": None,
            "function_call": None,
            "metadata": {"x": 1},
        },
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
    )
    assert said == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
    ]
    assert dropped == ("messages.metadata", "messages.content.cache_control")


def test_mistral_gets_a_conversation_of_another_wire_in_its_own_terms() -> None:
    history = (
        Message("user", (Text("hi"),), name="bob"),
        Message("assistant", (Refusal("No."), ToolCall("toolu_01A", "f", "{}"))),
        Message("tool", (Text("x"),), call_id="toolu_01A"),
    )
    request = ChatRequest("alias", False, True, Source("another", {}), lambda: Prompt(history))
    said = json.loads(MISTRAL.render_request(request, "m", Ask()).body)["messages"]
    keys = VENDORS["mistral"].dialect.message_keys
    assert keys is not None and all(message.keys() <= keys[message["role"]] for message in said)
    assert said[1]["tool_calls"][0]["id"] == said[2]["tool_call_id"] and len(said[2]["tool_call_id"]) == 9
