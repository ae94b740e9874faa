"""Pieces of a call's arguments that only repeat: left out, however the texts were cut."""

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.openai_chat.outbound.tool_call_repairs import ToolCalls

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
objects = st.dictionaries(texts, st.one_of(texts, st.integers(), st.lists(texts, max_size=2)), min_size=1, max_size=3)
places = st.lists(st.integers(0, 200), max_size=5)


def cut(text: str, at: list[int]) -> list[str]:
    edges = [0, *sorted({place % len(text) for place in at} - {0}), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


def joined(pieces: list[str]) -> tuple[str, ToolCalls]:
    """What the caller's client makes of the pieces, with what comes with the finish."""
    calls = ToolCalls()
    out = ""
    for number, piece in enumerate(pieces):
        begun: JsonObject = {"id": "c", "type": "function"} if number == 0 else {}
        name: JsonObject = {"name": "f"} if number == 0 else {}
        fragment: JsonObject = {"index": 0, **begun, "function": {**name, "arguments": piece}}
        calls.repair([fragment])
        out += _arguments(fragment)
    return out + "".join(_arguments(one) for one in calls.without_arguments()), calls


def _arguments(fragment: JsonValue) -> str:
    assert isinstance(fragment, dict)
    function = fragment["function"]
    assert isinstance(function, dict)
    arguments = function["arguments"]
    assert isinstance(arguments, str)
    return arguments


@given(objects, places, st.sampled_from([[], ["{}"], ["", "{}"], ["{}", ""]]))
def test_an_empty_object_before_the_real_one_is_left_out(
    arguments: JsonObject, at: list[int], first: list[str]
) -> None:
    text = json.dumps(arguments)
    out, calls = joined([*first, *cut(text, at)])
    assert out == text and calls.are_whole and not calls.is_open and not calls.contradicts
    assert calls.mended == ("{}" in first)


@given(objects, places, places, st.sampled_from(["", "\n", " "]))
def test_arguments_that_come_twice_are_sent_once(
    arguments: JsonObject, at: list[int], again: list[int], blank: str
) -> None:
    text = json.dumps(arguments)
    out, calls = joined([*cut(text, at), *([blank] if blank else []), *cut(text, again)])
    assert out.strip() == text and not calls.contradicts and calls.mended


@given(objects, objects, places)
def test_two_different_objects_contradict_each_other(first: JsonObject, second: JsonObject, at: list[int]) -> None:
    out, calls = joined([json.dumps(first), *cut(json.dumps(second), at)])
    assert out.strip() == json.dumps(first)
    assert calls.contradicts == (first != second or json.dumps(first) != json.dumps(second))


def test_an_empty_object_that_nothing_follows_stays() -> None:
    assert joined(["{}"])[0] == joined(["", "{}"])[0] == joined([""])[0] == "{}"


@given(objects, st.integers(1, 200))
def test_arguments_that_are_cut_are_open(arguments: JsonObject, place: int) -> None:
    text = json.dumps(arguments)
    _, calls = joined([text[: place % (len(text) - 1) + 1]])
    assert calls.is_open and not calls.are_whole
