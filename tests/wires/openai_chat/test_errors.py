"""Errors on the OpenAI wire: every shape that servers write is read, and one is written."""

import json
from collections.abc import Mapping

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import errors, provider_failures
from gateway.core.errors import GatewayError, InvalidRequest
from gateway.core.provider_failures import (
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    InvalidAnswer,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    TargetModelMissing,
    Unavailable,
)
from gateway.core.strict_json import JsonValue, dumps
from gateway.wires.failure_classes import MESSAGE_SHOWN
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_chat.outbound.errors import holds_error, parse_in_stream
from tests.support.cases import each_case

NONE: Mapping[str, str] = {}
DATE = "Tue, 15 Nov 1994 08:12:31 GMT"

texts = st.text(max_size=12)
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["error", "message", "detail", "msg", "type", "param", "code"]), inner),
    ),
    max_leaves=8,
)


def parse(status: int, body: object, headers: Mapping[str, str] = NONE) -> ProviderFailure:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return OpenAIChatProvider().parse_error(status, headers, data)


def said(error: GatewayError) -> dict[str, object]:
    """The inner object of the error that a client gets."""
    body = json.loads(OpenAIChatCallers().render_error(error))
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    found: dict[str, object] = body["error"]
    return found


# Reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": {"message": "Bad n.", "type": None, "param": None, "code": None}}, {}),
        (
            {"error": {"message": "Bad n.", "type": "invalid", "param": "n", "code": "bad_n"}},
            {"type": "invalid", "param": "n", "code": "bad_n"},
        ),
        ({"error": {"message": "Bad n."}}, {}),
        ({"error": "Bad n."}, {}),
        ({"error": {"error": {"message": "Bad n."}}}, {}),
        ({"message": "Bad n."}, {}),
        ({"msg": "Bad n."}, {}),
        ("Bad n.", {}),
        # Google's array
        ([{"error": {"code": 400, "message": "Bad n.", "status": "INVALID_ARGUMENT"}}], {"code": "400"}),
        # FastAPI's
        ({"detail": "Bad n."}, {}),
        (
            {"detail": [{"loc": ["body", "n"], "msg": "Bad n.", "type": "int"}]},
            {"message": "n: Bad n.", "param": "n"},
        ),
        # vLLM's older one
        (
            {"object": "error", "message": "Bad n.", "type": "BadRequestError", "param": None, "code": 400},
            {"type": "BadRequestError", "code": "400"},
        ),
        # Anthropic's
        ({"type": "error", "error": {"type": "a", "message": "Bad n."}}, {"type": "a"}),
        # fields of other types than text
        ({"error": {"message": "Bad n.", "type": 7, "param": ["n"], "code": {"a": 1}}}, {}),
    ],
)
def test_the_message_of_every_shape_arrives(body: JsonValue, told: Mapping[str, str]) -> None:
    error = parse(400, body)
    assert type(error) is RequestRejected
    own = {"message": "Bad n.", "type": RequestRejected.type, "param": None, "code": RequestRejected.code}
    assert said(error) == {**own, **told}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b"\xff",
        b'{"error": null}',
        b'{"error": {}}',
        b'{"error": ""}',
        b'{"error": {"message": ""}}',
        b'{"error": true}',
    ],
)
def test_a_body_without_a_message_gets_one(body: bytes) -> None:
    error = parse(502, body)
    assert type(error) is Unavailable
    assert said(error) == {
        "message": "The provider answered 502 without a message.",
        "type": "server_error",
        "param": None,
        "code": "provider_unavailable",
    }


def test_a_long_message_is_cut() -> None:
    body: JsonValue = {"error": {"message": "a" * (MESSAGE_SHOWN - 5) + " secret " + "b" * 99}}
    assert parse(400, body).message == "a" * (MESSAGE_SHOWN - 5)
    assert parse_in_stream(body).message == "a" * (MESSAGE_SHOWN - 5)


@each_case(
    ("status", "code", "text", "failure"),
    [
        # the code is surest
        (400, "context_length_exceeded", "", ContextTooLong),
        (400, "content_policy_violation", "", ContentRefused),
        (400, "content_filter", "", ContentRefused),
        (429, "insufficient_quota", "", QuotaExhausted),
        (400, "billing_hard_limit_reached", "", QuotaExhausted),
        (400, "invalid_api_key", "", CredentialRefused),
        (400, "model_not_found", "", TargetModelMissing),
        (413, "rate_limit_exceeded", "Request too large", RateLimited),
        (429, "rate_limit_exceeded", "Limit reached for requests per day", RateLimited),
        (400, "server_error", "", Unavailable),
        (400, "overloaded_error", "", Unavailable),
        # then the text, where the status allows it
        (400, None, "This model's maximum context length is 8192 tokens.", ContextTooLong),
        (400, None, "The input exceeds the context window of this model", ContextTooLong),
        (400, None, "prompt is too long: 210000 tokens > 200000 maximum", ContextTooLong),
        (400, None, "The input token count (9) exceeds the maximum number of tokens allowed (8).", ContextTooLong),
        (413, None, "Too many input tokens", ContextTooLong),
        (422, None, "Input validation error: inputs is too long", ContextTooLong),
        (500, None, "maximum context length", ContextTooLong),
        (400, None, "The response was filtered due to Azure's content management policy.", ContentRefused),
        (400, None, "Your request was rejected as a result of our safety system.", ContentRefused),
        (403, None, "Your input was flagged by moderation", ContentRefused),
        (401, None, "content policy", CredentialRefused),
        (429, None, "You exceeded your current quota, please check your plan and billing details.", QuotaExhausted),
        (429, None, "Insufficient balance", QuotaExhausted),
        (429, None, "Rate limit exceeded: free-models-per-day", QuotaExhausted),
        (429, None, "Daily limit reached", QuotaExhausted),
        (400, None, "billing", RequestRejected),
        # then the status
        (302, None, "", InvalidAnswer),
        (400, None, "", RequestRejected),
        (400, "some_new_code", "Unknown name: foo", RequestRejected),
        (401, None, "", CredentialRefused),
        (402, None, "", QuotaExhausted),
        (403, None, "", CredentialRefused),
        (404, None, "", TargetModelMissing),
        (405, None, "", RequestRejected),
        (408, None, "", Unavailable),
        (409, None, "", Unavailable),
        (413, None, "", RequestRejected),
        (418, None, "", RequestRejected),
        (422, None, "", RequestRejected),
        (425, None, "", Unavailable),
        (429, None, "", RateLimited),
        (424, None, "", Unavailable),
        (498, None, "", Unavailable),
        (499, None, "", Unavailable),
        (500, None, "", Unavailable),
        (502, None, "", Unavailable),
        (503, None, "", Unavailable),
        (504, None, "", Unavailable),
        (529, None, "", Unavailable),
        (599, None, "", Unavailable),
        (999, None, "", Unavailable),
    ],
)
def test_what_an_error_means(status: int, code: str | None, text: str, failure: type[ProviderFailure]) -> None:
    error = parse(status, {"error": {"message": text, "type": None, "param": None, "code": code}})
    assert type(error) is failure
    assert error.evidence.status == status


@pytest.mark.parametrize(
    ("status", "error", "shown", "code"),
    [
        # a status that means the same stays, and so do the provider's own status and code of what is not ours to name
        (503, {"message": "a"}, 503, "provider_unavailable"),
        (529, {"message": "a", "code": "overloaded_error"}, 529, "overloaded_error"),
        (403, {"message": "a", "code": "content_filter"}, 403, "content_filter"),
        (422, {"message": "a", "code": "odd"}, 422, "odd"),
        (500, {"message": "a", "code": "content_filter"}, 400, "content_filter"),
        (413, {"message": "Payload too large", "code": None}, 413, None),
        (402, {"message": "Insufficient Balance", "code": "invalid_request_error"}, 402, "insufficient_quota"),
        (429, {"message": "a", "code": "1302"}, 429, "rate_limit_exceeded"),
        # clients act on these, so they are the same whatever the provider calls them
        (422, {"message": "maximum context length", "code": "422"}, 400, "context_length_exceeded"),
        (400, {"message": "Prompt exceeds max length", "code": "1261"}, 400, "context_length_exceeded"),
        (400, {"message": "Model Not Exist", "code": "invalid_request_error"}, 404, "model_not_found"),
        (400, {"message": "Incorrect API key provided"}, 401, "provider_credential_refused"),
        (401, {"message": "No.", "code": "invalid_api_key"}, 401, "provider_credential_refused"),
        (400, {"message": "Your credit balance is too low"}, 429, "insufficient_quota"),
        (498, {"message": "a", "code": "capacity_exceeded"}, 503, "capacity_exceeded"),
        (400, {"message": "a", "code": "tool_use_failed"}, 502, "tool_use_failed"),
        (302, {"message": "a"}, 502, "provider_invalid_response"),
        (999, {"message": "a"}, 503, "provider_unavailable"),
    ],
)
def test_the_caller_gets_a_status_and_a_code_that_say_what_happened(
    status: int, error: JsonValue, shown: int, code: str | None
) -> None:
    found = parse(status, {"error": error})
    assert (found.status, found.code) == (shown, code)


def test_a_type_that_stands_for_another_status_is_not_told() -> None:
    body: JsonValue = {"error": {"message": "Your credit balance is too low", "type": "invalid_request_error"}}
    assert said(parse(400, body))["type"] == "insufficient_quota"
    assert said(parse(400, {"error": {"message": "No tools.", "type": "api_error"}}))["type"] == "api_error"


@each_case(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after-ms": "-1", "retry-after": "7"}, 7.0),
        ({"retry-after": "Tue, 15 Nov 1994 08:13:31 GMT", "date": DATE}, 60.0),
        ({"retry-after": "Tue, 15 Nov 1994 08:12:31 +0000", "date": DATE}, 0.0),
        ({"retry-after": "Tue, 15 Nov 1994 08:13:31 GMT"}, None),
        ({"retry-after": "Tue, 15 Nov 1994 08:13:31 GMT", "date": "today"}, None),
        ({"retry-after": "Tue, 15 Nov 1994 08:12:30 GMT", "date": DATE}, None),
        ({"retry-after": "Tue, 15 Nov 1994 08:13:31 -0000", "date": DATE}, None),
        ({"retry-after": "Tue, 15 Nov 1994 08:13:31 +99999999999999999999", "date": DATE}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "a while"}, None),
    ],
)
def test_when_to_ask_again(headers: Mapping[str, str], seconds: float | None) -> None:
    error = parse(429, {}, headers)
    assert error.retry_after == seconds and error.evidence.retry_after == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 20s. Visit", 20.0),
        ("Please try again in 7.66s", 7.66),
        ("Please retry in 1.5 s.", 1.5),
        ("Please try again in 120ms.", 0.12),
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 1h12m3.5s.", 4323.5),
        ("try again in 5 seconds", 5.0),
        ("Please retry after 55 seconds.", 55.0),
        ("please try again after 1 seconds", 1.0),
        ("try again in 5 semesters", None),
        ("try again in a while", None),
        ("try again in", None),
    ],
)
def test_a_text_may_say_when_to_ask_again(text: str, seconds: float | None) -> None:
    assert parse(429, {"error": {"message": f"Limit reached. {text}"}}).retry_after == seconds


def limits(**fields: str) -> dict[str, str]:
    """`x-ratelimit-` headers: reset_requests is `x-ratelimit-reset-requests`."""
    return {f"x-ratelimit-{name.replace('_', '-')}": value for name, value in fields.items()}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (limits(remaining_requests="0", reset_requests="6m0s"), 360.0),
        (limits(remaining_requests="0", reset_requests="120ms"), 0.12),
        (limits(remaining_requests="0", reset_requests="8", remaining_tokens="90", reset_tokens="1h"), 8.0),
        (limits(remaining_requests="0", reset_requests="8s", remaining_tokens="0", reset_tokens="2m59.5s"), 179.5),
        (limits(remaining_requests="1", reset_requests="8s"), None),
        (limits(reset_requests="8s", reset_tokens="9s"), None),
        (limits(reset="30"), 30.0),
        (limits(reset="soon"), None),
        (limits(remaining="0", reset="784887211"), 784887211.0),
        ({**limits(remaining="0", reset="1784887211000"), "date": "Fri, 24 Jul 2026 10:00:01 GMT"}, 10.0),
        ({**limits(remaining="0", reset="1784887211"), "date": "Fri, 24 Jul 2026 10:00:01 GMT"}, 10.0),
        ({**limits(remaining="0", reset="1784887211"), "date": "Fri, 24 Jul 2026 10:00:31 GMT"}, None),
        (limits(remaining="0", reset="1784887211"), None),
        ({**limits(remaining="0", reset="1784887211"), "date": "today"}, None),
        ({**limits(remaining_requests="0", reset_requests="8s"), "retry-after": "2"}, 2.0),
    ],
)
def test_a_limit_that_is_used_up_says_when_it_has_room(headers: Mapping[str, str], seconds: float | None) -> None:
    assert parse(429, {}, headers).retry_after == seconds


def test_a_text_goes_before_what_is_known_of_limits_which_is_for_429_alone() -> None:
    headers = limits(remaining_requests="0", reset_requests="6m0s")
    assert parse(429, {"error": {"message": "try again in 2s"}}, headers).retry_after == 2.0
    assert parse(503, {}, headers).retry_after is None


def test_the_providers_request_id_is_kept() -> None:
    assert parse(500, {}, {"x-request-id": "req_1"}).evidence.request_id == "req_1"


@pytest.mark.parametrize(
    ("error", "failure", "status"),
    [
        ({"error": {"message": "a", "code": "rate_limit_exceeded"}}, RateLimited, None),
        ({"error": {"message": "a", "code": "429"}}, RateLimited, 429),
        ({"error": {"message": "a", "code": 503}}, Unavailable, 503),
        ({"error": {"message": "a", "code": 401}}, CredentialRefused, 401),
        ({"error": {"message": "a", "code": 400}}, RequestRejected, 400),
        ({"error": {"message": "a", "code": 200}}, InvalidAnswer, None),
        ({"error": {"message": "a", "type": "invalid_request_error"}}, RequestRejected, 400),
        ({"error": {"message": "a", "type": "server_error", "code": None}}, Unavailable, 500),
        ({"error": {"message": "a", "type": "odd"}}, InvalidAnswer, None),
        ({"error": "a"}, InvalidAnswer, None),
        ([{"error": {"message": "a", "code": 500}}], Unavailable, 500),
        ("a", InvalidAnswer, None),
    ],
)
def test_what_an_error_inside_an_answer_means(
    error: JsonValue, failure: type[ProviderFailure], status: int | None
) -> None:
    found = parse_in_stream(error)
    assert type(found) is failure and found.message == "a" and found.evidence.status == status


@given(
    st.integers(100, 999),
    st.one_of(st.binary(max_size=80), values.map(dumps)),
    st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "date", "x-request-id", "x-ratelimit-reset"]), texts
    ),
)
def test_any_status_headers_and_bytes_are_a_providers_failure(
    status: int, body: bytes, headers: Mapping[str, str]
) -> None:
    error = OpenAIChatProvider().parse_error(status, headers, body)
    assert error.message and 400 <= error.status < 600
    assert error.retry_after is None or error.retry_after >= 0
    said(error)


@given(values)
def test_any_json_inside_an_answer_is_a_providers_failure(error: JsonValue) -> None:
    found = parse_in_stream(error)
    assert found.message
    said(found)


@pytest.mark.parametrize(
    "value",
    [
        {"error": {"message": "a"}},
        {"error": "a"},
        [{"error": {"message": "a"}}],
        {"object": "error", "message": "a"},
        {"detail": "Engine died"},
        {"detail": [{"msg": "a"}]},
        {"errors": [{"message": "a"}]},
        {"message": "Model is overloaded", "code": 50505},
        {"message": "a"},
        {"code": "InvalidParameter", "message": "a"},
        {"code": 1002, "msg": "a"},
        {"error_code": 18, "error_msg": "a"},
        {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "a"}},
        {"choices": [{"index": 0, "delta": {}}], "error": {"message": "a"}},
        {"choices": [], "message": "a", "code": 500},
    ],
)
def test_an_error_is_known_for_one_in_every_shape(value: JsonValue) -> None:
    assert holds_error(value)


@each_case(
    "value",
    [
        {"choices": [{"index": 0, "delta": {"content": "error"}, "finish_reason": None}]},
        {"choices": [{"index": 0, "message": {"content": "a"}}], "error": None},
        {"choices": [{"index": 0, "delta": {}}], "base_resp": {"status_code": 0, "status_msg": ""}},
        {"choices": [{"index": 0, "delta": {}}], "code": 0, "message": "ok"},
        {"choices": [{"index": 0, "delta": {}}], "detail": "a"},
        {"choices": [], "usage": {"prompt_tokens": 1}},
        {"choices": [], "prompt_filter_results": [], "message": ""},
        {"code": 200, "msg": "success", "data": {}},
        {"code": 0, "message": "success"},
        {"status": "processing", "message": "Loading."},
        {"success": True, "errors": [], "messages": [], "result": {}},
        {"model": "m", "message": {"role": "assistant", "content": "a"}, "done": False},
        {"type": "ping"},
        {"error": None},
        {"error": {}},
        {},
        [],
        None,
        "a",
        7,
    ],
)
def test_what_is_an_answer_or_nothing_is_no_error(value: JsonValue) -> None:
    assert not holds_error(value)


# Writing ---------------------------------------------------------------------------------------------------------

MODULES = {**vars(errors), **vars(provider_failures)}
FAMILY = sorted(
    (kind for kind in MODULES.values() if isinstance(kind, type) and issubclass(kind, GatewayError)),
    key=lambda kind: kind.__name__,
)


@each_case("kind", FAMILY)
def test_every_error_of_ours_has_all_four_keys(kind: type[GatewayError]) -> None:
    assert said(kind("No.")) == {"message": "No.", "type": kind.type, "param": None, "code": kind.code}


def test_an_error_tells_its_field() -> None:
    assert said(InvalidRequest("No.", param="messages[0].role"))["param"] == "messages[0].role"


@given(st.text(max_size=30), st.one_of(st.none(), st.text(max_size=9)), st.one_of(st.none(), st.text(max_size=9)))
def test_any_words_become_strict_json(message: str, param: str | None, code: str | None) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    body = OpenAIChatCallers().render_error(GatewayError(message, param=param, code=code))
    found = json.loads(body.decode("utf-8"), parse_constant=refuse)["error"]
    assert found["message"] == message.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_the_real_client_reads_message_type_param_and_code() -> None:
    error = GatewayError("No.", param="n", code="bad_n", type="invalid_request_error")
    body = json.loads(OpenAIChatCallers().render_error(error))["error"]
    read = openai.APIError("No.", request=None, body=body)  # type: ignore[arg-type]  # it only keeps the request
    assert (read.param, read.code, read.type) == ("n", "bad_n", "invalid_request_error")
