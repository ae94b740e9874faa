"""What is learned of providers' own limits from the heads of their answers."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observe.quota import MAX_ENTRIES, MAX_HEADS, SHAPES, Head, Key, Quota, Quotas, read

NOW = 1_764_428_400.0  # 2025-11-29T15:00:00Z


def head(headers: Mapping[str, str], status: int = 200, model: str = "m", provider: str = "p", at: float = NOW) -> Head:
    return Head(provider, model, status, headers, at)


def learned(headers: Mapping[str, str], status: int = 200) -> dict[tuple[str, str], tuple[object, ...]]:
    """By model and kind: limit, remaining, and seconds until the reset."""
    return {
        (key.model, key.kind): (
            quota.limit,
            quota.remaining,
            None if quota.reset_at is None else round(quota.reset_at - NOW, 3),
        )
        for key, quota in read(head(headers, status))
    }


OPENAI = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-remaining-tokens": "29984",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-reset-tokens": "6m0s",
}
GROQ = {
    "x-ratelimit-limit-requests": "14400",
    "x-ratelimit-limit-tokens": "18000",
    "x-ratelimit-remaining-requests": "14370",
    "x-ratelimit-remaining-tokens": "17997",
    "x-ratelimit-reset-requests": "2m59.56s",
    "x-ratelimit-reset-tokens": "7.66s",
}
OPENROUTER = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1764428460000"}
TOGETHER = {
    "x-ratelimit-limit": "60",
    "x-ratelimit-remaining": "57",
    "x-ratelimit-reset": "1",
    "x-tokenlimit-limit": "180000",
    "x-tokenlimit-remaining": "178500",
}
CEREBRAS = {
    "x-ratelimit-limit-requests-day": "14400",
    "x-ratelimit-remaining-requests-day": "14399",
    "x-ratelimit-reset-requests-day": "33011.382867",
    "x-ratelimit-limit-tokens-minute": "60000",
    "x-ratelimit-remaining-tokens-minute": "60000",
    "x-ratelimit-reset-tokens-minute": "11.38",
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2025-11-29T15:00:01Z",
    "anthropic-ratelimit-input-tokens-limit": "30000",
    "anthropic-ratelimit-input-tokens-remaining": "28000",
    "anthropic-ratelimit-input-tokens-reset": "2025-11-29T16:00:04+01:00",
}
SUBSCRIPTION = {
    "anthropic-ratelimit-unified-status": "allowed",
    "anthropic-ratelimit-unified-5h-utilization": "0.42",
    "anthropic-ratelimit-unified-5h-reset": "1764432000",
    "anthropic-ratelimit-unified-7d-utilization": "1.07",
    "anthropic-ratelimit-unified-7d-reset": "1764860400",
}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (OPENAI, {("m", "requests"): (500, 499, 0.12), ("m", "tokens"): (30000, 29984, 360.0)}),
        (GROQ, {("m", "requests"): (14400, 14370, 179.56), ("m", "tokens"): (18000, 17997, 7.66)}),
        (OPENROUTER, {("", "requests"): (20, 0, 60.0)}),
        (TOGETHER, {("", "requests"): (60, 57, 1.0), ("m", "tokens"): (180000, 178500, None)}),
        (
            CEREBRAS,
            {("m", "requests_day"): (14400, 14399, 33011.383), ("m", "tokens_minute"): (60000, 60000, 11.38)},
        ),
        (ANTHROPIC, {("m", "requests"): (50, 49, 1.0), ("m", "input_tokens"): (30000, 28000, 4.0)}),
        (SUBSCRIPTION, {("", "unified_5h"): (100, 58, 3600.0), ("", "unified_7d"): (100, 0, 432000.0)}),
        ({"content-type": "application/json"}, {}),
    ],
    ids=["openai", "groq", "openrouter", "together", "cerebras", "anthropic", "subscription", "none"],
)
def test_each_vendors_headers_are_read(
    headers: Mapping[str, str], expected: dict[tuple[str, str], tuple[object, ...]]
) -> None:
    assert learned(headers) == expected
    assert learned(headers, 429) == expected, "a refusal says the same"


@pytest.mark.parametrize("text", ["", "many", "-1", "1e9", "٣", "0x10", "1" * 40, "nan", "inf", "1,000", "12; w=60"])
def test_a_count_that_is_out_of_shape_is_not_said(text: str) -> None:
    assert learned({**OPENAI, "x-ratelimit-remaining-tokens": text})["m", "tokens"] == (30000, None, 360.0)
    assert learned({"x-ratelimit-remaining-tokens": text}) == {}


@pytest.mark.parametrize(
    "text", ["", "soon", "-5", "9" * 15, "2025-11-29", "2025-11-29T15:00:00", "9999-12-31T00:00:00Z"]
)
def test_a_reset_that_is_no_time_is_not_said(text: str) -> None:
    assert learned({**OPENAI, "x-ratelimit-reset-tokens": text})["m", "tokens"] == (30000, 29984, None)


def test_a_refusal_with_nothing_but_retry_after_says_that_nothing_is_left_until_then() -> None:
    assert learned({"retry-after": "20"}, 429) == {("m", "retry_after"): (None, 0, 20.0)}
    assert learned({"retry-after": "Sat, 29 Nov 2025 15:00:30 GMT"}, 429) == {("m", "retry_after"): (None, 0, 30.0)}
    assert learned({"retry-after": "20"}, 503) == {}
    assert ("m", "retry_after") not in learned({**OPENAI, "retry-after": "20"}, 429)


def test_after_the_reset_nobody_knows_what_is_left() -> None:
    quotas = Quotas()
    quotas.learn(head(OPENROUTER))
    key = Key("p", "", "", "requests")
    assert quotas.known(NOW + 59)[key].remaining == 0
    assert quotas.known(NOW + 60)[key] == Quota(20, None, NOW + 60, NOW)


def test_the_latest_word_counts_for_each_limit_by_itself() -> None:
    quotas = Quotas()
    quotas.learn(head(OPENAI))
    quotas.learn(head({**OPENAI, "x-ratelimit-remaining-tokens": "7"}, at=NOW + 1))
    quotas.take([])
    quotas.learn(head({"x-ratelimit-remaining-requests": "3"}, at=NOW + 2))
    known = quotas.known(NOW)
    assert known[Key("p", "", "m", "tokens")].remaining == 7
    assert known[Key("p", "", "m", "requests")] == Quota(None, 3, None, NOW + 2)


def test_of_the_answers_of_a_target_that_wait_together_the_latest_is_read_and_of_refusals_all() -> None:
    quotas = Quotas()
    quotas.learn(head({"retry-after": "20"}, 429))
    quotas.learn(head({}, 429, at=NOW + 2))
    for remaining in "54":
        quotas.learn(head({"x-ratelimit-remaining-tokens": remaining}, at=NOW + 1))
    quotas.learn(head({"x-ratelimit-remaining-tokens": "9"}, model="other"))
    known = quotas.known(NOW)
    assert {(key.model, key.kind): quota.remaining for key, quota in known.items()} == {
        ("m", "retry_after"): 0,
        ("m", "tokens"): 4,
        ("other", "tokens"): 9,
    }


def test_what_is_known_and_what_waits_has_an_end() -> None:
    quotas = Quotas()
    for number in range(MAX_ENTRIES + 50):
        quotas.learn(head({"x-ratelimit-remaining-tokens": "1"}, model=f"m{number}"))
        if number % 100 == 0:
            quotas.take([])
    known = quotas.known(NOW)
    assert len(known) == MAX_ENTRIES
    assert Key("p", "", f"m{MAX_ENTRIES + 49}", "tokens") in known, "the latest stay"
    for number in range(MAX_HEADS + 7):
        quotas.learn(head({"x-ratelimit-remaining-tokens": "2"}, provider="q", model=f"m{number}"))
    assert Key("q", "", f"m{MAX_HEADS}", "tokens") not in quotas.known(NOW)


def test_a_provider_that_is_asked_elsewhere_is_forgotten() -> None:
    quotas = Quotas()
    quotas.learn(head(OPENAI))
    quotas.learn(head(OPENAI, provider="q"))
    quotas.forget(["p"])
    assert {key.provider for key in quotas.known(NOW)} == {"q"}


NAMES = sorted({name for shape in SHAPES for name in (shape.limit, shape.remaining, shape.used, shape.reset) if name})


@given(st.dictionaries(st.sampled_from([*NAMES, "retry-after"]), st.text(max_size=40)), st.sampled_from([200, 429]))
def test_whatever_a_provider_sends_is_read_or_ignored(headers: dict[str, str], status: int) -> None:
    for _, quota in read(head(headers, status)):
        assert quota.limit is None or 0 <= quota.limit <= 10**15
        assert quota.remaining is None or 0 <= quota.remaining <= 10**15
        assert quota.reset_at is None or abs(quota.reset_at - NOW) <= 366 * 86_400
