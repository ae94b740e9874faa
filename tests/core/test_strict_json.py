"""JSON in and out: strict both ways, and no text that brings the process down."""

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.strict_json import MAX_CONTAINERS, SHORT, JsonFault, JsonObject, JsonValue, as_object, dumps, loads
from tests.support.cases import each_case

SMALLEST, LARGEST = -(2**63), 2**64 - 1

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(SMALLEST, LARGEST), st.floats(allow_nan=False, allow_infinity=False), texts
)


def nested(leaves: st.SearchStrategy[JsonValue], keys: st.SearchStrategy[str]) -> st.SearchStrategy[JsonValue]:
    return st.recursive(
        leaves, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4))
    )


values = nested(scalars, texts)
surrogate_texts = st.text(st.sampled_from('a\ud800\udbff\udc00\udfff\ue000\ufeff\U0001f600\0"\\'), max_size=8)
json_pieces = b'[ ] { } , : " "a" 1 - 0 .5 e9 e999 null true NaN Infinity \\ \\u \\ud800 \\udc00'.split()
odd_pieces = [b" ", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"9" * 19]
json_like = st.lists(st.sampled_from(json_pieces + odd_pieces), max_size=12).map(b"".join)


def strictly(text: bytes) -> JsonValue:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    value: JsonValue = json.loads(text, parse_constant=refuse)
    return value


def arrays(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def objects(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


def mixed(depth: int) -> bytes:
    text = b'[{"a":' * (depth // 2) + b"[]" * (depth % 2) + b"1" * (1 - depth % 2) + b"}]" * (depth // 2)
    assert max(text.count(b"["), text.count(b"{")) == (depth + 1) // 2
    return text


@given(values)
def test_what_is_written_is_read_again(value: JsonValue) -> None:
    assert loads(dumps(value)) == value


@given(nested(st.one_of(scalars, st.floats(), surrogate_texts), surrogate_texts))
def test_everything_written_is_strict_json_in_utf8(value: JsonValue) -> None:
    strictly(dumps(value))
    loads(dumps(value))


@given(st.one_of(st.binary(max_size=30), json_like))
@example(b"")
@example(b'"\xff')
def test_any_bytes_are_read_or_refused_as_a_json_fault(text: bytes) -> None:
    try:
        value = loads(text)
    except JsonFault:
        return
    assert strictly(text.removeprefix(b"\xef\xbb\xbf")) == value


@pytest.mark.parametrize("shape", [arrays, objects, mixed])
@pytest.mark.parametrize("depth", [1, 127, 128])
def test_the_depth_that_is_allowed_is_read(shape: Callable[[int], bytes], depth: int) -> None:
    assert loads(shape(depth)) == json.loads(shape(depth))


@pytest.mark.parametrize("shape", [arrays, objects, mixed])
@pytest.mark.parametrize("depth", [129, 1_000, 100_000])
def test_a_greater_depth_is_refused(shape: Callable[[int], bytes], depth: int) -> None:
    with pytest.raises(JsonFault, match="nested deeper than 128 levels"):
        loads(shape(depth))


def test_brackets_left_open_are_refused_at_any_number() -> None:
    with pytest.raises(JsonFault):
        loads(b"[" * 1_000_000)


def test_many_brackets_side_by_side_or_in_strings_are_no_depth() -> None:
    assert loads(b"[" + b"[],{}," * 500 + b'"' + b"[{" * 500 + b'"]') == [[], {}] * 500 + ["[{" * 500]


@pytest.mark.parametrize("piece", [b"[],", b"{},"])
def test_a_crowd_of_arrays_and_objects_is_refused_before_any_of_it_is_made(piece: bytes) -> None:
    with pytest.raises(JsonFault, match="more than 2000000 arrays and objects"):
        loads(b"[" + piece * MAX_CONTAINERS + b"0]")
    assert loads(b"[" + piece * 1_000 + b"0]") == [*[{} if piece == b"{}," else []] * 1_000, 0]


def test_the_depth_may_be_chosen() -> None:
    assert loads(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(JsonFault, match="deeper than 1 level"):
        loads(b"[[1]]", max_depth=1)


@pytest.mark.parametrize("number", [SMALLEST, LARGEST, 2**63 - 1, 2**63, -1, 0])
def test_integers_of_64_bits_are_kept_exactly(number: int) -> None:
    assert loads(b'{"seed": [%d]}' % number) == {"seed": [number]}


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("digits", [str(LARGEST + 1), "1" * 21, "1" * 400, "1" * 5_000], ids=len)
def test_larger_integers_are_refused(sign: str, digits: str) -> None:
    with pytest.raises(JsonFault, match=r"64 bits|out of range"):
        loads(f'{{"seed": [{sign}{digits}]}}'.encode())


def test_the_first_integers_beyond_64_bits_are_refused() -> None:
    for number in (SMALLEST - 1, LARGEST + 1):
        with pytest.raises(JsonFault, match="64 bits"):
            loads(b"%d" % number)


@each_case("before", range(12))
@each_case("number", [SMALLEST - 1, LARGEST + 1])
def test_a_long_integer_is_found_wherever_it_stands(before: int, number: int) -> None:
    text = b'{"%b":[0,%d]}' % (b"x" * before, number)
    with pytest.raises(JsonFault, match="64 bits"):
        loads(text)
    with pytest.raises(JsonFault, match="64 bits"):
        loads(b'[%b,"%b"]' % (text, b"x" * SHORT))


@pytest.mark.parametrize("depth", [127, 128])
def test_the_depth_counts_in_a_long_text_too(depth: int) -> None:
    text = b'["%b",%b]' % (b"x" * SHORT, arrays(depth))
    if depth == 127:
        assert loads(text) == json.loads(text)
        return
    with pytest.raises(JsonFault, match="nested deeper than 128 levels"):
        loads(text)


def test_long_numbers_that_are_no_integers_are_no_fault() -> None:
    assert loads(b'["12345678901234567890123", 0.12345678901234567890123, 12345678901234567890123e-3]') == [
        "12345678901234567890123",
        0.12345678901234568,
        12345678901234567890.123,
    ]


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        (b"NaN", "invalid character", 0),
        (b"[Infinity]", "invalid character", 1),
        (b"[-Infinity]", "invalid", 2),
        (b"1e400", "a number is out of range", None),
        (b"[1,]", "trailing comma", 3),
        (b"\xef\xbb\xbf[1,]", "trailing comma", 6),
        (b"{'a': 1}", "object keys must be strings", 1),
        (b"{} {}", "trailing characters", 4),
        (b"01", "invalid number", 1),
        (b'"a\nb"', "invalid character", 2),
        (b'"\xff"', "not valid UTF-8", None),
        (b'"\xed\xa0\x80"', "not valid UTF-8", None),
        ('{"a": "é"}'.encode("utf-16"), "invalid character", 0),
        (b'"\\ud800"', "surrogate pair", None),
        (b'"\\udc00"', "surrogate pair", 7),
        (b"", "ends too early", 0),
        (b'{"key": [1, 2', "ends too early", 13),
    ],
)
def test_a_fault_says_what_and_where(text: bytes, message: str, position: int | None) -> None:
    with pytest.raises(JsonFault, match=message) as fault:
        loads(text)
    assert fault.value.position == position


@given(st.text(st.sampled_from("sk-SECRET"), min_size=6, max_size=12), json_like)
def test_a_fault_quotes_no_content(secret: str, rest: bytes) -> None:
    try:
        loads(b'{"%s": "%s", %s %s' % (secret.encode(), secret.encode(), secret.encode(), rest))
    except JsonFault as fault:
        assert secret not in str(fault)


def test_a_byte_order_mark_is_tolerated_once() -> None:
    assert loads(b"\xef\xbb\xbf{}") == {}
    with pytest.raises(JsonFault):
        loads(b"\xef\xbb\xbf\xef\xbb\xbf{}")


def test_of_a_repeated_key_the_last_value_counts() -> None:
    assert dumps(loads(b'{"a": 1, "a": 2}')) == b'{"a":2}'


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("text", ["", "\ud800"], ids=ascii)
def test_a_float_that_is_not_finite_is_written_as_null(number: float, text: str) -> None:
    assert strictly(dumps([text, {"a": number}])) == [text and "�", {"a": None}]


@pytest.mark.parametrize(
    ("text", "written"),
    [("a\ud800b", "a�b"), ("\udc00", "�"), ("\ud83d\ude00", "😀"), ("\ude00\ud83d", "��"), ("\ufeff\ud800", "\ufeff�")],
    ids=ascii,
)
def test_lone_surrogates_are_written_as_the_replacement_character(text: str, written: str) -> None:
    assert strictly(dumps([text, {text: None}])) == [written, {written: None}]


def test_an_object_is_asked_for_by_name() -> None:
    value: JsonObject = {"a": 1}
    assert as_object(value) is value
    others: list[JsonValue] = [None, True, 1, 1.5, "x", [value]]
    for other in others:
        with pytest.raises(JsonFault, match="object was expected"):
            as_object(other)
