"""The memory of calls: it keeps the latest, forgets the oldest, and never grows past its bounds."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.strict_json import JsonObject, dumps
from gateway.wires.reasoning_memory import ReasoningMemory


def signed(signature: str) -> JsonObject:
    """What a vendor attached to a call."""
    return {"vendor": {"signature": signature}} if signature else {}


def size(kept: JsonObject) -> int:
    return len(dumps(kept)) - len(dumps(signed("-"))) + 1 if kept else 0


SIGNED: JsonObject = {"vendor": {"signature": "c2ln", "id": "native-1"}, "other": {"item": ["more"]}}


def test_a_call_is_found_by_its_id() -> None:
    memory = ReasoningMemory()
    memory.keep("call_1", SIGNED)
    assert memory.find("call_1") == SIGNED
    assert memory.find("call_1") == SIGNED, "finding takes nothing away: a history comes with every request"


def test_of_an_unknown_call_nothing_is_known() -> None:
    assert ReasoningMemory().find("call_1") == {}


def test_what_is_kept_last_counts() -> None:
    memory = ReasoningMemory()
    memory.keep("call_1", SIGNED)
    memory.keep("call_1", signed("bmV3"))
    assert memory.find("call_1") == signed("bmV3")


def test_the_oldest_is_forgotten_first() -> None:
    memory = ReasoningMemory(max_calls=2)
    for name in ("a", "b", "c"):
        memory.keep(name, SIGNED)
    assert [memory.find(name) for name in ("a", "b", "c")] == [{}, SIGNED, SIGNED]


@pytest.mark.parametrize("again", ["found", "kept"])
def test_a_call_that_is_asked_for_or_kept_again_is_young(again: str) -> None:
    memory = ReasoningMemory(max_calls=2)
    memory.keep("a", SIGNED)
    memory.keep("b", SIGNED)
    if again == "found":
        memory.find("a")
    else:
        memory.keep("a", SIGNED)
    memory.keep("c", SIGNED)
    assert memory.find("a") == SIGNED
    assert memory.find("b") == {}


def test_long_signatures_push_out_more_than_short_ones() -> None:
    memory = ReasoningMemory(max_bytes=20)
    for name in ("a", "b", "c"):
        memory.keep(name, signed("12345"))  # six each
    memory.keep("d", signed("123456"))
    assert [bool(memory.find(name)) for name in "abcd"] == [False, True, True, True]


def test_what_is_larger_than_the_whole_memory_is_not_kept() -> None:
    memory = ReasoningMemory(max_bytes=20)
    memory.keep("a", signed("A" * 100))
    assert memory.find("a") == {}
    memory.keep("b", SIGNED)
    assert memory.find("b") == SIGNED, "and leaves nothing behind that would count"


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.booleans(), st.builds(signed, st.text("x", max_size=9))),
        max_size=40,
    )
)
def test_it_is_the_latest_calls_that_fit(steps: list[tuple[str, bool, JsonObject]]) -> None:
    """Against a list, youngest last, of which as many from the end are there as fit."""
    memory, model = ReasoningMemory(max_calls=4, max_bytes=25), list[tuple[str, JsonObject]]()
    for name, keeps, told in steps:
        known = dict(model).get(name)
        if keeps:
            memory.keep(name, told)
            model = [*((other, kept) for other, kept in model if other != name), (name, told)]
            while len(model) > 4 or sum(len(other) + size(kept) for other, kept in model) > 25:
                model.pop(0)
        else:
            assert memory.find(name) == (known or {})
            if known is not None:
                model = [*((other, kept) for other, kept in model if other != name), (name, known)]
    for name, told in model:
        assert memory.find(name) == told


def test_threads_may_share_it() -> None:
    memory = ReasoningMemory(max_calls=50)

    def work(worker: int) -> None:
        for number in range(200):
            name = f"{worker}-{number % 20}"
            memory.keep(name, signed(name))
            assert memory.find(name) in ({}, signed(name)), "found or already pushed out, never another's"

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    kept = [f"{worker}-{number}" for worker in range(8) for number in range(20)]
    assert sum(bool(memory.find(name)) for name in kept) == 50
