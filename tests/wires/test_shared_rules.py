"""What the wires share: custom tools as functions, short ids, and prompts without what a target refuses."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.rendered import Adjustments
from gateway.core.request import Message, Params, Prompt, Reasoning, Text, Tool, ToolCall
from gateway.wires import custom_tools
from gateway.wires.adjusted_prompt import REASONING, adjusted
from gateway.wires.forwarded_headers import LONGEST, MOST, RATE_LIMITS, forwarded
from gateway.wires.short_ids import short_id

SAID = (Message("assistant", (Reasoning("hm"), Text("a"))),)


@given(st.text())
def test_the_text_of_a_custom_tool_comes_back(text: str) -> None:
    assert custom_tools.unwrapped(custom_tools.wrapped(ToolCall("1", "patch", text, "custom"))) == text


@pytest.mark.parametrize("arguments", ["", "{", "[]", '{"other":1}', '{"input":1}', "plain"])
def test_other_arguments_stay_as_the_model_wrote_them(arguments: str) -> None:
    assert custom_tools.unwrapped(arguments) == arguments


def test_a_grammar_stands_at_the_end_of_the_description() -> None:
    patch = Tool("patch", "Patches.", kind="custom", grammar=("lark", "start: A"))
    assert re.fullmatch(r"Patches\.\n\n.*lark.*\nstart: A", custom_tools.description(patch), re.DOTALL)
    assert custom_tools.description(Tool("patch", "Patches.", kind="custom")) == "Patches."


@given(st.text(max_size=80), st.sampled_from([40, 64]))
def test_an_id_is_short_and_always_the_same(id: str, longest: int) -> None:
    sent = short_id(id, longest)
    assert re.fullmatch(rf"[A-Za-z0-9_-]{{0,{longest}}}", sent)
    assert sent == short_id(id, longest)
    assert sent == id or not re.fullmatch(rf"[A-Za-z0-9_-]{{0,{longest}}}", id)


@pytest.mark.parametrize(
    ("params", "adjustments", "expected"),
    [
        (Params(seed=1, top_k=2), Adjustments(frozenset({"seed"})), Params(top_k=2)),
        (Params(stop=("a",)), Adjustments(frozenset({"stop", "unknown"})), Params()),
        (Params(max_tokens=9_000), Adjustments(max_tokens=4_096), Params(max_tokens=4_096)),
        (Params(max_tokens=9), Adjustments(max_tokens=4_096), Params(max_tokens=9)),
        (Params(), Adjustments(max_tokens=4_096), Params()),
    ],
)
def test_parameters_are_left_out_or_lowered(params: Params, adjustments: Adjustments, expected: Params) -> None:
    assert adjusted(Prompt(SAID, params=params), adjustments) == Prompt(SAID, params=expected)


def test_reasoning_is_left_out_of_the_conversation() -> None:
    kept = adjusted(Prompt(SAID), Adjustments(frozenset({REASONING})))
    assert kept.messages == (Message("assistant", (Text("a"),)),)


def test_a_prompt_without_adjustments_is_itself() -> None:
    prompt = Prompt(SAID)
    assert adjusted(prompt, Adjustments()) is prompt


def test_few_short_headers_are_forwarded() -> None:
    headers = {f"X-RateLimit-{number}": "1" for number in range(100)} | {"x-ratelimit-long": "9" * (LONGEST + 1)}
    found = forwarded({**headers, "set-cookie": "a=b", "x-ratelimit-": "1"}, RATE_LIMITS)
    assert len(found) == MOST and all(name.startswith("x-ratelimit-") and value == "1" for name, value in found)
