"""The words of an error are found in every shape that servers write."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.strict_json import JsonValue, dumps
from gateway.wires.refusals.error_body import MAX_LAYERS, MESSAGE_READ, of_bytes, of_json

SAID = "No tools."


@pytest.mark.parametrize(
    "body",
    [
        SAID,
        [SAID],
        {"error": SAID},
        {"error": [SAID]},
        {"error": {"message": SAID}},
        {"error": {"error": {"message": SAID}}},
        {"message": SAID},
        {"Message": SAID},
        {"msg": SAID},
        {"detail": SAID},
        {"detail": [SAID]},
        {"detail": {"message": SAID}},
        {"detail": [{"msg": SAID}]},
        {"errors": [SAID]},
        {"errors": [{"code": 7003, "message": SAID}, {"code": 7000, "message": "No route."}]},
        {"result": None, "success": False, "errors": [{"code": 7003, "message": SAID}], "messages": []},
        [{"error": {"code": 400, "message": SAID}}],
        {"code": 20012, "msg": SAID},
        {"code": "InvalidParameter", "message": SAID, "request_id": "r"},
        {"error_code": 18, "error_msg": SAID},
        {"base_resp": {"status_code": 1002, "status_msg": SAID}},
        {"id": "", "choices": None, "base_resp": {"status_code": 1002, "status_msg": SAID}},
        {"code": "Client specified an invalid argument", "error": SAID},
        {"error": "Bad Request", "message": SAID, "status": 400},
        {"error": "invalid_request", "error_description": SAID},
        {"error": SAID, "error_type": "validation"},
        {"type": "urn:x", "title": "Unprocessable", "status": 422, "detail": SAID},
        {"object": "error", "message": SAID, "code": 400},
        {"object": "error", "message": {"detail": [{"msg": SAID}]}},
        {"type": "error", "error": {"type": "invalid_request_error", "message": SAID}},
        {"Response": {"Error": {"Code": "LimitExceeded", "Message": SAID}, "RequestId": "r"}},
        {"error": json.dumps({"error": {"message": SAID}})},
        {"error": {"message": json.dumps({"error": {"message": SAID}})}},
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": SAID}}},
        {"error": {"message": "Provider returned error", "metadata": {"raw": json.dumps({"error": SAID})}}},
        {"error": {"message": "Provider returned error", "metadata": {"raw": json.dumps([{"error": SAID}])}}},
        {"error": {"message": "Provider returned error", "metadata": {"raw": {"message": SAID}}}},
        {"error": {"message": "Provider returned error", "metadata": {"raw": [{"error": SAID}]}}},
        {"error": {"message": "Provider returned error", "metadata": {"raw": f"<html><title>{SAID}</title></html>"}}},
        {"error": {"message": f"litellm.BadRequestError: OpenAIException - {SAID}"}},
        {"error": {"message": f"litellm.BadRequestError: AzureException BadRequestError - {SAID}"}},
        {"error": {"message": f"litellm.APIError: XaiException - {json.dumps({'error': SAID})}"}},
        {"error": {"message": f"litellm.APIError: Error code: 400 - {{'error': {{'message': '{SAID}'}}}}"}},
        {"error": {"message": f"litellm.NotFoundError: {SAID}\n. Received Model Group=m\nAvailable Fallbacks=None"}},
        {"error": {"message": f"Error code: 400 - {SAID}"}},
        {"error": {"message": f"[400]: {json.dumps({'error': {'message': SAID}})}"}},
    ],
)  # fmt: skip
def test_the_innermost_words_are_found(body: JsonValue) -> None:
    assert of_bytes(dumps(body)).message == SAID
    assert of_json(body).message == SAID


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"Payload Too Large", "Payload Too Large"),
        (b"  upstream timeout\r\n", "upstream timeout"),
        (b"<html>\r\n<head><title>502 Bad Gateway</title></head><body>x</body></html>", "502 Bad Gateway"),
        (b"<!DOCTYPE html><html><h1>It &amp; is down</h1>", "It & is down"),
        (b"<html><body></body></html>", ""),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>No.</Message></Error>', "No."),
        (b'data: {"error": {"message": "No."}}\n\n', "No."),
        (b'event: error\ndata: {"detail": "No."}\n\n', "No."),
        (b'{"error": {"message": "No.", "type": "cut', "No."),
        ("模型不存在".encode(), "模型不存在"),
        (b"", ""),
        (b"{", ""),
        (b"7", ""),
        (b"null", ""),
        (b"\xff\xfe", ""),
        (b"\x00\x01", ""),
        (b"...", ""),
    ],
)
def test_text_and_pages_have_words_too(body: bytes, message: str) -> None:
    assert of_bytes(body).message == message


def test_the_codes_of_all_layers_are_found_the_innermost_first() -> None:
    raw = json.dumps({"error": {"message": "m", "type": "inner_type", "code": "inner"}})
    body: JsonValue = {"error": {"message": "Provider returned error", "code": 403, "metadata": {"raw": raw}}}
    found = of_json(body)
    assert found.codes == ("inner", "inner_type", "403")
    assert (found.code, found.kind, found.status) == ("inner", "inner_type", 403)
    assert found.text == "m\nProvider returned error"


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({"base_resp": {"status_code": 1002, "status_msg": "m"}}, ("base_resp.1002",)),
        ({"error_code": 18, "error_msg": "m"}, ("error_code.18", "18")),
        ({"error": {"message": "m", "innererror": {"code": "ResponsibleAI"}}}, ("ResponsibleAI",)),
        ({"error": {"message": "m", "details": [{"@type": "x", "reason": "API_KEY_INVALID"}]}}, ("API_KEY_INVALID",)),
        ({"error": {"message": "litellm.RateLimitError: OpenAIException - m"}}, ("RateLimitError", "OpenAIException")),
        ({"message": "m", "__type": "ThrottlingException"}, ("ThrottlingException",)),
        ({"error": "invalid_request", "error_description": "m"}, ("invalid_request",)),
        ({"detail": [{"type": "extra_forbidden", "loc": ["body", "n"], "msg": "m"}]}, ("extra_forbidden",)),
    ],
)  # fmt: skip
def test_codes_have_many_names(body: JsonValue, codes: tuple[str, ...]) -> None:
    assert of_json(body).codes == codes


def test_the_faults_that_a_validator_lists_are_told_with_their_places() -> None:
    detail: JsonValue = [
        {"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": "Field required", "input": {"a": 1}},
        {"type": "int_type", "loc": ["body", "n"], "msg": "Input should be an integer", "input": "secret"},
    ]
    found = of_json({"detail": detail})
    assert found.message == "messages.0.role: Field required; n: Input should be an integer"
    assert found.param == "messages.0.role"


def test_a_long_message_is_read_in_part_and_a_deep_one_to_a_depth() -> None:
    assert len(of_json({"error": "a " * MESSAGE_READ}).message) <= MESSAGE_READ
    deep: JsonValue = "m"
    for _ in range(MAX_LAYERS + 5):
        deep = {"error": deep} if isinstance(deep, str) else {"error": {"error": deep}}
    assert of_json(deep).message == ""


def test_json_in_a_text_that_is_no_error_stays_in_it() -> None:
    words = 'The schema {"type": "object", "message": "x"} is not valid'
    assert of_json({"error": words}).message == words


PIECES = ('{"error":"a"}', "[", "litellm.A: B", "<html>", "Error code: 400 - ")
NAMES = (
    "error",
    "errors",
    "message",
    "detail",
    "msg",
    "metadata",
    "raw",
    "loc",
    "type",
    "code",
    "base_resp",
    "details",
)
texts = st.one_of(st.text(max_size=20), st.sampled_from(PIECES))
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9999), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(NAMES),
            inner,
        ),
    ),
    max_leaves=10,
)  # fmt: skip


@given(values)
def test_any_json_is_read(value: JsonValue) -> None:
    found = of_json(value)
    assert not found.message or any(character.isalnum() for character in found.message)
    assert found.text.startswith(found.message[:100])


@given(st.one_of(st.binary(max_size=80), texts.map(str.encode)))
def test_any_bytes_are_read(body: bytes) -> None:
    found = of_bytes(body)
    assert found.status is None or 400 <= found.status < 600
