"""The demo provider's embeddings: the same for the same text, near for shared words, and in OpenAI's shapes."""

import base64
import json
import math
import struct

import pytest

from gateway.core.errors import InvalidRequest, ModelNotFound
from gateway.demo.embeddings import DIMENSIONS, read_embedding_request, render_embeddings, vector_of


def rows(given: object, **fields: object) -> list[object]:
    asked = json.dumps({"model": "demo", "input": given, **fields}).encode()
    answer = render_embeddings(read_embedding_request(asked))
    data = answer["data"]
    assert isinstance(data, list)
    assert [row["index"] for row in data] == [*range(len(data))]
    return [row["embedding"] for row in data]


def nearness(one: str, other: str) -> float:
    return math.fsum(a * b for a, b in zip(vector_of(one, 64), vector_of(other, 64), strict=True))


def test_texts_with_shared_words_are_near() -> None:
    assert nearness("the cat sat", "The  cat sat") == pytest.approx(1.0)
    assert nearness("the cat sat down", "the cat ran away") > nearness("the cat sat down", "taxes are due") + 0.2


@pytest.mark.parametrize("size", [1, 32, 33, 64, 1024])
def test_vectors_have_unit_length_in_every_size(size: int) -> None:
    (vector,) = rows("a few words", dimensions=size)
    assert isinstance(vector, list)
    assert len(vector) == size
    assert math.fsum(number * number for number in vector) == pytest.approx(1.0)


def test_both_encodings_hold_the_same() -> None:
    (numbers,), (text,) = rows("words"), rows("words", encoding_format="base64")
    assert isinstance(numbers, list)
    assert isinstance(text, str)
    assert struct.unpack(f"<{DIMENSIONS}f", base64.b64decode(text)) == pytest.approx(numbers)


@pytest.mark.parametrize(("given", "count"), [("a", 1), (["a", "b"], 2), ([1, 2], 1), ([[1], [2, 3]], 2)])
def test_each_input_gets_a_vector(given: object, count: int) -> None:
    assert len(rows(given)) == count


@pytest.mark.parametrize("given", ["", [], [""], ["a", " "], [[]], ["x"] * 2049, 1, None])
def test_no_text_or_too_many_are_refused(given: object) -> None:
    with pytest.raises(InvalidRequest):
        rows(given)


def test_a_model_that_it_does_not_have_is_not_found() -> None:
    with pytest.raises(ModelNotFound):
        rows("a", model="other")
