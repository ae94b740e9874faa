"""The second reading of JSON: what strict reading refuses is read as far as its words go, and nothing is raised."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.lenient_json import LONGEST_KEPT, loads_all
from gateway.core.strict_json import MAX_CONTAINERS, JsonValue, dumps

values: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
containers = values.filter(lambda value: isinstance(value, list | dict))


@pytest.mark.parametrize(
    ("text", "found", "rest"),
    [
        (b'{"a":NaN,"b":-Infinity,"c":Infinity}', [{"a": None, "b": None, "c": None}], b""),
        (
            b'{"a":nan,"b":None,"c":True,"d":undefined,"e":-inf}',
            [{"a": None, "b": None, "c": True, "d": None, "e": None}],
            b"",
        ),
        (b'{"a":1e999}', [{"a": None}], b""),
        (b'{"a":"x\ny\x01"}', [{"a": "x\ny\x01"}], b""),
        (b'{"a":"x\xff"}', [{"a": "x\ufffd"}], b""),
        (b'{"a":"\\ud83d"}', [{"a": "\ud83d"}], b""),
        (b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}', [{"a": "\ud83d\ude00"}], b""),
        (b'{"a":[1,],}', [{"a": [1]}], b""),
        (b'{"a":1}\n{"b":2}', [{"a": 1}, {"b": 2}], b""),
        (b'{"a":1}data: {"b":2}', [{"a": 1}, {"b": 2}], b""),
        (b'{"a":1}\n[DONE]', [{"a": 1}], b"[DONE]"),
        (b'{"a":1}}', [{"a": 1}], b"}"),
        (b'{"a":1}<EOT>', [{"a": 1}], b"<EOT>"),
        (b'\xef\xbb\xbf{"a":1}', [{"a": 1}], b""),
        (b'{"a":"x', [], b'{"a":"x'),
        (b"[" * 200, [], b"[" * 200),
        (b"[DONE]", [], b"[DONE]"),
        (b"", [], b""),
    ],
)
def test_it_reads_as_far_as_the_words_go(text: bytes, found: list[JsonValue], rest: bytes) -> None:
    assert loads_all(text) == (found, rest)


def test_an_integer_of_any_size_keeps_its_digits() -> None:
    digits = "9" * 30
    ((value,), _) = loads_all(b'{"a":%b}' % digits.encode())
    assert isinstance(value, dict) and type(value["a"]).__name__ == "Raw"
    assert dumps(value) == b'{"a":%b}' % digits.encode()
    ((value,), _) = loads_all(b'{"a":%b}' % (b"9" * (LONGEST_KEPT + 1)))
    assert value == {"a": None}


def test_a_text_of_brackets_is_not_read() -> None:
    text = b"[]," * (MAX_CONTAINERS // 2) + b"[[["
    assert loads_all(text + b"[" * MAX_CONTAINERS) == ([], text + b"[" * MAX_CONTAINERS)


@given(st.lists(containers, min_size=1, max_size=3))
def test_sound_values_behind_each_other_are_read_as_they_are(found: list[JsonValue]) -> None:
    assert loads_all(b"\n".join(map(dumps, found))) == (found, b"")


@given(st.one_of(st.binary(max_size=60), containers.map(lambda value: dumps(value)[:-1])))
def test_any_bytes_are_read_or_handed_back(text: bytes) -> None:
    found, rest = loads_all(text)
    assert found or len(rest) >= len(text.lstrip()) - 8 or not text.strip()
    json.dumps([value for value in found if not isinstance(value, msgspec.Raw)], default=str)
