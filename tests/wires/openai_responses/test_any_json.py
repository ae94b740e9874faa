"""Whatever JSON a request is, it is read or refused by a field's name, and nothing else happens."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.answer import ChoiceDelta, ToolCallDelta
from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.rendered import Ask
from gateway.wires.base import Naming
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_responses.outbound import OpenAIResponsesProvider
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.examples import examples
from tests.support.responses import a_store, callers, chunk
from tests.validators.openai_responses import final

WORDS = (
    "additional_tools",
    "allowed_tools",
    "auto",
    "compaction",
    "compaction_trigger",
    "custom",
    "custom_tool_call",
    "custom_tool_call_output",
    "client",
    "function",
    "function_call",
    "function_call_output",
    "grammar",
    "image_generation_call",
    "input_file",
    "input_image",
    "input_text",
    "item_reference",
    "json_schema",
    "message",
    "namespace",
    "reasoning",
    "tool_search",
    "tool_search_call",
    "tool_search_output",
    "user",
    "assistant",
    "a",
    "",
)
NAMES = (
    "type",
    "role",
    "content",
    "text",
    "call_id",
    "id",
    "name",
    "namespace",
    "arguments",
    "input",
    "output",
    "tools",
    "summary",
    "encrypted_content",
    "image_url",
    "execution",
    "format",
    "mode",
    "result",
)
FIELDS = (
    "instructions",
    "tools",
    "tool_choice",
    "text",
    "reasoning",
    "include",
    "temperature",
    "max_output_tokens",
    "metadata",
    "stream",
    "store",
    "previous_response_id",
    "truncation",
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=10,
)
objects = st.dictionaries(st.sampled_from(NAMES), values, max_size=6)
bodies = st.builds(
    lambda items, more: {"model": "m", "input": items, **more},
    st.lists(objects, max_size=4) | values,
    st.dictionaries(st.sampled_from(FIELDS), values | st.lists(objects, max_size=2), max_size=3),
)


@settings(max_examples=examples(600), suppress_health_check=[HealthCheck.too_slow])
@given(bodies)
def test_a_request_is_read_or_refused(body: Any) -> None:
    try:
        request = callers().parse_request(json.dumps(body).encode())
        request.prompt()
    except InvalidRequest as error:
        assert error.param
        return
    for wire in (OpenAIChatProvider(), OpenAIResponsesProvider("p", ReasoningMemory())):
        try:
            wire.render_request(request, "m", Ask())
        except (InvalidRequest, UnsupportedByTarget):
            continue


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow])
@given(bodies)
def test_whatever_was_asked_its_answer_can_be_written_and_kept(body: Any) -> None:
    store = a_store()
    wire = callers(store)
    try:
        request = wire.parse_request(json.dumps(body).encode())
    except InvalidRequest:
        return
    writer = wire.encoder(request, Naming("alias", usage=True))
    called = ToolCallDelta(0, "call_1", "a", "{}", ended=True)
    raw = writer.encode(chunk(ChoiceDelta(0, text="Hi"), ChoiceDelta(0, calls=(called,)))) + writer.end()
    last = final(raw)
    assert last["status"] == "completed"
    assert (store.response(last["id"], "") is None) == (request.source.body.get("store") is False)
