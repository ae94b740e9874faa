"""Smooth weighted round-robin: exact shares, evenly mixed, whoever rests in between."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.rotation import Rotation

WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 50), min_size=1)


def chosen(rotation: Rotation[str], weights: dict[str, int], calls: int) -> list[str]:
    found = []
    for _ in range(calls):
        found.append(rotation.order(weights)[0])
        rotation.count(found[-1], weights)
    return found


def test_choices_are_mixed_evenly() -> None:
    assert "".join(chosen(Rotation(), {"a": 5, "b": 1, "c": 1}, 7)) == "aabacaa"  # the example of nginx's commit


@given(WEIGHTS)
def test_every_sum_of_weights_has_the_exact_shares(weights: dict[str, int]) -> None:
    rotation = Rotation[str]()
    for _ in range(2):
        assert Counter(chosen(rotation, weights, sum(weights.values()))) == weights


@given(WEIGHTS, st.integers(1, 200), st.sampled_from("abcdef"), st.integers(0, 200))
def test_who_has_rested_comes_back_without_a_burst(
    weights: dict[str, int], before: int, resting: str, meanwhile: int
) -> None:
    rotation, total = Rotation[str](), sum(weights.values())
    chosen(rotation, weights, before)
    others = {name: weight for name, weight in weights.items() if name != resting}
    if others:
        chosen(rotation, others, meanwhile)
    again = Counter(chosen(rotation, weights, 10 * total))
    assert all(abs(again[name] - 10 * weight) <= len(weights) for name, weight in weights.items())


@given(WEIGHTS, st.integers(0, 100))
def test_what_is_given_back_was_never_counted(weights: dict[str, int], before: int) -> None:
    one, other = Rotation[str](), Rotation[str]()
    chosen(one, weights, before)
    chosen(other, weights, before)
    for name in weights:
        other.count(name, weights)
        other.give_back(name, weights)
    assert chosen(one, weights, 30) == chosen(other, weights, 30)
