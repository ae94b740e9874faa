"""Properties of any request to Anthropic: it is one that the vendor answers, or it is refused before it leaves."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.rendered import Adjustments, Ask, Rendered
from gateway.core.request import ChatRequest, Message, Part, Prompt, Reasoning, Text, ToolCall
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject, loads
from gateway.wires.anthropic_messages.outbound import AnthropicMessagesProvider
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.anthropic_answers import redacted, thinking
from tests.support.anthropic_server import schema_faults, vendor_fault
from tests.support.examples import examples
from tests.support.neutral import prompts, words
from tests.wires.anthropic_messages.outbound.rendering import MIDDLE, NEW, OLD, OLDEST, STRICT

REMEMBERED = "call_1"
MEMORY = ReasoningMemory()
MEMORY.keep(REMEMBERED, {"anthropic": {"thinking": [thinking("Remembered.")]}})

marks: st.SearchStrategy[JsonObject] = st.sampled_from(
    [{}, {}, {"anthropic": {"cache_control": {"type": "ephemeral"}}}, {"anthropic": {"cache_control": 7}}]
)
signed: st.SearchStrategy[JsonObject] = st.sampled_from(
    [
        {},
        {"anthropic": {"signature": "c2ln"}},
        {"anthropic": {"signature": "gw1.x"}},
        {"anthropic": {"redacted": "b3A="}},
    ]
)
returned: st.SearchStrategy[JsonObject] = st.sampled_from(
    [
        {},
        {"anthropic": {"thinking": [thinking("Hm."), redacted()]}},
        {"anthropic": {"thinking": [thinking("Hm.", ""), 7]}},
        {"google": {"thought_signature": "c2ln"}},
    ]
)
extras: st.SearchStrategy[JsonObject] = st.sampled_from(
    [
        {},
        {"anthropic": {"betas": ["a"], "thinking": {"type": "adaptive"}, "speed": "fast"}},
        {"anthropic": {"thinking": {"type": "enabled", "budget_tokens": 2_000}}},
        {"anthropic": {"thinking": {"type": "between_tools"}, "context_management": {"edits": []}}},
        {"anthropic": "odd", "google": {}},
    ]
)


@st.composite
def _enriched(draw: st.DrawFn) -> Prompt:
    """A prompt with what only Anthropic reads, and with system messages anywhere."""
    prompt = draw(prompts)
    messages: list[Message] = []
    for message in prompt.messages:
        if draw(st.integers(0, 4)) == 0:
            messages.append(Message("system", (Text(draw(words), draw(marks)),)))
        parts = tuple(_marked(part, draw) for part in message.parts)
        extra = draw(returned if message.role == "assistant" else marks)
        messages.append(replace(message, parts=parts, extra=extra))
    tools = tuple(replace(tool, extra=draw(marks)) for tool in prompt.tools)
    return replace(prompt, messages=tuple(messages), tools=tools, extra=draw(extras))


def _marked(part: Part, draw: st.DrawFn) -> Part:
    match part:
        case Text():
            return replace(part, extra=draw(marks))
        case Reasoning():
            return replace(part, extra=draw(signed))
        case _:
            return part


adjustments = st.builds(
    Adjustments,
    st.frozensets(
        st.sampled_from(["effort", "reasoning_budget", "reasoning", "prefill", "messages.system", "temperature"])
    ),
    st.sampled_from([None, 50, 1_024, 1_025, 20_000]),
)


@settings(max_examples=examples(500), suppress_health_check=[HealthCheck.too_slow])
@given(_enriched(), st.sampled_from([NEW, OLD, MIDDLE, OLDEST, "claude-opus-4-7"]), st.booleans(), adjustments)
def test_every_prompt_becomes_a_request_that_is_answered_or_a_refusal(
    prompt: Prompt, model: str, stream: bool, learned: Adjustments
) -> None:
    chat = ChatRequest("alias", stream, True, Source("another", {}), lambda: prompt)
    try:
        rendered = AnthropicMessagesProvider(MEMORY).render_request(chat, model, Ask(adjustments=learned))
    except (UnsupportedByTarget, InvalidRequest):
        return
    body = json.loads(rendered.body)
    assert not schema_faults(body)
    assert rendered.neutral and body.get("stream", False) == stream and body["model"] == model
    if learned.max_tokens is not None:
        assert body["max_tokens"] <= learned.max_tokens
    if model in STRICT:
        assert vendor_fault(body, new=STRICT[model]) is None
    _check_calls(prompt, rendered)


def _check_calls(prompt: Prompt, rendered: Rendered) -> None:
    """The calls are sent in their order, by names that lead back to the tools."""
    declared = {tool.name for tool in prompt.tools}
    made = [part.name for message in prompt.messages for part in message.parts if isinstance(part, ToolCall)]
    blocks = [block for message in json.loads(rendered.body)["messages"] for block in message["content"]]
    sent = [rendered.tools.get(block["name"]) for block in blocks if block["type"] == "tool_use"]
    assert [tool.name if tool else None for tool in sent] == [name if name in declared else None for name in made]


def test_a_request_of_a_real_client_keeps_its_words() -> None:
    body = b'{"model": "m", "messages": [{"role": "user", "content": "Hi \\ud83d\\ude42 \\u0000"}]}'
    chat = OpenAIChatCallers().parse_request(body)
    rendered = AnthropicMessagesProvider(ReasoningMemory()).render_request(chat, NEW, Ask())
    found: Any = loads(rendered.body)
    assert found["messages"][0]["content"][0]["text"] == "Hi 🙂 \x00"


@pytest.mark.parametrize("name", ["odd field", "a,b", "é" * 200])
def test_names_of_what_is_left_out_can_stand_in_a_header(name: str) -> None:
    chat = ChatRequest("alias", False, True, Source("another", {}), lambda: Prompt((), unmapped=(name,)))
    (told,) = AnthropicMessagesProvider(ReasoningMemory()).render_request(chat, NEW, Ask()).dropped
    assert told.isascii() and "," not in told and " " not in told and len(told) <= 128
