"""A caller's own request of this wire: it goes on as it came, but for the model and what no provider would take."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.rendered import Adjustments, Ask, Rendered
from gateway.core.request import ChatRequest, Prompt
from gateway.core.source import Source
from gateway.wires.anthropic_messages.outbound import AnthropicMessagesProvider
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.anthropic_answers import redacted, text, thinking

USER = {"role": "user", "content": "Hi"}


def own(
    source: dict[str, Any],
    *,
    headers: dict[str, str] | None = None,
    query: str = "",
    without: frozenset[str] = frozenset(),
    most: int | None = None,
) -> Rendered:
    def prompt() -> Prompt:
        raise AssertionError("the neutral form is not read")

    chat = ChatRequest("alias", False, True, Source("anthropic_messages", source, headers or {}, query), prompt)
    before = copy.deepcopy(source)
    ask = Ask(adjustments=Adjustments(without, most))
    found = AnthropicMessagesProvider(ReasoningMemory()).render_request(chat, "theirs", ask)
    assert source == before, "the next candidate gets it too"
    return found


def sent(**fields: Any) -> Any:
    return json.loads(own({"model": "alias", "max_tokens": 10, "messages": [USER], **fields}).body)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_every_field_goes_on_as_it_came(fields: dict[str, Any]) -> None:
    source = {**fields, "model": "alias"}
    found = own(source)
    assert json.loads(found.body) == {**source, "model": "theirs"}
    assert list(json.loads(found.body)) == list(source), "caches depend on the order"
    assert (found.neutral, found.dropped, dict(found.tools)) == (False, (), {})


# Thinking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signature", ["", "gw1.k3J9"])
def test_thinking_that_nobody_signed_is_removed(signature: str) -> None:
    messages = [
        USER,
        {
            "role": "assistant",
            "content": [thinking("Hm.", signature), thinking("So."), redacted(), text("x")],
            "odd": 1,
        },
        {"role": "assistant", "content": [thinking("Hm.", signature)]},
        USER,
    ]
    found = sent(messages=messages)["messages"]
    kept = {"role": "assistant", "content": [thinking("So."), redacted(), text("x")], "odd": 1}
    assert found == [USER, kept, USER]


def test_signed_thinking_is_untouched() -> None:
    messages = [USER, {"role": "assistant", "content": [thinking("Hm."), redacted(), text("x")]}, USER]
    assert sent(messages=messages)["messages"] == messages


# Headers and query -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, {"anthropic-version": "2023-06-01"}),
        ({"anthropic-version": "2026-10-21"}, {"anthropic-version": "2026-10-21"}),
        ({"anthropic-version": "latest\r\nx: y"}, {"anthropic-version": "2023-06-01"}),
        (
            {"anthropic-beta": "a-2025-01-01, b , a-2025-01-01,odd token,,x\r\ny"},
            {"anthropic-version": "2023-06-01", "anthropic-beta": "a-2025-01-01,b"},
        ),
        ({"anthropic-beta": ","}, {"anthropic-version": "2023-06-01"}),
        ({"x-other": "1"}, {"anthropic-version": "2023-06-01"}),
    ],
)
def test_the_headers_of_the_wire(headers: dict[str, str], expected: dict[str, str]) -> None:
    assert own({"model": "m"}, headers=headers).headers == expected


def test_there_is_a_bound_to_the_betas() -> None:
    betas = ",".join(f"b{number}" for number in range(100))
    assert len(own({"model": "m"}, headers={"anthropic-beta": betas}).headers["anthropic-beta"].split(",")) == 64


@pytest.mark.parametrize(
    ("query", "sent"),
    [("beta=true", "beta=true"), ("x=1&beta=true", "beta=true"), ("beta=1", ""), ("", ""), ("x=y", "")],
)
def test_the_query_says_only_beta(query: str, sent: str) -> None:
    assert own({"model": "m"}, query=query).query == sent


# What was learned of the target ------------------------------------------------------------------------------------

SYSTEM = {"role": "system", "content": "Be short.", "output_config": {"effort": "low"}}
ASSISTANT = {"role": "assistant", "content": [thinking("Hm."), redacted(), text("x")]}


@pytest.mark.parametrize(
    ("fields", "without", "changed", "told"),
    [
        ({"temperature": 0.5, "top_k": 3}, {"temperature", "top_p"}, {"temperature": None}, ("temperature",)),
        ({"thinking": {"type": "adaptive"}}, {"effort"}, {"thinking": None}, ("thinking",)),
        ({"thinking": {"type": "enabled"}}, {"effort"}, {}, ()),
        ({"thinking": {"type": "enabled"}}, {"reasoning_budget"}, {"thinking": None}, ("thinking",)),
        ({"output_config": {"effort": "max"}}, {"effort"}, {"output_config": None}, ("output_config.effort",)),
        (
            {"output_config": {"effort": "max", "format": {}}},
            {"effort"},
            {"output_config": {"format": {}}},
            ("output_config.effort",),
        ),
        (
            {"messages": [USER, SYSTEM]},
            {"effort"},
            {"messages": [USER, {"role": "system", "content": "Be short."}]},
            (),
        ),
        (
            {"output_config": {"effort": "max", "format": {}}},
            {"output"},
            {"output_config": {"effort": "max"}},
            ("output_config.format",),
        ),
        (
            {"messages": [USER, ASSISTANT, USER]},
            {"reasoning"},
            {"messages": [USER, {"role": "assistant", "content": [text("x")]}, USER]},
            ("messages.content.thinking",),
        ),
        (
            {"system": "First.", "messages": [USER, SYSTEM]},
            {"messages.system"},
            {"system": [text("First."), text("Be short.")], "messages": [USER]},
            (),
        ),
        (
            {"messages": [USER, ASSISTANT]},
            {"prefill"},
            {
                "messages": [
                    USER,
                    ASSISTANT,
                    {"role": "user", "content": "Go on exactly where your last message ended."},
                ]
            },
            ("prefill",),
        ),
        (
            {"context_management": {}, "x": 1},
            {"context_management"},
            {"context_management": None},
            ("context_management",),
        ),
        ({"max_tokens": 1, "stream": True}, {"max_tokens", "stream", "model"}, {}, ()),
        ({"messages": [USER]}, {"prefill", "reasoning", "messages.system"}, {}, ()),
        ({"messages": "odd", "output_config": 7}, {"prefill", "reasoning", "effort"}, {}, ()),
    ],
)
def test_what_the_target_refused_is_left_out(
    fields: dict[str, Any], without: set[str], changed: dict[str, Any], told: tuple[str, ...]
) -> None:
    source = {"model": "alias", **fields}
    found = own(source, without=frozenset(without))
    expected = {name: value for name, value in {**source, **changed, "model": "theirs"}.items() if value is not None}
    assert json.loads(found.body) == expected
    assert found.dropped == told


@pytest.mark.parametrize(
    ("most", "thinks", "sent", "told"),
    [
        (20_000, None, (10_000, None), ()),
        (4_000, None, (4_000, None), ("max_tokens",)),
        (4_000, 2_000, (4_000, 2_000), ("max_tokens",)),
        (4_000, 5_000, (4_000, 3_999), ("max_tokens", "thinking.budget_tokens")),
        (1_000, 5_000, (1_000, None), ("max_tokens", "thinking.budget_tokens")),
    ],
)
def test_a_larger_limit_than_the_target_takes_is_lowered(
    most: int, thinks: int | None, sent: tuple[int, int | None], told: tuple[str, ...]
) -> None:
    source: dict[str, Any] = {"model": "alias", "max_tokens": 10_000}
    if thinks:
        source["thinking"] = {"type": "enabled", "budget_tokens": thinks}
    found = own(source, most=most)
    body = json.loads(found.body)
    assert (body["max_tokens"], body.get("thinking", {}).get("budget_tokens")) == sent
    assert found.dropped == told
