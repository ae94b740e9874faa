"""Requests of the Messages API: what is right passes as it came, what is wrong is named in Anthropic's notation."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import ChatRequest
from gateway.core.source import RequestContext
from gateway.core.strict_json import dumps
from gateway.wires.anthropic_messages import WIRE
from gateway.wires.anthropic_messages.inbound import AnthropicMessagesCallers
from gateway.wires.anthropic_messages.inbound.request import FIELDS
from tests.support.cases import each_case

CALLERS = AnthropicMessagesCallers()
ASKED: dict[str, Any] = {"model": "claude-x", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}


def parse(**fields: Any) -> ChatRequest:
    return CALLERS.parse_request(json.dumps({**ASKED, **fields}).encode())


def refusal(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        CALLERS.parse_request(body)
    return caught.value


def test_a_request_passes_as_it_came_with_what_belongs_to_its_wire() -> None:
    body = {**ASKED, "invented": {"tomorrow": [1]}, "stream": True, "metadata": {"user_id": "u"}}
    context = RequestContext({"anthropic-version": "2023-06-01", "anthropic-beta": "a,b"}, "beta=true")
    request = CALLERS.parse_request(json.dumps(body).encode(), context)
    assert (request.model, request.stream, request.wants_usage, request.choices) == ("claude-x", True, True, 1)
    source = request.source
    assert (source.wire, source.body, source.headers, source.query) == (WIRE, body, context.headers, "beta=true")


@each_case(
    ("fields", "says"),
    [
        ({"model": None}, "model: Field required"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"messages": None}, "messages: Field required"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
        ({"max_tokens": "100"}, "max_tokens must be an integer"),
        ({"max_tokens": True}, "max_tokens must be an integer"),
        ({"model": "\n"}, "model must be a string"),
        ({"stream": "yes"}, "stream must be true or false"),
        ({"system": 5}, "system must be a string or an array"),
        ({"system": ["text"]}, "system.0 must be an object"),
        ({"messages": ["Hi"]}, "messages.0 must be an object"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: Input should be 'user'"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0.type: Field required"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name must be a string"),
        ({"tools": [{"name": "t"}]}, "tools.0.input_schema: Field required"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type: Input should be"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name: Field required"),
        ({"base_url": "http://evil.example"}, "base_url is not taken from a request"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], says: str) -> None:
    fault = refusal(json.dumps({**ASKED, **fields}).encode())
    assert fault.message.startswith(says)
    assert fault.param is not None and fault.message.startswith(fault.param)


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ({"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}}, "messages.0.content.0.source.url"),
        (
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "content": [{"type": "image", "source": {"type": "url", "url": "ftp://x"}}],
            },
            "messages.0.content.0.content.0.source.url",
        ),
        (
            {
                "type": "document",
                "source": {"type": "content", "content": [{"type": "image", "source": {"url": "/etc/passwd"}}]},
            },
            "messages.0.content.0.source.content.0.source.url",
        ),
    ],
)
def test_no_address_leads_to_a_file_of_this_machine(block: Any, path: str) -> None:
    fault = refusal(json.dumps({**ASKED, "messages": [{"role": "user", "content": [block]}]}).encode())
    assert fault.param == path


def test_null_is_absent() -> None:
    assert parse(**dict.fromkeys(set(FIELDS) - {"max_tokens", "messages"})).prompt().unmapped == ()


@pytest.mark.parametrize("body", [b"", b" ", b"[]", b"{", b'{"model": NaN}', b"\xff"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert refusal(body).param == "body"


def test_tokens_are_counted_without_a_limit_of_them() -> None:
    body = {name: value for name, value in ASKED.items() if name != "max_tokens"}
    assert CALLERS.parse_count(json.dumps(body).encode()).prompt().params.max_tokens is None
    with pytest.raises(InvalidRequest, match="messages: Field required"):
        CALLERS.parse_count(b'{"model": "m"}')
    assert json.loads(CALLERS.render_count(12)) == {"input_tokens": 12}


@pytest.mark.parametrize(
    ("fields", "plain"),
    [
        ({}, True),
        ({"tools": [{"name": "t", "input_schema": {}}], "thinking": {"type": "adaptive"}}, True),
        ({"output_config": {"effort": "low"}}, True),
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, False),
        ({"thread": {"type": "create"}}, False),
    ],
)
def test_an_answer_of_text_can_be_resumed(fields: dict[str, Any], plain: bool) -> None:
    assert parse(**fields).plain is plain


# Nothing else is raised ----------------------------------------------------------------------------------------------

names = st.one_of(
    st.sampled_from(["type", "text", "role", "content", "source", "url", "data", "name", "input", "id", "tool_use_id"]),
    st.sampled_from(["thinking", "signature", "cache_control", "citations", "media_type", "input_schema", "effort"]),
)
kinds = st.one_of(
    st.sampled_from(["text", "image", "document", "tool_use", "tool_result", "thinking", "tool_reference", "user"]),
    st.sampled_from(
        ["base64", "url", "content", "file", "custom", "enabled", "adaptive", "any", "tool", "json_schema"]
    ),
)
leaves = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=3), kinds)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4))
blocks = st.lists(st.dictionaries(names, values, max_size=5).map(lambda block: {"type": "text", **block}), max_size=3)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": blocks | st.text(max_size=5)}
    ),
    min_size=1,
    max_size=4,
)


@given(messages, st.dictionaries(st.sampled_from(sorted(FIELDS)), values, max_size=4))
def test_any_request_is_read_or_refused_by_name(conversation: Any, fields: dict[str, Any]) -> None:
    body = {**fields, "model": "m", "max_tokens": 1, "messages": conversation}
    try:
        CALLERS.parse_request(dumps(body)).prompt()
    except (InvalidRequest, UnsupportedByTarget) as refused:
        assert refused.message
