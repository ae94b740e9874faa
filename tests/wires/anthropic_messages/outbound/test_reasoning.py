"""Reasoning on its way back to Anthropic: whole, in its place and Anthropic's own, or not at all."""

from typing import Any

import pytest

from gateway.core.request import Message, Prompt, Reasoning, Text
from gateway.core.strict_json import JsonObject, dumps
from gateway.wires.anthropic_messages.outbound import AnthropicMessagesProvider
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.anthropic_answers import SIGNATURE, message, redacted, thinking
from tests.support.anthropic_answers import call as made
from tests.wires.anthropic_messages.outbound.rendering import (
    NEW,
    assistant,
    body,
    call,
    calls,
    rendered,
    says,
    tool,
    user,
)

SIGNED: JsonObject = {"anthropic": {"signature": SIGNATURE}}


def sent(*parts: Any, memory: ReasoningMemory | None = None, **extra: Any) -> Any:
    """The blocks of an assistant's message in the middle of a conversation."""
    messages = (user("a"), assistant(*parts, **extra), user("b"))
    return body(Prompt(messages), NEW, memory=memory)["messages"][1]["content"]


def test_thinking_that_anthropic_signed_goes_back_in_its_place() -> None:
    found = sent(Reasoning("Hm.", SIGNED), "x", Reasoning("", {"anthropic": {"redacted": "b3BhcXVl"}}), call("1"))
    assert found == [thinking("Hm."), {"type": "text", "text": "x"}, redacted(), calls("1")]


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"anthropic": {"signature": ""}},
        {"anthropic": {"signature": "gw1.abc"}},
        {"anthropic": {"signature": 7}},
        {"anthropic": "odd"},
        {"google": {"thought_signature": "c2ln"}},
        {"openai": {"item": {}}},
    ],
)
def test_other_reasoning_stays_away(extra: Any) -> None:
    prompt = Prompt((user("a"), assistant(Reasoning("Hm.", extra), "x"), user("b")))
    assert body(prompt)["messages"][1] == says("assistant", "x")
    assert rendered(prompt).dropped == ()


def test_thinking_alone_is_no_message() -> None:
    prompt = Prompt((user("a"), assistant(Reasoning("Hm.", SIGNED)), user("b")))
    assert body(prompt)["messages"] == [says("user", "a", "b")]


def test_a_client_that_keeps_extras_sends_the_blocks_back() -> None:
    blocks = [thinking("Hm."), redacted()]
    assert sent("x", call("1"), anthropic={"thinking": blocks}) == [*blocks, {"type": "text", "text": "x"}, calls("1")]


@pytest.mark.parametrize(
    "blocks",
    [
        [thinking("Hm."), thinking("So.", "")],
        [thinking("Hm."), thinking("So.", "gw1.x")],
        [thinking("Hm."), {"type": "redacted_thinking"}],
        [{"type": "text", "text": "no"}],
        [{"type": "thinking", "thinking": 7, "signature": "c2ln"}],
        "odd",
        [7],
    ],
)
def test_blocks_go_all_or_none(blocks: Any) -> None:
    assert sent("x", anthropic={"thinking": blocks}) == [{"type": "text", "text": "x"}]


def test_fields_that_are_none_of_a_blocks_do_not_go_along() -> None:
    found = sent("x", anthropic={"thinking": [{**thinking("Hm."), "odd": 1}]})
    assert found[0] == thinking("Hm.")


def remembered() -> ReasoningMemory:
    """The memory after an answer that called two tools."""
    memory = ReasoningMemory()
    answer = message(thinking("Hm."), made("f", {}, "toolu_1"), made("f", {}, "toolu_2"), stop="tool_use")
    provider = AnthropicMessagesProvider(memory)
    provider.parse_response(dumps(answer), 0, rendered(Prompt((user("Hi"),))))
    return memory


def test_the_memory_serves_clients_that_drop_extras() -> None:
    found = sent(call("toolu_1"), call("toolu_2"), memory=remembered())
    assert found == [thinking("Hm."), calls("toolu_1"), calls("toolu_2")]
    assert sent(call("toolu_3"), memory=remembered()) == [calls("toolu_3")]


def test_a_message_that_a_client_has_split_has_its_thinking_once() -> None:
    messages = (
        user("a"), assistant(call("toolu_1")), tool("toolu_1", "r"),
        assistant(call("toolu_2")), tool("toolu_2", "r"), user("b"),
    )  # fmt: skip
    found = body(Prompt(messages), memory=remembered())["messages"]
    assert [message["content"][0]["type"] for message in found if message["role"] == "assistant"] == [
        "thinking",
        "tool_use",
    ]


def test_what_the_message_has_itself_comes_first() -> None:
    parts = (Reasoning("Own.", SIGNED), Text("x"))
    extra: JsonObject = {"anthropic": {"thinking": [thinking("Other.")]}}
    prompt = Prompt((user("a"), Message("assistant", parts, extra=extra), user("b")))
    assert body(prompt)["messages"][1]["content"][0] == thinking("Own.")


def test_reasoning_that_the_target_refused_is_left_out_wherever_it_comes_from() -> None:
    without = frozenset({"reasoning"})
    for assistants, memory in (
        (assistant(Reasoning("Hm.", SIGNED), "x"), None),
        (assistant("x", anthropic={"thinking": [thinking("Hm.")]}), None),
        (assistant("x", call("toolu_1")), remembered()),
    ):
        prompt = Prompt((user("a"), assistants, user("b")))
        found = rendered(prompt, memory=memory, without=without)
        assert body(prompt, memory=memory, without=without)["messages"][1]["content"][0]["type"] == "text"
        assert found.dropped == ("messages.reasoning_content",)
