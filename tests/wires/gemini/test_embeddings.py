"""Embeddings in Gemini's form: what a request becomes, and vectors of unit length."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import InvalidAnswer, UnsupportedByTarget
from gateway.wires.gemini.embeddings import BATCH, parse, render

MODEL = "models/gemini-embedding-001"


def answer(*vectors: list[float], **more: object) -> bytes:
    return json.dumps({"embeddings": [{"values": vector} for vector in vectors], **more}).encode()


@given(st.integers(1, 350))
def test_every_text_is_in_one_call_and_in_its_place(count: int) -> None:
    texts = [f"text {number}" for number in range(count)]
    calls = render({"input": [*texts]}, MODEL)
    requests = [each for body in calls.bodies for each in json.loads(body)["requests"]]
    assert [each["content"]["parts"][0]["text"] for each in requests] == texts
    assert [len(json.loads(body)["requests"]) for body in calls.bodies] == list(calls.sizes)
    assert max(calls.sizes) <= BATCH


def test_a_field_that_google_does_not_have_is_told() -> None:
    calls = render({"input": "a", "user": "u", "input_type": "query", "encoding_format": "float", "model": "x"}, MODEL)
    assert calls.dropped == ("input_type", "user")
    assert calls.tokens > 0


@pytest.mark.parametrize("given_input", [[1, 2], [[1], [2]], ["a", 1], [{"text": "a"}]])
def test_only_texts_can_be_embedded(given_input: list[object]) -> None:
    with pytest.raises(UnsupportedByTarget):
        render({"input": given_input}, MODEL)  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"dimensions": "many"}, "dimensions"),
        ({"extra_body": {"google": {"title": 1}}}, "extra_body.google.title"),
        ({"extra_body": []}, "extra_body"),
    ],
)
def test_a_field_of_the_wrong_type_is_refused(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        render({"input": "a", **fields}, MODEL)  # type: ignore[dict-item]
    assert refused.value.param == param


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=6))
def test_vectors_have_unit_length_or_are_zero(vector: list[float]) -> None:
    (found,) = parse([answer(vector)], [1]).vectors
    length = math.sqrt(math.fsum(number * number for number in found))
    assert length == pytest.approx(1.0, abs=2e-3) or all(abs(number) < 1e-150 for number in vector)


def test_a_vector_of_unit_length_stays_bit_for_bit() -> None:
    vector = [0.6000001, 0.8]
    assert parse([answer(vector)], [1]).vectors == [vector]


def test_the_counts_of_all_calls_are_added_or_there_is_none() -> None:
    counted, uncounted = answer([1.0], usageMetadata={"promptTokenCount": 2}), answer([1.0])
    assert parse([counted, counted], [1, 1]).tokens == 4
    assert parse([counted, uncounted], [1, 1]).tokens is None


@pytest.mark.parametrize(
    "body",
    [answer(), answer([1.0], [1.0]), answer([]), b"{}", b"<html>", b'{"embeddings": [{"values": ["a"]}]}'],
    ids=str,
)
def test_another_answer_is_none(body: bytes) -> None:
    with pytest.raises(InvalidAnswer):
        parse([body], [1])


def test_vectors_of_different_lengths_are_none() -> None:
    with pytest.raises(InvalidAnswer):
        parse([answer([1.0]), answer([1.0, 0.0])], [1, 1])
