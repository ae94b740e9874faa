"""What is kept of answers, for how long, and how much it costs."""

import sys
from typing import Any

import pytest

from gateway.core.response_store import MAX_RESPONSES, Conversation, Limits, ResponseStore, Turn

DAY = 24 * 3600.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> ResponseStore:
    return ResponseStore(clock)


def entry(id: str, text: str = "x") -> dict[str, Any]:
    return {"id": id, "text": text}


def turn(id: str, *before: dict[str, Any], text: str = "x", client: str = "", previous: str = "") -> Turn:
    """An answer to one new entry; `before`: those that came from the answer before."""
    return Turn(
        id,
        client,
        "p",
        [*before, entry(f"in_{id}", text)],
        [entry(f"out_{id}", text)],
        {"id": id, "status": "completed"},
        {"instructions": "Be kind."},
        previous,
        len(before),
    )


def knows(store: ResponseStore, id: str, client: str) -> bool:
    """Whether a client can use the answer."""
    return store.conversation(id, client) is not None


def chain(store: ResponseStore, length: int, text: str = "x") -> None:
    """Answers "0" to `length - 1`, each building on the one before."""
    for number in range(length):
        previous = str(number - 1) if number else ""
        before = store.conversation(previous, "") if previous else None
        store.keep(turn(str(number), *(before.entries if before else ()), text=text, previous=previous))


def test_an_answer_comes_back_as_it_was(store: ResponseStore) -> None:
    store.keep(turn("a"))
    assert store.response("a", "") == {
        "id": "a",
        "status": "completed",
        "instructions": "Be kind.",
        "output": [entry("out_a")],
    }
    assert store.input("a", "") == [entry("in_a")]
    assert store.entries(["out_a"], "") == {"out_a": entry("out_a")}
    assert store.entries(["in_a"], "") == {"in_a": entry("in_a")}
    assert not store.entries(["out_b"], "")


def test_a_conversation_is_all_that_was_said(store: ResponseStore) -> None:
    chain(store, 3)
    ids = ["in_0", "out_0", "in_1", "out_1", "in_2", "out_2"]
    assert store.conversation("2", "") == Conversation("p", [entry(id) for id in ids])
    assert store.input("2", "") == [entry(id) for id in ids[:-1]]


def test_another_client_sees_nothing(store: ResponseStore) -> None:
    store.keep(turn("a", client="one"))
    assert store.response("a", "two") is None
    assert store.conversation("a", "two") is None
    assert store.input("a", "two") is None
    assert not store.entries(["out_a"], "two")
    assert not store.delete("a", "two")
    assert knows(store, "a", "one")


def test_a_deleted_answer_is_gone_and_those_that_build_on_it_stay_whole(store: ResponseStore) -> None:
    chain(store, 3)
    assert store.delete("1", "")
    assert not knows(store, "1", "")
    found = store.conversation("2", "")
    assert found is not None
    assert len(found.entries) == 6


def test_where_the_answer_before_is_gone_the_whole_conversation_is_kept(store: ResponseStore) -> None:
    store.keep(turn("a"))
    before = store.conversation("a", "")
    assert before is not None
    store.delete("a", "")
    store.keep(turn("b", *before.entries, previous="a"))  # type: ignore[arg-type]
    found = store.conversation("b", "")
    assert found is not None
    assert [each["id"] for each in found.entries if isinstance(each, dict)] == ["in_a", "out_a", "in_b", "out_b"]


def test_answers_are_forgotten_after_a_day(store: ResponseStore, clock: Clock) -> None:
    store.keep(turn("a"))
    clock.now = DAY - 1
    assert knows(store, "a", "")
    clock.now = DAY
    assert not knows(store, "a", "")


def test_a_new_answer_makes_room_of_what_is_too_old(store: ResponseStore, clock: Clock) -> None:
    store.keep(turn("a"))
    clock.now = DAY
    store.keep(turn("b"))
    assert store.bytes < 2 * 1_500


def test_past_the_limit_the_least_recently_used_goes_first(clock: Clock) -> None:
    store = ResponseStore(clock, Limits(bytes=40_000))
    for name in "abc":
        store.keep(turn(name, text="x" * 5_000))
    assert knows(store, "a", "")  # used: the others are older now
    store.keep(turn("d", text="x" * 5_000))
    assert [name for name in "abcd" if knows(store, name, "")] == ["a", "c", "d"]
    assert store.bytes <= 40_000


def test_a_conversation_that_is_too_large_is_not_kept(clock: Clock) -> None:
    store = ResponseStore(clock, Limits(bytes=10_000))
    store.keep(turn("a", text="x" * 20_000))
    assert not knows(store, "a", "")
    assert store.bytes == 0


def test_no_more_answers_than_the_limit(store: ResponseStore) -> None:
    for number in range(MAX_RESPONSES + 1):
        store.keep(turn(str(number)))
    assert not knows(store, "0", "")
    assert knows(store, "1", "")


def test_zero_bytes_keep_nothing(clock: Clock) -> None:
    store = ResponseStore(clock, Limits(bytes=0))
    store.keep(turn("a"))
    assert not knows(store, "a", "")
    assert not store.is_on


def test_other_limits_hold_from_then_on(store: ResponseStore) -> None:
    store.keep(turn("a"))
    store.configure(Limits(bytes=0))
    assert not knows(store, "a", "")


def test_a_chain_costs_no_more_than_twice_its_texts(store: ResponseStore) -> None:
    text = "word " * 500
    chain(store, 200, text)
    texts = 200 * 2 * sys.getsizeof(text)
    assert store.bytes <= 2 * texts
    found = store.conversation("199", "")
    assert found is not None
    assert len(found.entries) == 400


def test_all_bytes_are_given_back(store: ResponseStore) -> None:
    chain(store, 5)
    for number in (2, 4, 0, 1, 3):
        assert store.delete(str(number), "")
    assert store.bytes == 0
    assert not store.entries(["out_0"], "")
