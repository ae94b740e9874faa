"""Bodies that are JSON only to do harm, or not quite JSON: each parser on the way must read the same, or none may.

What the reader itself does with them is told in tests/core/test_strict_json.py; here they come over the socket.
"""

import codecs
import json
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.strict_json import MAX_CONTAINERS, MAX_DEPTH
from tests.security.hostile import Scene, check_reply, refused, scene, strict

BODY = b'{"model": "oa", "messages": [{"role": "user", "content": "hi"}], "x": %b}'
OPENED = 1
"""Brackets around `x`."""
PIECES = (
    b'{"model": "oa", "messages": [{"role": "user", "content": "hi"}]',
    b'{"model": "gm", "messages": [{"role": "user", "content": "hi"}]',
    b', "stream": true',
    b', "x": ',
    *b'{ } [ ] , : "a" \\ \\ud800 \\u0000 1 -0 .5 e9 1e400 NaN -Infinity true null \xff \xef\xbb\xbf \x00'.split(b" "),
    b"9" * 30,
)


@pytest.fixture(scope="module")
def one() -> Iterator[Scene]:
    with scene() as found:
        yield found


def nested(depth: int, kind: str) -> bytes:
    if kind == "mixed":
        return b'[{"a":' * (depth // 2) + b"[]" * (depth % 2) + (b"1" if depth % 2 == 0 else b"") + b"}]" * (depth // 2)
    opening, inner, closing = (b"[", b"", b"]") if kind == "arrays" else (b'{"a":', b"{}", b"}")
    rest = depth - (kind == "objects")
    return opening * rest + inner + closing * rest


@pytest.mark.parametrize("kind", ["arrays", "objects", "mixed"])
@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 100_000])
def test_the_depth_of_a_request_has_one_limit_for_every_kind(one: Scene, depth: int, kind: str) -> None:
    one.forget()
    reply = one.gateway.post(BODY % nested(depth - OPENED, kind))
    if depth <= MAX_DEPTH:
        assert reply.status_code == 200
        assert strict(one.openai.requests[0].body)["x"] == json.loads(nested(depth - OPENED, kind))
    else:
        assert (reply.status_code, refused(reply)["param"]) == (400, "body")
        assert one.openai.requests == []


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_brackets_that_are_never_closed_are_refused(one: Scene, opening: bytes) -> None:
    assert refused(one.gateway.post(opening * 100_000))["param"] == "body"


def test_a_crowd_of_brackets_is_refused(one: Scene) -> None:
    assert refused(one.gateway.post(BODY % (b"[" + b"{}," * MAX_CONTAINERS + b"0]")))["param"] == "body"


@pytest.mark.parametrize(
    "number",
    [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e400",
        b"-1e400",
        b"1" * 5_000,
        b"-" + b"1" * 5_000,
        b"18446744073709551616",
        b"-9223372036854775809",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x10",
        b"1_000",
    ],
    ids=lambda number: number[:22].decode(),
)
def test_a_number_that_readers_take_for_different_things_is_refused(one: Scene, number: bytes) -> None:
    one.forget()
    for place in (b"[%b]" % number, b'{"a": %b}' % number, number):
        reply = one.gateway.post(BODY % place)
        assert (reply.status_code, refused(reply)["param"]) == (400, "body")
    assert one.openai.requests == []


@pytest.mark.parametrize("number", [b"18446744073709551615", b"-9223372036854775808", b"1e300", b"-0.0", b"1E-400"])
def test_any_other_number_is_sent_on_as_it_was_read(one: Scene, number: bytes) -> None:
    one.forget()
    assert one.gateway.post(BODY % number).status_code == 200
    assert strict(one.openai.requests[0].body)["x"] == json.loads(number)


@pytest.mark.parametrize(
    "body",
    [
        BODY % b'"\xff"',
        BODY % b'"\xc0\x80"',
        BODY % b'"\xed\xa0\x80"',
        BODY % b'"\xf5\x80\x80\x80"',
        BODY % b'"\\ud800"',
        BODY % b'"\\udc00\\ud800"',
        BODY % b'{"\\ud800": 1}',
        BODY % b'"\x00"',
        BODY % b'"\x1f"',
        BODY % b'"a\nb"',
        BODY % b"1" + b"\x00",
        BODY % b"1" + b"{}",
        b"\x00" + BODY % b"1",
        codecs.BOM_UTF8 * 2 + BODY % b"1",
        (BODY % b"1").decode().encode("utf-16"),
        (BODY % b"1").decode().encode("utf-16-be"),
        (BODY % b"1").decode().encode("utf-32"),
        BODY % b"1 // a comment\n",
        BODY % b"/* */ 1",
        BODY % b"1,",
        BODY % b"[1,]",
        BODY % b"'x'",
        BODY.replace(b'"x"', b"x") % b"1",
        b")]}',\n" + BODY % b"1",
    ],
    ids=lambda body: ascii(body[-22:]),
)
def test_a_text_that_is_not_quite_json_is_refused(one: Scene, body: bytes) -> None:
    one.forget()
    reply = one.gateway.post(body)
    assert (reply.status_code, refused(reply)["param"]) == (400, "body")
    assert one.openai.requests == []


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (codecs.BOM_UTF8 + BODY % b'"x"', "x"),
        (BODY % b'"\\u0000\\u001b\\u2028"', "\x00\x1b\u2028"),
        (BODY % b'"\\ud83d\\ude00"', "\U0001f600"),
        (BODY % '"\U0001f600\ufeff\u202e"'.encode(), "\U0001f600\ufeff\u202e"),
        (b" \r\n\t" + BODY % b"1" + b" \r\n", 1),
    ],
    ids=ascii,
)
def test_an_odd_text_that_is_json_is_sent_on_as_it_was_read(one: Scene, body: bytes, value: object) -> None:
    one.forget()
    assert one.gateway.post(body).status_code == 200
    assert strict(one.openai.requests[0].body)["x"] == value


def test_of_a_repeated_key_only_the_value_that_was_checked_is_sent_on(one: Scene) -> None:
    """Another reader might take the first: then what was looked at here is not what is done there."""
    one.forget()
    twice = b'{"model": "nobody", "api_base": "http://evil.example", "messages": 7, '
    reply = one.gateway.post(twice + b'"api_base": null, ' + (BODY % b'{"a": 1, "a": 2}')[1:])
    assert reply.status_code == 200
    sent = one.openai.requests[0].body
    assert b"evil" not in sent and b"nobody" not in sent and sent.count(b'"model"') == 1
    assert strict(sent)["x"] == {"a": 2}
    hidden = one.gateway.post((BODY % b"1")[:-1] + b', "api_base": null, "\\u0061pi_base": "http://evil.example"}')
    assert refused(hidden)["param"] == "api_base"


@given(body=st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=8).map(b"".join))
@example(BODY % b'"\xed\xa0\x80"')
@example(BODY.replace(b'"oa"', b'"gm"') % b'{"\\u0000": [[]]}')
def test_no_bytes_for_a_request_bring_anything_but_a_strict_reply(one: Scene, body: bytes) -> None:
    reply = one.gateway.post(body)
    check_reply(reply)
    assert reply.status_code in (200, 400)
    for request in (*one.openai.requests, *one.gemini.requests):
        strict(request.body)
    one.forget()
