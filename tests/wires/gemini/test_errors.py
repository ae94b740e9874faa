"""Google's errors: what they mean, when to ask again, and what the caller is told."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    UnsupportedByModel,
)
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.failure_classes import MESSAGE_SHOWN
from gateway.wires.gemini.errors import holds_error, parse, parse_in_stream
from tests.support.cases import each_case

NONE: Mapping[str, str] = {}
TYPE = "type.googleapis.com/google.rpc."
PLAN = "You exceeded your current quota, please check your plan and billing details."
MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
TOKENS = "GenerateContentInputTokensPerModelPerMinute-FreeTier"
DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"


def error(code: int, word: str, message: str = "No.", *details: JsonValue) -> JsonObject:
    return {"error": {"code": code, "message": message, "status": word, "details": list(details)}}


def info(reason: str, **metadata: JsonValue) -> JsonObject:
    return {"@type": TYPE + "ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata}


def retry(delay: JsonValue) -> JsonObject:
    return {"@type": TYPE + "RetryInfo", "retryDelay": delay}


def violated(*quotas: str) -> JsonObject:
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    return {"@type": TYPE + "QuotaFailure", "violations": [{"quotaMetric": metric, "quotaId": id} for id in quotas]}


def answered(status: int, body: JsonValue, headers: Mapping[str, str] = NONE) -> ProviderFailure:
    return parse(status, headers, dumps(body))


@pytest.mark.parametrize(
    ("status", "word", "failure", "shown"),
    [
        (400, "INVALID_ARGUMENT", RequestRejected, 400),
        (400, "FAILED_PRECONDITION", RequestRejected, 400),
        (400, "OUT_OF_RANGE", RequestRejected, 400),
        (401, "UNAUTHENTICATED", CredentialRefused, 401),
        (403, "PERMISSION_DENIED", CredentialRefused, 403),
        (404, "NOT_FOUND", TargetModelMissing, 404),
        (409, "ABORTED", Unavailable, 409),
        (409, "ALREADY_EXISTS", Unavailable, 409),
        (429, "RESOURCE_EXHAUSTED", RateLimited, 429),
        (499, "CANCELLED", Unavailable, 503),
        (500, "INTERNAL", Unavailable, 500),
        (500, "UNKNOWN", Unavailable, 500),
        (500, "DATA_LOSS", Unavailable, 500),
        (501, "UNIMPLEMENTED", Unavailable, 501),
        (503, "UNAVAILABLE", Unavailable, 503),
        (504, "DEADLINE_EXCEEDED", Unavailable, 504),
    ],
)
def test_every_word_of_googles_means_the_same_as_a_status_and_inside_an_answer(
    status: int, word: str, failure: type[ProviderFailure], shown: int
) -> None:
    body = error(status, word)
    found = answered(status, body)
    assert (type(found), found.status, found.evidence.status, found.message) == (failure, shown, status, "No.")
    bare: JsonObject = {"error": {"message": "No.", "status": word}}
    shapes: list[JsonValue] = [body, [body], body["error"], bare]
    for inside in shapes:
        told = parse_in_stream(inside)
        assert (type(told), told.evidence.status, told.message) == (failure, status, "No.")


def test_errors_in_an_array_are_read() -> None:
    """As they come from a stream's address."""
    found = answered(404, [error(404, "NOT_FOUND", "models/x is not found for API version v1beta.")])
    assert type(found) is TargetModelMissing and "models/x" in found.message


@pytest.mark.parametrize(
    ("message", "details"),
    [
        ("No.", [info("API_KEY_INVALID", service="generativelanguage.googleapis.com")]),
        ("API key not valid. Please pass a valid API key.", []),
        ("API key expired. Please renew the API key.", []),
        ("API Key not found. Please pass a valid API key.", []),
    ],
)
def test_a_key_that_is_not_valid_is_a_400_of_googles_and_a_401_of_ours(message: str, details: list[JsonValue]) -> None:
    found = answered(400, error(400, "INVALID_ARGUMENT", message, *details))
    assert type(found) is CredentialRefused and found.status == 401
    assert type(parse_in_stream(error(400, "INVALID_ARGUMENT", message, *details))) is CredentialRefused


@each_case(
    ("word", "message", "failure"),
    [
        ("FAILED_PRECONDITION", "User location is not supported for the API use.", Unavailable),
        ("FAILED_PRECONDITION", "The Gemini API is not available in your region.", Unavailable),
        ("FAILED_PRECONDITION", "Please enable billing on your project in Google AI Studio.", QuotaExhausted),
        ("INVALID_ARGUMENT", "Function calling is not enabled for models/gemma-3-27b-it", UnsupportedByModel),
        ("INVALID_ARGUMENT", "Developer instruction is not enabled for models/gemma-3-27b-it", UnsupportedByModel),
        ("INVALID_ARGUMENT", "JSON mode is not enabled for models/gemma-3-27b-it", UnsupportedByModel),
        ("INVALID_ARGUMENT", "Penalty is not enabled for this model", UnsupportedByModel),
        ("INVALID_ARGUMENT", "Multiple candidates is not enabled for this model", UnsupportedByModel),
        ("INVALID_ARGUMENT", "Image input modality is not enabled for models/gemma-3-1b-it", UnsupportedByModel),
        ("INVALID_ARGUMENT", "Thinking level is not supported for this model.", UnsupportedByModel),
        ("INVALID_ARGUMENT", "Budget 0 is invalid. This model only works in thinking mode.", UnsupportedByModel),
        (
            "INVALID_ARGUMENT",
            "Function calling with a response mime type: 'application/json' is unsupported",
            UnsupportedByModel,
        ),
        (
            "INVALID_ARGUMENT",
            "Invalid JSON payload received. Unknown name \"id\" at 'contents[1].parts[0]': Cannot find field.",
            UnsupportedByModel,
        ),
        ("INVALID_ARGUMENT", "Unsupported MIME type: application/zip", UnsupportedByModel),
        (
            "INVALID_ARGUMENT",
            "Function call is missing a thought_signature in functionCall parts.",
            UnsupportedByModel,
        ),
        (
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            ContextTooLong,
        ),
        ("INVALID_ARGUMENT", "The response was blocked by our content policy.", ContentRefused),
        ("INVALID_ARGUMENT", "Request contains an invalid argument.", RequestRejected),
        (
            "INVALID_ARGUMENT",
            "Please ensure that function call turn comes after a user turn",
            RequestRejected,
        ),
        ("INVALID_ARGUMENT", "Provided image is not valid.", RequestRejected),
    ],
)
def test_a_400_is_for_another_candidate_only_where_another_may_do_better(
    word: str, message: str, failure: type[ProviderFailure]
) -> None:
    found = answered(400, error(400, word, message))
    shown = {Unavailable: 503, QuotaExhausted: 429}.get(failure, 400)
    assert (type(found), found.status, found.message) == (failure, shown, message)
    assert found.next_candidate is (failure not in (RequestRejected, ContentRefused))
    assert found.counts_against_target is (failure in (Unavailable, QuotaExhausted))


@pytest.mark.parametrize(
    ("status", "word", "message", "details", "failure", "delay"),
    [
        (429, "RESOURCE_EXHAUSTED", PLAN, [violated(MINUTE), retry("33s")], RateLimited, 33.0),
        (429, "RESOURCE_EXHAUSTED", PLAN, [violated(TOKENS), retry("1.5s")], RateLimited, 1.5),
        (429, "RESOURCE_EXHAUSTED", PLAN, [violated(MINUTE), retry("3600s")], RateLimited, 3600.0),
        # the day's quota is over, and what is told is when the minute's is back
        (429, "RESOURCE_EXHAUSTED", PLAN, [violated(TOKENS, MINUTE, DAY), retry("33s")], QuotaExhausted, None),
        (429, "RESOURCE_EXHAUSTED", PLAN, [violated(DAY), retry("28800s")], QuotaExhausted, 28800.0),
        (429, "RESOURCE_EXHAUSTED", PLAN, [violated(DAY)], QuotaExhausted, None),
        # without details
        (429, "RESOURCE_EXHAUSTED", PLAN, [], RateLimited, None),
        (429, "RESOURCE_EXHAUSTED", PLAN + " Please retry in 33.1s.", [], RateLimited, 33.1),
        (429, "RESOURCE_EXHAUSTED", PLAN + "\nPlease retry in 893.5ms.", [], RateLimited, 0.8935),
        (429, "RESOURCE_EXHAUSTED", "Please retry in 2h1m0.5s.", [], RateLimited, 7260.5),
        (429, "RESOURCE_EXHAUSTED", "Please retry in a while.", [], RateLimited, None),
        (429, "RESOURCE_EXHAUSTED", "Quota exceeded: requests per day.", [], QuotaExhausted, None),
        (429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", [], QuotaExhausted, None),
        (429, "RESOURCE_EXHAUSTED", "The project exceeded its monthly spending cap.", [], QuotaExhausted, None),
        (429, "RESOURCE_EXHAUSTED", "Per day.", [violated(MINUTE)], RateLimited, None),
        # quotas of Google Cloud are named by ErrorInfo
        (429, "RESOURCE_EXHAUSTED", "No.", [info("RATE_LIMIT_EXCEEDED", quota_limit=MINUTE)], RateLimited, None),
        (429, "RESOURCE_EXHAUSTED", "No.", [info("RATE_LIMIT_EXCEEDED", quota_limit=DAY)], QuotaExhausted, None),
        (429, "RESOURCE_EXHAUSTED", "No.", [info("QUOTA_EXHAUSTED"), retry("7200s")], QuotaExhausted, 7200.0),
        (403, "PERMISSION_DENIED", "No.", [info("BILLING_DISABLED")], QuotaExhausted, None),
        (503, "UNAVAILABLE", "The model is overloaded.", [retry("2s")], Unavailable, 2.0),
        # durations that are none
        (429, "RESOURCE_EXHAUSTED", "No.", [retry("soon"), retry(""), retry(5), retry("-1s")], RateLimited, None),
        (429, "RESOURCE_EXHAUSTED", "No.", [retry("0s")], RateLimited, 0.0),
        (429, "RESOURCE_EXHAUSTED", "No.", [retry("1s"), retry("7s")], RateLimited, 7.0),
    ],
)  # fmt: skip
def test_when_to_ask_again(
    status: int,
    word: str,
    message: str,
    details: list[JsonValue],
    failure: type[ProviderFailure],
    delay: float | None,
) -> None:
    body = error(status, word, message, *details)
    for found in (answered(status, body), parse_in_stream(body)):
        assert (type(found), found.evidence.status) == (failure, status)
        assert found.retry_after == delay and found.evidence.retry_after == delay


def test_the_details_are_surer_than_the_header_and_the_header_than_the_text() -> None:
    told = "Please retry in 3s."
    headers = {"retry-after": "2"}
    assert answered(429, error(429, "RESOURCE_EXHAUSTED", told, retry("1s")), headers).retry_after == 1.0
    assert answered(429, error(429, "RESOURCE_EXHAUSTED", told), headers).retry_after == 2.0
    assert answered(429, error(429, "RESOURCE_EXHAUSTED", told)).retry_after == 3.0


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b"7", b"{}", b"\xff", b'{"error": {}}', b'{"error": 7}'],
)
def test_a_body_without_a_message_gets_one(body: bytes) -> None:
    found = parse(502, NONE, body)
    assert type(found) is Unavailable and found.message == "The provider answered 502 without a message."


@pytest.mark.parametrize(
    "body", [{"error": "No."}, {"error": {"message": "No."}}, {"message": "No."}, ["No."], [{"error": "No."}], "No."]
)
def test_the_message_of_a_proxy_arrives_in_any_shape(body: JsonValue) -> None:
    assert answered(500, body).message == "No."


def test_a_long_message_is_cut() -> None:
    long = error(500, "INTERNAL", "a" * (MESSAGE_SHOWN - 5) + " secret " + "b" * 99)
    assert answered(500, long).message == parse_in_stream(long).message == "a" * (MESSAGE_SHOWN - 5)


@pytest.mark.parametrize(
    ("inside", "failure"),
    [
        ({"error": {}}, InvalidAnswer),
        ({"error": {"code": 200, "message": ""}}, InvalidAnswer),
        ({"error": {"code": 14, "status": "UNAVAILABLE"}}, Unavailable),
        ({"error": {"code": True}}, InvalidAnswer),
        ({"error": "a"}, InvalidAnswer),
        (None, InvalidAnswer),
    ],
)
def test_an_error_inside_an_answer_whose_status_is_unknown(inside: JsonValue, failure: type[ProviderFailure]) -> None:
    found = parse_in_stream(inside)
    assert type(found) is failure and found.message


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ({"error": {"message": "a"}}, True),
        ([{"error": {"message": "a"}}], True),
        ({"detail": "Engine died"}, True),
        ({"message": "a", "code": 5}, True),
        ({"candidates": [], "error": {"message": "a"}}, True),
        ({"candidates": [{"content": {"parts": [{"text": "error"}]}}], "message": "a"}, False),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, False),
        ({"usageMetadata": {"promptTokenCount": 1}, "detail": "a"}, False),
        ({"responseId": "r", "modelVersion": "m"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_an_error_is_told_from_an_answer(value: JsonValue, held: bool) -> None:
    assert holds_error(value) is held


@pytest.mark.parametrize("name", ["x-request-id", "x-goog-request-id"])
def test_the_providers_request_id_is_kept(name: str) -> None:
    assert parse(500, {name: "r-1"}, b"").evidence.request_id == "r-1"


def test_a_redirect_is_a_broken_answer() -> None:
    found = parse(302, NONE, b"")
    assert type(found) is InvalidAnswer and found.status == 502


FIELDS = (
    "error", "message", "status", "code", "details", "reason", "metadata", "quota_limit", "retryDelay", "violations",
    "quotaId",
)  # fmt: skip
texts = st.text(max_size=12)
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "message",
                    "status",
                    "code",
                    "details",
                    "reason",
                    "metadata",
                    "quota_limit",
                    "retryDelay",
                    "violations",
                    "quotaId",
                ]
            ),
            inner,
        ),
    ),
    max_leaves=10,
)


@given(
    st.integers(100, 999),
    st.one_of(st.binary(max_size=80), values.map(dumps)),
    st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date", "x-request-id"]), texts),
)
def test_any_status_headers_and_bytes_are_a_providers_failure(
    status: int, body: bytes, headers: Mapping[str, str]
) -> None:
    found = parse(status, headers, body)
    assert found.message and 400 <= found.status < 600
    assert found.retry_after is None or found.retry_after >= 0


@given(values)
def test_any_json_inside_an_answer_is_a_providers_failure(inside: JsonValue) -> None:
    found = parse_in_stream(json.loads(dumps(inside)))
    assert found.message and (found.retry_after is None or found.retry_after >= 0)
