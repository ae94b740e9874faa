"""Finish reasons in the words of many servers: what each means, in any case and spelling."""

import logging

import pytest

from gateway.wires.finish_words import breaks_off, folded, warn_unknown
from gateway.wires.gemini.finish import read_finish as read_gemini
from gateway.wires.openai_chat.outbound.finish_words import read_finish
from tests.support.cases import each_case

MEANINGS = {
    "stop": [
        "stop",
        "STOP",
        "eos",
        "eos_token",
        "eosFound",
        "end_turn",
        "stop_sequence",
        "COMPLETE",
        "Stop",
        "FinishReason.STOP",
        "normal",
    ],
    "length": [
        "length",
        "max_tokens",
        "MAX_TOKENS",
        "maxTokens",
        "model_length",
        "model_context_window_exceeded",
        "REASON_MAX_LEN",
        "ERROR_LIMIT",
        "contextLengthReached",
    ],
    "tool_calls": ["tool_calls", "tool_use", "TOOL_CALL", "toolCalls"],
    "function_call": ["function_call"],
    "content_filter": [
        "content_filter",
        "contentFilter",
        "SAFETY",
        "sensitive",
        "refusal",
        "ERROR_TOXIC",
        "guardrail_intervened",
        "content-filtered",
    ],
}
BROKEN = [
    "error",
    "ERROR",
    "abort",
    "aborted",
    "cancelled",
    "CANCELED",
    "timeout",
    "timed_out",
    "TimeOut",
    "network_error",
    "networkError",
    "insufficient_system_resource",
    "OTHER",
    "other",
    "server_error",
    "internal-error",
    "upstream_failure",
    "failed",
    "userStopped",
    "modelUnloaded",
    "load",
    "time_limit",
    "connection_lost",
    "interrupted",
    "incomplete",
    "malformed_model_output",
    "overloaded",
    "FinishReason.ABORT",
    "user_cancel",
    "preempted",
    "service_unavailable",
    "disconnected",
    "exception",
]
NONE = ["", "null", "NULL", "None", "none", "undefined", "not_finished", "FINISH_REASON_UNSPECIFIED"]


@each_case(("word", "reason"), [(word, reason) for reason, words in MEANINGS.items() for word in words])
def test_a_word_of_the_list_has_its_meaning(word: str, reason: str) -> None:
    found = read_finish(word)
    assert (found.reason, found.broken, found.known) == (reason, False, True)


@each_case("word", BROKEN)
def test_a_word_for_breaking_off_is_a_failure_on_both_wires(word: str) -> None:
    assert read_finish(word).broken and read_finish(word).reason is None
    assert read_gemini(word, spoke=True, called=False).broken


@pytest.mark.parametrize("word", [*NONE, None, 7, True, {}, []])
def test_what_is_no_finish_is_none(word: object) -> None:
    found = read_finish(word)  # type: ignore[arg-type]
    assert (found.reason, found.broken) == (None, False)


@pytest.mark.parametrize("word", ["zenith", "whatever", "FINISH_REASON_ZENITH", "\u5b8c\u6210"])
def test_an_unknown_word_is_a_stop_that_says_so(word: str, caplog: pytest.LogCaptureFixture) -> None:
    found = read_finish(word)
    assert (found.reason, found.broken, found.known) == ("stop", False, False)
    assert not read_gemini(word, spoke=True, called=False).known
    with caplog.at_level(logging.WARNING):
        assert warn_unknown(word * 100) == (word * 100)[:60]
    assert len(caplog.records) == 1


def test_words_of_the_lists_do_not_break_off_by_chance() -> None:
    for words in MEANINGS.values():
        assert not any(read_finish(word).broken for word in words)
    assert not breaks_off(folded("default")) and not breaks_off(folded("zenith"))
