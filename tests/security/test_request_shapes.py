"""No request brings a fault of ours: whatever shape its fields have, it is answered, or refused in OpenAI's terms."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.rendered import Ask
from gateway.core.strict_json import dumps
from gateway.wires.gemini import Gemini
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.inbound.request import FIELDS
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_chat.outbound.dialect import Dialect
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.security.hostile import Scene, check_error, check_reply, refused, scene, strict
from tests.security.substitutions import INSTEAD, requests, substituted
from tests.support.examples import some_of

SHAPELESS = [b"[1]", b'"x"', b"null", b"true", b"0", b"1e3", b"[]", b"{}", b"[{}]", b'{"":{}}']
INBOUND = OpenAIChatCallers()
TARGETS = (
    (OpenAIChatProvider(), "m"),
    (OpenAIChatProvider(Dialect("strict")), "m"),
    (Gemini(ReasoningMemory()), "gemini-2.5-pro"),
    (Gemini(ReasoningMemory()), "gemini-3-pro-preview"),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def one() -> Iterator[Scene]:
    with scene() as found:
        yield found


def judge(body: Any) -> None:
    """The request is refused naming a field, or every provider is sent JSON or says why not."""
    try:
        request = INBOUND.parse_request(dumps(body))
    except InvalidRequest as error:
        named(error)
        return
    for target, model in TARGETS:
        try:
            rendered = target.render_request(request, model, Ask(usage=True))
        except (InvalidRequest, UnsupportedByTarget) as error:
            named(error)
        else:
            assert isinstance(strict(rendered.body), dict)
            assert all(name.isascii() and name.isprintable() and "," not in name for name in rendered.dropped)


def named(error: InvalidRequest | UnsupportedByTarget) -> None:
    assert error.status == 400 and error.param
    check_error(strict(INBOUND.render_error(error))["error"])


@pytest.mark.parametrize("number", range(len(requests())))
def test_any_value_in_any_place_of_a_request_is_read_or_refused_by_its_name(number: int) -> None:
    for where, body in substituted(requests()[number], some_of(INSTEAD, number, every=3)):
        try:
            judge(body)
        except Exception as fault:
            raise AssertionError(where) from fault


@pytest.mark.parametrize("body", SHAPELESS)
def test_what_is_no_request_at_all_is_refused(one: Scene, body: bytes) -> None:
    reply = one.gateway.post(body)
    error = refused(reply)
    assert (reply.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"] in ("body", "model")


@given(fields=st.dictionaries(st.sampled_from([*FIELDS, "extra_body", "reasoning", "top_k", "thinking"]), json_values))
def test_any_values_of_the_known_fields_are_answered_or_refused(one: Scene, fields: dict[str, Any]) -> None:
    for model in ("oa", "gm"):
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
        check_reply(one.gateway.post(body))


@given(messages=st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "name", "x"]), json_values)))
def test_any_messages_are_answered_or_refused(one: Scene, messages: list[Any]) -> None:
    for model in ("oa", "gm"):
        check_reply(one.gateway.post({"model": model, "messages": messages}))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["oa", "gm"])
@pytest.mark.parametrize("number", range(len(requests())))
def test_no_request_of_a_large_corpus_is_a_fault_of_ours(one: Scene, number: int, model: str) -> None:
    """The same as above over the socket, whole and streamed: some 20,000 requests."""
    for where, body in substituted({**requests()[number], "model": model}):
        for streamed in ({}, {"stream": True}):
            try:
                check_reply(one.gateway.post({**body, **streamed}))
            except Exception as fault:
                raise AssertionError(f"{where} {streamed}") from fault


def test_every_kind_of_json_stands_in_for_the_rest() -> None:
    kinds = {type(other) for other in INSTEAD}
    assert {bool, int, float, str, list, dict, type(None)} <= kinds
