"""The table of refusals against what providers really say, on both wires, as a status and inside an answer."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import pytest

from gateway.core.provider_failures import (
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    GenerationFailed,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    RetryRule,
    TargetModelMissing,
    Unavailable,
    UnsupportedByModel,
)
from gateway.core.strict_json import JsonValue, dumps
from gateway.wires.gemini import errors as gemini
from gateway.wires.openai_chat.outbound import errors as openai_chat
from gateway.wires.refusals.codes import CODES
from gateway.wires.refusals.rows import plain
from gateway.wires.refusals.table import ORDER, PHRASES, WORDS_BEFORE_CODES
from tests.support.cases import each_case
from tests.support.examples import some_of
from tests.wires.refusals.wordings import ORDINARY, SAYINGS, WORDINGS, Wording, openai

NONE: Mapping[str, str] = {}


class Wire(NamedTuple):
    parse: Callable[[int, Mapping[str, str], bytes], ProviderFailure]
    parse_in_stream: Callable[[JsonValue], ProviderFailure]
    holds_error: Callable[[JsonValue], bool]


WIRES: Final = {
    "openai_chat": Wire(openai_chat.parse, openai_chat.parse_in_stream, openai_chat.holds_error),
    "gemini": Wire(gemini.parse, gemini.parse_in_stream, gemini.holds_error),
}
on_both_wires = pytest.mark.parametrize("wire", WIRES.values(), ids=list(WIRES))
each_wording = each_case("wording", WORDINGS, ids=list(map(str, WORDINGS)))
# The meaning of the others is in their status alone.
WORDED = [wording for wording in WORDINGS if wording.body != {"detail": "Unauthorized"}]
each_worded = each_case("wording", WORDED, ids=list(map(str, WORDED)))
each_ordinary = each_case("words", ORDINARY, ids=[words[:60] for words in ORDINARY])


@on_both_wires
@each_wording
def test_a_refusal_means_the_same_on_every_wire(wire: Wire, wording: Wording) -> None:
    found = wire.parse(max(wording.status, 400), NONE, dumps(wording.body))
    assert type(found) is wording.means, found.message


@on_both_wires
@each_worded
def test_a_refusal_inside_an_answer_means_the_same_without_a_status(wire: Wire, wording: Wording) -> None:
    assert wire.holds_error(wording.body)
    found = wire.parse_in_stream(wording.body)
    assert type(found) is wording.means, found.message


@on_both_wires
@each_case(("means", "words"), SAYINGS)
def test_what_many_servers_say_in_like_words_is_read_alike(
    wire: Wire, means: type[ProviderFailure], words: str
) -> None:
    for found in (wire.parse(400, NONE, dumps(openai(words))), wire.parse_in_stream({"error": {"message": words}})):
        assert type(found) is means


@each_worded
def test_a_refusal_is_one_in_an_array_in_a_hub_and_behind_a_proxy_too(wording: Wording) -> None:
    raw = dumps(wording.body).decode()
    wrapped: tuple[JsonValue, ...] = (
        [wording.body],
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw}}},
        {"error": {"message": f"litellm.APIError: OpenAIException - {raw}", "type": None, "code": None}},
        {"errors": [wording.body]},
        {"detail": wording.body},
    )
    for body in wrapped:
        assert type(openai_chat.parse(max(wording.status, 400), NONE, dumps(body))) is wording.means, body


@on_both_wires
@each_ordinary
def test_an_ordinary_fault_stops_at_once(wire: Wire, words: str) -> None:
    bodies: tuple[JsonValue, ...] = (
        openai(words),
        {"error": {"message": words}},
        {"detail": words},
        {"message": words},
        {"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}},
    )
    for body, status in some_of(list(itertools.product(bodies, (400, 422))), ORDINARY.index(words), every=3):
        found = wire.parse(status, NONE, dumps(body))
        assert type(found) is RequestRejected, (body, _rows_that_fit(words))
        assert (found.next_candidate, found.retry, found.message) == (False, RetryRule.NEVER, words.strip())


@on_both_wires
@each_ordinary
def test_an_ordinary_fault_inside_an_answer_stops_too(wire: Wire, words: str) -> None:
    numbered: JsonValue = {"error": {"message": words, "code": 400}}
    for body in (openai(words), numbered):
        assert type(wire.parse_in_stream(body)) is RequestRejected, _rows_that_fit(words)


def test_there_are_enough_wordings_for_each_meaning() -> None:
    counts = Counter(wording.means for wording in WORDINGS)
    meanings = (
        ContextTooLong, TargetModelMissing, CredentialRefused, QuotaExhausted, RateLimited, UnsupportedByModel,
        GenerationFailed, Unavailable, ContentRefused,
    )  # fmt: skip
    assert all(counts[means] >= 12 for means in meanings), counts
    assert len(set(ORDINARY)) >= 60


def test_every_row_says_where_and_when_it_was_seen() -> None:
    for seen in (*(row.seen for row in CODES), *(row.seen for row in WORDS_BEFORE_CODES + PHRASES)):
        source, _, date = seen.rpartition(", ")
        assert source.startswith("https://") and date[:4].isdigit(), seen


def test_no_code_is_in_the_table_twice_with_two_meanings() -> None:
    meanings = {row.word: row.means for row in CODES}
    assert [row for row in CODES if meanings[row.word] is not row.means] == []


@pytest.mark.parametrize(
    ("words", "means"),
    [
        ("Blocked by our content policy: prompt is too long", ContentRefused),
        ("The prompt is too long for the model foo, which does not exist", ContextTooLong),
        ("Model foo does not exist, or your API key is invalid", TargetModelMissing),
        ("Your API key is invalid: insufficient balance", CredentialRefused),
        ("Insufficient balance. Rate limit exceeded.", QuotaExhausted),
        ("Rate limit exceeded: tools are not supported on this tier", RateLimited),
        ("Tools are not supported by this model. Please try again later.", UnsupportedByModel),
    ],
)
def test_where_two_meanings_fit_the_first_of_the_order_counts(words: str, means: type[ProviderFailure]) -> None:
    assert type(openai_chat.parse(400, NONE, dumps(openai(words)))) is means


def test_where_two_codes_have_a_meaning_the_first_of_the_order_counts() -> None:
    for kind, code in (("insufficient_quota", "rate_limit_exceeded"), ("rate_limit_exceeded", "insufficient_quota")):
        body: JsonValue = {"error": {"message": "No.", "type": kind, "code": code}}
        assert type(openai_chat.parse(429, NONE, dumps(body))) is QuotaExhausted


def test_every_meaning_of_the_table_has_a_place_in_the_order() -> None:
    meanings = {row.means for row in CODES} | {row.means for row in WORDS_BEFORE_CODES + PHRASES}
    assert meanings == set(ORDER)


@each_case("status", [400, 402, 403, 404, 405, 409, 412, 413, 422, 424, 498, 499, 500])
@each_case(
    ("words", "means"),
    [
        ("This model's maximum context length is 8192 tokens.", ContextTooLong),
        ("Insufficient account balance", QuotaExhausted),
    ],
)
def test_words_count_beside_any_status(status: int, words: str, means: type[ProviderFailure]) -> None:
    assert type(openai_chat.parse(status, NONE, dumps({"error": words}))) is means


def test_a_function_whose_name_sounds_like_a_refusal_is_none() -> None:
    for name in ("get_content_policy", "credit balance", "rate_limited", "maximum context length"):
        words = f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'."
        assert type(openai_chat.parse(400, NONE, dumps(openai(words)))) is RequestRejected


def test_what_a_validator_repeats_of_the_request_is_not_read() -> None:
    words = (
        "1 validation error for ChatCompletionRequest: messages.0.content Input should be a valid string "
        "[type=string_type, input_value={'text': 'insufficient balance, rate limit exceeded'}, input_type=dict]"
    )
    assert type(openai_chat.parse(400, NONE, dumps({"detail": words}))) is RequestRejected


def _rows_that_fit(words: str) -> list[str]:
    return [row.words for row in (*WORDS_BEFORE_CODES, *PHRASES) if row.fits(plain(words), 400)]
