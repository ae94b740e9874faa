"""The rules of the neutral form, held for the Responses API in both directions."""

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.answer import ChatResponse
from gateway.core.deltas import assemble, merged
from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import ProviderFailure, UnsupportedByTarget
from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest, Message, Prompt, Refusal, Text
from gateway.core.source import Source
from gateway.wires.base import Naming
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_responses.outbound import OpenAIResponsesProvider
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.examples import examples
from tests.support.neutral import AnswerPlan, answer_plans, check_calls, prompts
from tests.support.responses import NOW, asked, callers
from tests.validators.openai_responses import request_faults, response_faults

NEUTRAL = Rendered(b"", neutral=True)


def wire() -> OpenAIResponsesProvider:
    return OpenAIResponsesProvider("oai", ReasoningMemory())


def request_of(prompt: Prompt) -> ChatRequest:
    return ChatRequest("alias", False, True, Source("another", {}), lambda: prompt)


def spoken(prompt: Prompt) -> list[tuple[str, str]]:
    """Who says what, in the order in which it is said, without results and without who says nothing. A refusal in the
    history is a text here."""
    found: list[tuple[str, str]] = []
    for message in prompt.messages:
        texts = "".join(part.text for part in message.parts if isinstance(part, Text | Refusal))
        if texts and message.role != "tool":
            found.append((message.role, texts))
    return found


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow])
@given(prompts)
def test_every_prompt_becomes_a_valid_request_or_a_refusal(prompt: Prompt) -> None:
    try:
        rendered = wire().render_request(request_of(prompt), "gpt-x", Ask())
    except (UnsupportedByTarget, InvalidRequest):
        return
    assert rendered.neutral
    assert request_faults(json.loads(rendered.body)) == []


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow])
@given(prompts)
def test_a_prompt_is_the_same_after_a_way_through_this_wire(prompt: Prompt) -> None:
    try:
        body = wire().render_request(request_of(prompt), "gpt-x", Ask()).body
    except (UnsupportedByTarget, InvalidRequest):
        return
    once = callers().parse_request(body).prompt()
    again = wire().render_request(request_of(once), "gpt-x", Ask()).body
    assert json.loads(again) == json.loads(body)
    assert once.unmapped == ()
    assert "".join(text for _, text in spoken(once)) == "".join(text for _, text in spoken(prompt))


@settings(max_examples=examples(200))
@given(answer_plans)
def test_an_answer_of_a_chat_provider_is_the_same_after_a_way_through_this_wire(plan: AnswerPlan) -> None:
    """OpenAI chat to the Responses API, and from there back into neutral form."""
    first = OpenAIChatProvider().parse_response(json.dumps(plan.whole()).encode(), NOW, NEUTRAL)
    first = ChatResponse(first.usage, Source("another", {}), first.envelope, first.deltas)
    try:
        raw = callers().render_response(first, asked(), Naming("alias", usage=True))
    except ProviderFailure:
        return
    assert response_faults(json.loads(raw)) == []
    second = wire().parse_response(raw, NOW, NEUTRAL) if json.loads(raw)["output"] else None
    if second is None:
        return
    (before,) = merged([delta for delta in first.deltas if delta.index == 0])
    (after,) = merged(second.deltas)
    assert (after.text, after.refusal) == (before.text, before.refusal)
    assert after.reasoning.replace("\n", "") == before.reasoning.replace("\n", "")
    assert [(call.name, call.kind) for call in after.calls] == [(call.name, call.kind) for call in before.calls]
    assert [call.arguments or "{}" for call in before.calls if call.kind == "function"] == [
        call.arguments for call in after.calls if call.kind == "function"
    ]
    assert second.usage == first.usage


@given(st.binary(max_size=300))
def test_no_bytes_bring_anything_but_deltas_or_a_failure(data: bytes) -> None:
    with suppress(ProviderFailure):
        decoder = wire().decoder(NOW, NEUTRAL)
        check_calls([*decoder.feed(data), *decoder.close()])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "item",
                    "delta",
                    "output_index",
                    "response",
                    "output",
                    "content",
                    "id",
                    "call_id",
                    "name",
                    "text",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
KINDS = (
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.function_call_arguments.delta",
    "response.output_text.annotation.added",
    "response.completed",
    "response.failed",
    "error",
    "function_call",
    "message",
    "reasoning",
)


FIELDS = st.sampled_from(["item", "delta", "output_index", "response", "type", "error"])
EVENTS = st.lists(st.dictionaries(FIELDS, json_values | st.sampled_from(KINDS), max_size=5), max_size=4)


@settings(max_examples=examples(200))
@given(EVENTS, st.booleans())
def test_no_events_bring_anything_but_chunks_or_a_failure(found: list[object], neutral: bool) -> None:
    raw = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in found)
    decoder = wire().decoder(NOW, Rendered(b"", neutral=neutral))
    with suppress(ProviderFailure):
        chunks = [*decoder.feed(raw), *decoder.close()]
        assemble(chunks, Source("x", {}))


def test_a_prompt_of_nothing_is_a_request() -> None:
    body = json.loads(wire().render_request(request_of(Prompt((Message("user", ()),))), "m", Ask()).body)
    assert request_faults(body) == []


@pytest.mark.parametrize("neutral", [True, False])
def test_who_asks_in_another_wire_is_answered_in_neutral_form(neutral: bool) -> None:
    request = request_of(Prompt((Message("user", (Text("Hi"),)),))) if neutral else asked()
    assert wire().render_request(request, "m", Ask()).neutral == neutral
