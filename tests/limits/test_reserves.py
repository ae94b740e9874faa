"""What a call takes before anyone has counted: the rule, the reserve, and what a target's answers teach."""

import pytest

from gateway.core.answer import Usage
from gateway.core.request import Media, Message, Prompt, Text, Tool
from gateway.core.token_estimate import rough_estimate, tokens_by_bytes
from gateway.limits.token_reserves import MAX_TARGETS, RequestSize, TokenReserves


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("a" * 400, 100), ("가나다라마", 6), ("naïve café", 3)]
)
def test_a_text_counts_by_its_bytes(text: str, tokens: int) -> None:
    assert tokens_by_bytes(text) == tokens


def test_messages_images_and_tools_count() -> None:
    prompt = Prompt(
        (
            Message("user", (Text("a" * 40), Media("image", uri="https://x.example/a.png"))),
            Message("system", (Text("b"),)),
        ),
        tools=(Tool("look", "d" * 36, {"type": "object"}),),
    )
    assert rough_estimate(prompt) == (4 + 10 + 800) + (4 + 1) + 15


def test_without_any_answer_256_tokens_are_kept_for_the_output() -> None:
    reserves = TokenReserves()
    assert reserves.of("a/m", RequestSize(100, None)) == 356
    assert reserves.of("a/m", RequestSize(100, 50)) == 150
    assert reserves.of("a/m", RequestSize(0, 0)) == 1


def test_a_target_teaches_its_ratio_and_twice_its_mean_output() -> None:
    reserves = TokenReserves()
    for completion in (300, 500):
        reserves.learn("a/m", RequestSize(100, None), Usage(150, completion))
    assert reserves.of("a/m", RequestSize(100, None)) == 150 + 800
    assert reserves.of("b/m", RequestSize(100, None)) == 356, "each target has its own"


@pytest.mark.parametrize(("actual", "input_tokens"), [(1, 50), (1_000, 200)])
def test_the_ratio_stays_between_a_half_and_two(actual: int, input_tokens: int) -> None:
    reserves = TokenReserves()
    reserves.learn("a/m", RequestSize(100, None), Usage(actual, 0))
    assert reserves.of("a/m", RequestSize(100, 0)) == input_tokens


def test_only_the_last_50_answers_count() -> None:
    reserves = TokenReserves()
    reserves.learn("a/m", RequestSize(100, None), Usage(200, 10_000))
    for _ in range(50):
        reserves.learn("a/m", RequestSize(100, None), Usage(100, 200))
    assert reserves.of("a/m", RequestSize(100, None)) == 100 + 400


def test_of_too_many_targets_the_one_that_was_asked_longest_ago_is_forgotten() -> None:
    reserves = TokenReserves()
    for number in range(MAX_TARGETS):
        reserves.learn(f"a/{number}", RequestSize(100, None), Usage(200, 0))
    assert reserves.of("a/0", RequestSize(100, 0)) == 200
    reserves.learn("a/more", RequestSize(100, None), Usage(200, 0))
    assert reserves.of("a/0", RequestSize(100, 0)) == 200
    assert reserves.of("a/1", RequestSize(100, 0)) == 100
