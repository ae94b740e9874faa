"""Anthropic's errors: what they mean, when to ask again, and what a request can do without."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.provider_failures import (
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    FieldsRefused,
    ForeignReasoning,
    InvalidAnswer,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    TargetModelMissing,
    Unavailable,
)
from gateway.core.strict_json import JsonValue, dumps
from gateway.wires.anthropic_messages.outbound.errors import holds_error, parse, parse_in_stream
from gateway.wires.failure_classes import MESSAGE_SHOWN
from tests.support.anthropic_answers import error

NONE: Mapping[str, str] = {}
NOW = "Sun, 29 Nov 2026 12:00:00 GMT"


def answered(status: int, body: JsonValue, headers: Mapping[str, str] = NONE) -> ProviderFailure:
    return parse(status, headers, dumps(body))


@pytest.mark.parametrize(
    ("status", "kind", "failure", "shown"),
    [
        (400, "invalid_request_error", RequestRejected, 400),
        (401, "authentication_error", CredentialRefused, 401),
        (402, "billing_error", QuotaExhausted, 402),
        (403, "permission_error", CredentialRefused, 403),
        (404, "not_found_error", TargetModelMissing, 404),
        (408, "timeout_error", Unavailable, 408),
        (409, "conflict_error", Unavailable, 409),
        (413, "request_too_large", ContextTooLong, 400),
        (422, "invalid_request_error", RequestRejected, 422),
        (429, "rate_limit_error", RateLimited, 429),
        (500, "api_error", Unavailable, 500),
        (502, "api_error", Unavailable, 502),
        (503, "api_error", Unavailable, 503),
        (504, "timeout_error", Unavailable, 504),
        (529, "overloaded_error", Unavailable, 529),
    ],
)
def test_statuses(status: int, kind: str, failure: type[ProviderFailure], shown: int) -> None:
    found = answered(status, error(kind, "No."))
    assert (type(found), found.status, found.message) == (failure, shown, "No.")
    assert found.evidence.status == status
    if status not in (408, 422, 502, 503):  # the type alone stands for one status
        assert type(parse_in_stream(error(kind, "No."))) is failure


@pytest.mark.parametrize(
    ("status", "message", "failure"),
    [
        (400, "prompt is too long: 201234 tokens > 200000 maximum", ContextTooLong),
        (400, "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000", ContextTooLong),
        (400, "Your credit balance is too low to access the Anthropic API.", QuotaExhausted),
        (
            400,
            "You have reached your specified API usage limits. You will regain access on 2026-12-01.",
            QuotaExhausted,
        ),
        (400, "Output blocked by content filtering policy", ContentRefused),
        (400, "messages.0.content: Field required", RequestRejected),
        (400, "max_tokens: Input should be greater than or equal to 1", RequestRejected),
        (400, "messages: text content blocks must be non-empty", RequestRejected),
        (429, "This request would exceed your organization's rate limit of 50 requests per minute.", RateLimited),
        (429, "Your daily token limit has been reached.", QuotaExhausted),
    ],
)
def test_words_that_the_status_does_not_say(status: int, message: str, failure: type[ProviderFailure]) -> None:
    assert type(answered(status, error("invalid_request_error", message))) is failure


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("messages.1.content.0: Invalid `signature` in `thinking` block", ("reasoning",)),
        (
            "messages.3.content.0: `thinking` blocks in the latest assistant message cannot be modified.",
            ("reasoning",),
        ),
        (
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
            ("effort", "reasoning_budget"),
        ),
        (
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive".',
            ("reasoning_budget",),
        ),
        ("adaptive thinking is not supported on this model", ("effort",)),
        ("This model does not support the effort parameter.", ("effort",)),
        ("'claude-3-5-haiku-20241022' does not support thinking.", ("effort", "reasoning_budget")),
        ("Thinking may not be enabled when tool_choice forces tool use.", ("effort", "reasoning_budget")),
        ("This model does not support assistant message prefill.", ("prefill",)),
        ("messages: role 'system' is not supported on this model", ("messages.system",)),
        ("`temperature` is deprecated for this model.", ("temperature",)),
        ("`top_p` is deprecated for this model.", ("top_p",)),
        ("`top_k` must be unset when thinking is enabled.", ("top_k",)),
        ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", ("top_p",)),
        (
            "`temperature`, `top_p` or `top_k` is deprecated for this model.",
            ("temperature", "top_k", "top_p"),
        ),
        ("`temperature` may only be set to 1 when thinking is enabled.", ("temperature",)),
    ],
)
def test_what_a_request_can_do_without(message: str, fields: tuple[str, ...]) -> None:
    found = answered(400, error("invalid_request_error", message))
    assert isinstance(found, ForeignReasoning if "reasoning" in fields else FieldsRefused)
    assert (found.refused_fields, found.status, found.message) == (fields, 400, message)
    assert not found.counts_against_target


@pytest.mark.parametrize(
    ("message", "most"),
    [
        (
            "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens for claude-sonnet-4-5",
            64_000,
        ),
        ("max_tokens is too large: 128000. This model supports at most 16384 completion tokens.", 16_384),
        ("`max_tokens`: Input should be less than or equal to 8192", 8_192),
    ],
)
def test_the_limit_of_the_model_is_learned(message: str, most: int) -> None:
    found = answered(400, error("invalid_request_error", message))
    assert isinstance(found, FieldsRefused)
    assert (found.max_tokens, found.refused_fields) == (most, ("max_tokens",))


def test_a_field_that_is_refused_as_unknown_is_named() -> None:
    found = answered(400, error("invalid_request_error", "context_management: Extra inputs are not permitted"))
    assert found.refused_fields == ("context_management",)


def test_other_failures_name_no_fields() -> None:
    for status in (401, 429, 529):
        found = answered(status, error("api_error", "`temperature` is deprecated for this model."))
        assert not isinstance(found, FieldsRefused) and found.refused_fields == ()


# When to ask again -------------------------------------------------------------------------------------------------


def reset(which: str, at: str, remaining: str = "0") -> dict[str, str]:
    head = f"anthropic-ratelimit-{which}"
    return {f"{head}-reset": at, f"{head}-remaining": remaining}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "7", "date": NOW, **reset("tokens", "2026-11-29T12:01:00Z")}, 7.0),
        ({"date": NOW, **reset("requests", "2026-11-29T12:00:30Z"), **reset("tokens", "2026-11-29T12:01:00Z")}, 60.0),
        ({"date": NOW, **reset("requests", "2026-11-29T12:00:30+00:00", "3")}, None),
        ({"date": NOW, **reset("requests", "2026-11-29T11:00:00Z")}, None),
        ({"date": NOW, **reset("requests", "soon")}, None),
        (reset("requests", "2026-11-29T12:00:30Z"), None),
        ({}, None),
    ],
)
def test_when_to_ask_again(headers: dict[str, str], seconds: float | None) -> None:
    found = answered(429, error("rate_limit_error"), headers)
    assert (type(found), found.retry_after) == (RateLimited, seconds)


def test_a_limit_that_lasts_is_a_spent_quota() -> None:
    found = answered(429, error("rate_limit_error"), {"retry-after": "7200"})
    assert (type(found), found.retry_after) == (QuotaExhausted, 7_200.0)


def test_the_id_of_the_request_is_kept() -> None:
    assert answered(500, error("api_error"), {"request-id": "req_2"}).evidence.request_id == "req_2"
    assert answered(500, error("api_error")).evidence.request_id == "req_01"
    assert parse_in_stream(error("api_error")).evidence.request_id == "req_01"


# Other shapes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "No."}},
        {"error": "No."},
        [{"error": {"message": "No."}}],
        {"message": "No."},
        {"detail": "No."},
        "No.",
    ],
)
def test_errors_of_other_servers(body: JsonValue) -> None:
    assert (answered(503, body).message, type(answered(503, body))) == ("No.", Unavailable)


@pytest.mark.parametrize("body", [b"", b"<html>", b"null", b'{"type":"error"}'])
def test_an_error_without_words(body: bytes) -> None:
    assert parse(529, NONE, body).message == "The provider answered 529 without a message."
    assert parse_in_stream({"type": "error"}).message


def test_a_kind_that_nobody_knows_is_an_answer_that_is_none() -> None:
    assert type(parse_in_stream(error("odd_error"))) is InvalidAnswer


def test_a_long_message_is_cut() -> None:
    assert len(answered(400, error("invalid_request_error", "no " * 5_000)).message) <= MESSAGE_SHOWN


def test_what_holds_an_error() -> None:
    errors: list[JsonValue] = [error("x"), {"error": {"message": "x"}}, [error("x")], {"type": "error"}]
    assert all(map(holds_error, errors))
    others: list[JsonValue] = [{"type": "ping"}, {"type": "message", "error": None}, [], "error", None]
    assert not any(map(holds_error, others))


@given(st.integers(300, 599), st.binary(max_size=200))
def test_any_answer_is_a_failure(status: int, body: bytes) -> None:
    assert isinstance(parse(status, NONE, body), ProviderFailure)
