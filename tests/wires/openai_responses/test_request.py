"""What a request must be, and how the store completes it."""

import json
from typing import Any

import pytest

from gateway.core.errors import InvalidRequest
from gateway.core.request import Text
from gateway.core.response_store import ResponseStore, Turn
from gateway.core.source import RequestContext, Stored
from tests.support.cases import each_case
from tests.support.responses import a_store, asked, assistant, call, callers, function, output, user


def refused(body: object) -> InvalidRequest:
    """The error that the body meets."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidRequest) as caught:
        callers().parse_request(data)
    return caught.value


@each_case(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": " "}, "model"),
        ({"model": "a\nb"}, "model"),
        ({"model": "x" * 300}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": 7}, "input"),
        ({"input": ["hi"]}, "input[0]"),
        ({"input": [{"type": 7}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": ["hi"]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": 1}]}]}, "input[0].content[0].text"),
        (
            {"input": [user("a"), {"role": "user", "content": [{"type": "input_image", "image_url": {"url": "x"}}]}]},
            "input[1].content[0].image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "file:///etc/passwd"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            {"input": [call("1"), output("1", [{"type": "input_image", "image_url": "ftp://a/b"}])]},
            "input[1].output[0].image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "/etc/passwd"}]}]},
            "input[0].content[0].file_url",
        ),
        ({"instructions": ["x"]}, "instructions"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"store": 1}, "store"),
        ({"tools": {}}, "tools"),
        ({"tools": ["x"]}, "tools[0]"),
        ({"tools": [{"name": "x"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "custom", "name": ""}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "x", "parameters": []}]}, "tools[0].parameters"),
        ({"background": True}, "background"),
        ({"api_key": "sk-1"}, "api_key"),
        ({"base_url": "http://elsewhere"}, "base_url"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(fields: dict[str, Any], param: str) -> None:
    error = refused({"model": "alias", "input": "Hi", **fields})
    assert error.param == param


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"hi"'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert refused(body).param == "body"


def test_a_null_is_absent() -> None:
    request = asked(temperature=None, tools=None, previous_response_id=None, stream=None, conversation=None)
    assert not request.stream
    assert request.prompt().params.temperature is None


def test_unknown_fields_items_and_parts_are_no_fault_and_are_told() -> None:
    request = asked(
        brand_new=1,
        input=[
            {"type": "brand_new_item", "stuff": 1},
            {"role": "user", "content": [{"type": "brand_new_part"}, {"type": "input_text", "text": "Hi"}]},
        ],
    )
    assert set(request.prompt().unmapped) == {"brand_new", "input.brand_new_item"}


@pytest.mark.parametrize("field", ["conversation", "prompt", "previous_response_id"])
def test_what_only_the_vendors_server_holds_is_for_that_vendor(field: str) -> None:
    value: Any = {"id": "pmpt_1"} if field == "prompt" else "resp_elsewhere"
    request = asked(**{field: value})
    assert request.source.body[field] == value  # a provider of this wire gets it
    with pytest.raises(InvalidRequest) as caught:
        request.prompt()
    assert caught.value.param == field


class TestPairs:
    def test_a_call_without_output_is_refused_in_the_vendors_words(self) -> None:
        error = refused({"model": "m", "input": [user("x"), call("call_7")]})
        assert error.message == "No tool output found for function call call_7."

    def test_an_output_without_call_is_refused_in_the_vendors_words(self) -> None:
        error = refused({"model": "m", "input": [user("x"), output("call_7")]})
        assert error.message == "No tool call found for function call output with call_id call_7."

    def test_an_output_before_its_call_answers_nothing(self) -> None:
        assert refused({"model": "m", "input": [output("1"), call("1")]}).param == "input"

    def test_calls_may_be_elsewhere_where_the_conversation_is(self) -> None:
        request = asked(previous_response_id="resp_elsewhere", input=[output("call_7")])
        assert request.source.body["input"] == [output("call_7")]


class TestPlain:
    """Answers that can be joined from two streams."""

    def test_text_is(self) -> None:
        assert asked().plain
        assert asked(text={"format": {"type": "text"}}, tools=[function("go")]).plain

    @pytest.mark.parametrize(
        "fields",
        [
            {"text": {"format": {"type": "json_object"}}},
            {"text": {"format": {"type": "json_schema", "name": "x", "schema": {}}}},
            {"include": ["message.output_text.logprobs"]},
            {"input": [user("x"), {"type": "compaction_trigger"}]},
        ],
    )
    def test_json_probabilities_and_compactions_are_not(self, fields: dict[str, Any]) -> None:
        assert not asked(**fields).plain


def turn(id: str, said: str, answer: str, *, previous: str = "", before: int = 0, client: str = "") -> Turn:
    """An answer that is kept; `before`: the entries that came from the one before."""
    item = assistant(answer, id=f"msg_{id}")
    earlier: list[Any] = [user("an earlier entry")] * before
    return Turn(id, client, "oai", [*earlier, user(said)], [item], {"id": id}, {}, previous, before)


class TestStored:
    @pytest.fixture
    def store(self) -> ResponseStore:
        store = a_store()
        store.keep(turn("resp_1", "one", "first"))
        store.keep(turn("resp_2", "two", "second", previous="resp_1", before=2))
        return store

    def test_the_conversation_comes_before_the_new_input(self, store: ResponseStore) -> None:
        request = asked(store, previous_response_id="resp_2", input="three")
        texts = [part.text for message in request.prompt().messages for part in message.parts if isinstance(part, Text)]
        assert texts == ["one", "first", "two", "second", "three"]
        assert "previous_response_id" not in request.source.body
        assert request.source.stored == Stored("resp_2", "oai", 4)

    def test_instructions_are_not_carried_over(self, store: ResponseStore) -> None:
        request = asked(store, previous_response_id="resp_1", instructions="Be short.")
        assert [message.role for message in request.prompt().messages] == ["system", "user", "assistant", "user"]

    def test_a_reference_becomes_the_item(self, store: ResponseStore) -> None:
        request = asked(store, input=[{"type": "item_reference", "id": "msg_resp_1"}, {"id": "msg_resp_2"}, user("x")])
        assert request.source.body["input"] == [
            assistant("first", id="msg_resp_1"),
            assistant("second", id="msg_resp_2"),
            user("x"),
        ]

    def test_an_unknown_reference_is_named(self, store: ResponseStore) -> None:
        request = asked(store, input=[user("x"), {"type": "item_reference", "id": "msg_other"}])
        with pytest.raises(InvalidRequest) as caught:
            request.prompt()
        assert caught.value.param == "input[1].id"

    def test_another_callers_answer_is_unknown(self, store: ResponseStore) -> None:
        request = asked(store, client="other", previous_response_id="resp_1")
        with pytest.raises(InvalidRequest) as caught:
            request.prompt()
        assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")

    def test_calls_of_the_conversation_are_answered_by_the_new_input(self, store: ResponseStore) -> None:
        store.keep(Turn("resp_3", "", "", [user("run it")], [call("call_1", id="fc_1")], {"id": "resp_3"}, {}))
        request = asked(store, previous_response_id="resp_3", input=[output("call_1")])
        assert [message.role for message in request.prompt().messages] == ["user", "assistant", "tool"]
        with pytest.raises(InvalidRequest, match="No tool output found for function call call_1"):
            asked(store, previous_response_id="resp_3", input="never mind")


def test_headers_of_the_wire_stay_with_the_source() -> None:
    context = RequestContext({"x-codex-turn-state": "s"}, "a=b", "key")
    request = callers().parse_request(b'{"model":"m","input":"Hi"}', context)
    assert request.source.headers == {"x-codex-turn-state": "s"}
    assert (request.source.query, request.client) == ("a=b", "key")


def test_a_resumed_request_ends_with_the_text_and_the_wish_to_go_on() -> None:
    request = callers().resume_request(asked(input="Tell me"), "Once upon a time there was")
    said, answered, wish = request.prompt().messages
    assert said.parts == (Text("Tell me"),)
    assert (answered.role, answered.parts) == ("assistant", (Text("Once upon a time there was"),))
    assert wish.role == "user"
    assert "Once upon a time there was" in str(wish.parts)
    assert request.source.body["input"] != "Tell me"
