"""Vectors in both encodings: bit for bit the same, in order, and nothing that is no vector."""

import base64
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.passed import PassedRequest
from gateway.core.provider_failures import InvalidAnswer
from gateway.wires.passed.embeddings import checked, render
from gateway.wires.passed.request import number_of_inputs, parse

FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
VECTORS = st.integers(1, 5).flatmap(
    lambda size: st.lists(st.lists(FLOAT32, min_size=size, max_size=size), min_size=1, max_size=4)
)


def packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def body(vectors: list[object], **more: object) -> bytes:
    rows = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return json.dumps({"object": "list", "data": rows, "model": "m", **more}).encode()


def content(answer: bytes, wanted: int, encoding: str | None) -> bytes:
    found = checked(answer, wanted, encoding)
    assert found is not None
    return found.content


def vectors_of(answer: bytes) -> list[object]:
    return [row["embedding"] for row in json.loads(answer)["data"]]


@given(VECTORS)
def test_both_encodings_hold_the_same_bits(vectors: list[list[float]]) -> None:
    numbers, texts = body([*vectors]), body([packed(vector) for vector in vectors])
    wanted = len(vectors)
    assert content(numbers, wanted, None) is numbers
    assert content(texts, wanted, "base64") is texts
    assert vectors_of(content(numbers, wanted, "base64")) == [packed(vector) for vector in vectors]
    assert vectors_of(content(texts, wanted, "float")) == vectors
    for encoding in ("float", "base64"):
        assert vectors_of(render(vectors, encoding, {})) == vectors_of(content(numbers, wanted, encoding))


@given(VECTORS, st.randoms())
def test_rows_come_back_in_the_order_of_the_inputs(vectors: list[list[float]], random: object) -> None:
    answer = json.loads(body([*vectors]))
    random.shuffle(answer["data"])  # type: ignore[attr-defined]
    assert vectors_of(content(json.dumps(answer).encode(), len(vectors), None)) == vectors


def test_what_else_an_answer_has_stays() -> None:
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    answer = content(body([[0.5]], usage=usage, note={"x": [1.50]}), 1, "base64")
    assert {name: value for name, value in json.loads(answer).items() if name != "data"} == {
        "object": "list",
        "model": "m",
        "usage": usage,
        "note": {"x": [1.5]},
    }


def test_an_encoding_of_a_vendors_own_is_the_vendors_business() -> None:
    answer = body(["AQ==", "AgM="])
    assert content(answer, 2, "ubinary") is answer


@pytest.mark.parametrize(
    "vectors",
    [[[0.5, "x"]], ["AAAAAAA="], ["not base64"], [[]], [""], [[0.5], [0.5, 0.5]], [{}], [1], [None]],
    ids=str,
)
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_what_is_no_vector_is_no_answer(vectors: list[object], encoding: str) -> None:
    with pytest.raises(InvalidAnswer):
        checked(body(vectors), len(vectors), encoding)


def test_a_number_beyond_float32_passes_as_a_number_only() -> None:
    assert content(body([[1e39]]), 1, "float") == body([[1e39]])
    with pytest.raises(InvalidAnswer):
        checked(body([[1e39]]), 1, "base64")


def test_what_has_no_rows_is_left_to_be_read_as_an_error() -> None:
    assert checked(b'{"error": {"message": "busy"}}', 1, None) is None
    assert checked(b"<html>", 1, None) is None


@pytest.mark.parametrize(
    ("given_input", "count"),
    [("text", 1), (["a"], 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2), ([{"image": "x"}, "b"], 2)],
)
def test_an_input_is_a_text_or_a_list_of_tokens(given_input: object, count: int) -> None:
    request: PassedRequest = parse("embeddings", json.dumps({"model": "m", "input": given_input}).encode())
    assert number_of_inputs(request.fields) == count
