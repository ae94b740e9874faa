"""Errors as Messages callers get them: the status and the type by which their clients choose what to do."""

import json
from typing import Any

import pytest

from gateway.core import errors, provider_failures
from gateway.core.errors import GatewayError
from gateway.core.provider_failures import ContextTooLong, Evidence, ProviderFailure
from gateway.wires.anthropic_messages.inbound import AnthropicMessagesCallers
from tests.support.cases import each_case
from tests.validators import anthropic_answers as validate

CALLERS = AnthropicMessagesCallers()


def every_error() -> list[type[GatewayError]]:
    found: list[type[GatewayError]] = []
    waiting: list[type[GatewayError]] = [GatewayError]
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].__subclasses__()
    return found


def told(error: GatewayError) -> Any:
    return json.loads(CALLERS.render_error(error))["error"]


ELSEWHERE = {426, 499}
"""Statuses of another route's, and of a caller who has left."""


@each_case("kind", [kind for kind in every_error() if kind.status not in ELSEWHERE], ids=lambda kind: kind.__name__)
def test_every_error_is_one_that_clients_know(kind: type[GatewayError]) -> None:
    error = kind("It is so.")
    assert validate.of_error(json.loads(CALLERS.render_error(error)), CALLERS.error_status(error)) == []


@each_case(
    ("error", "status", "kind"),
    [
        (errors.KeyRefused("x"), 401, "authentication_error"),
        (errors.LoginRequired("x"), 403, "permission_error"),
        (errors.RenewalFailed("x"), 503, "overloaded_error"),
        (provider_failures.CredentialRefused("x", status=401), 403, "permission_error"),
        (errors.ModelNotFound("x"), 404, "not_found_error"),
        (errors.RouteNotFound("x"), 404, "not_found_error"),
        (errors.BodyTooLarge("x"), 413, "request_too_large"),
        (errors.HostRefused("x"), 421, "invalid_request_error"),
        (errors.OriginRefused("x"), 403, "permission_error"),
        (errors.Limited("x"), 429, "rate_limit_error"),
        (provider_failures.QuotaExhausted("x", status=402), 429, "rate_limit_error"),
        (provider_failures.UnsupportedByTarget("x"), 400, "invalid_request_error"),
        (provider_failures.ContentRefused("x", status=403), 400, "invalid_request_error"),
        (provider_failures.ContextTooLong("x", status=413), 400, "invalid_request_error"),
        (provider_failures.RequestRejected("x", status=422), 422, "invalid_request_error"),
        (errors.Draining("x"), 503, "overloaded_error"),
        (provider_failures.Unavailable("x"), 503, "overloaded_error"),
        (provider_failures.Unavailable("x", status=529), 529, "overloaded_error"),
        (provider_failures.Unavailable("x", evidence=Evidence(status=529)), 529, "overloaded_error"),
        (provider_failures.ProviderTimeout("x"), 504, "timeout_error"),
        (provider_failures.ConnectionFailed("x"), 502, "api_error"),
        (errors.InternalFault("x"), 500, "api_error"),
    ],
)
def test_a_situation_has_this_status_and_type(error: GatewayError, status: int, kind: str) -> None:
    assert (CALLERS.error_status(error), told(error)["type"]) == (status, kind)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130,001 tokens.",
            "prompt is too long: 130001 tokens > 128000 maximum",
        ),
        (
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
            "prompt is too long: 300000 tokens > 272000 maximum",
        ),
        (
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "prompt is too long: 1200000 tokens > 1048576 maximum",
        ),
        (
            "prompt is too long: 210000 tokens > 200000 maximum",
            "prompt is too long: 210000 tokens > 200000 maximum",
        ),
        ("Prompt is too long", "Prompt is too long"),
        ("context window exceeded", "prompt is too long: context window exceeded"),
    ],
)
def test_a_conversation_that_is_too_long_is_told_in_the_words_that_clients_look_for(words: str, shown: str) -> None:
    assert told(ContextTooLong(words))["message"] == shown


def test_the_message_begins_with_the_field() -> None:
    assert told(errors.InvalidRequest("It is wrong.", param="tools"))["message"] == "tools: It is wrong."
    assert told(errors.InvalidRequest("tools must be", param="tools"))["message"] == "tools must be"
    assert told(errors.ModelNotFound("No such model.", param="model"))["message"] == "No such model."


def test_secrets_are_masked() -> None:
    callers = AnthropicMessagesCallers(lambda text: text.replace("sk-secret", "***"))
    assert b"sk-secret" not in callers.render_error(ProviderFailure("The key sk-secret is wrong."))
    assert b"sk-secret" not in callers.error_event(ProviderFailure("The key sk-secret is wrong."))


def test_headers_of_limits_are_passed_on_by_the_wire_of_the_provider() -> None:
    given = {"anthropic-ratelimit-requests-remaining": "5", "x-ratelimit-remaining": "6", "set-cookie": "x"}
    own = CALLERS.forwarded(given, "anthropic_messages")
    assert own == (("anthropic-ratelimit-requests-remaining", "5"),)
    assert CALLERS.forwarded(given, "openai_chat") == (("x-ratelimit-remaining", "6"),)
    assert CALLERS.reply_headers("req_1") == (("request-id", "req_1"),)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("stop", "stop_sequences"),
        ("reasoning_effort", "output_config.effort"),
        ("response_format", "output_config.format"),
        ("parallel_tool_calls", "tool_choice.disable_parallel_tool_use"),
        ("messages.content.file", "messages.content.document"),
        ("messages.content.search_result", "messages.content.search_result"),
        ("top_k", "top_k"),
        ("tools.bash_20250124", "tools.bash_20250124"),
    ],
)
def test_dropped_fields_have_the_callers_names(name: str, shown: str) -> None:
    assert CALLERS.field_name(name) == shown
