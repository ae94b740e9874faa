"""What an event is that is no strict JSON: words that can be read, an error, a loss, the end, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sse import Event, StrayLine
from gateway.wires.second_reading import Reading, read_again

LOST = [
    '{"choices":[{"index":0,"delta":{"content":"of It',
    '{"choices":[{"index":0,"delta":{"content": 7, "x": ',
    '{"choices":[{"index":0,"delta":{"content":',
    "{'choices': [{'delta': {'content': 'of Italy'}}]}",
    '{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f"',
    '{"choices":[{"delta":{"reasoning":"hm',
    '{"choices":[{"delta":{"reasoning_content":"hm',
    '{\\"choices\\":[{\\"delta\\":{\\"content\\":\\"of It',
    '{"candidates":[{"content":{"parts":[{"text":"of It',
    '{"candidates":[{"content":{"parts":[{"functionCall":{"name"',
    '{"type":"content_block_delta","delta":{"type":"text_delta","text":"of It',
    '{"type":"response.output_text.delta","delta":"of It',
    '{"a":1} {"content":"behind',
]
HARMLESS = [
    '{"id":"chatcmpl-x","choi',
    '{"choices":[{"index":0,"delta":{},"finish_rea',
    '{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null,"tool_calls":[],"x":',
    '{"choices":[{"index":0,"delta":{"content":null',
    '{"usage":{"prompt_tokens":1',
    "ping",
    "OK",
    "{broken",
    '"content"',
]
ERRORS = [
    "Internal Server Error",
    "upstream connect error",
    "<html><body>502</body></html>",
    "服务器错误",
    "Request timed out",
]


@pytest.mark.parametrize("data", LOST)
def test_words_that_cannot_be_read_are_lost(data: str) -> None:
    assert read_again(Event(data.encode())).kind == "lost"


@pytest.mark.parametrize("data", HARMLESS)
def test_what_holds_no_words_says_nothing(data: str) -> None:
    assert read_again(Event(data.encode())).kind == "nothing"


@pytest.mark.parametrize("make", [Event, StrayLine])
@pytest.mark.parametrize("data", ERRORS)
def test_trouble_in_words_is_an_error(data: str, make: type[Event]) -> None:
    assert read_again(make(data.encode())).kind == "error"


@pytest.mark.parametrize(
    ("line", "reading"),
    [
        ('error: {"message":"died"}', Reading("error", ({"message": "died"},), '{"message":"died"}')),
        ("Error: died", Reading("error", text="died")),
        ("exception: died", Reading("error", text="died")),
        ("[DONE]", Reading("done")),
        ("x-model: gpt", Reading("nothing")),
    ],
)
def test_a_line_that_belongs_to_no_event(line: str, reading: Reading) -> None:
    assert read_again(StrayLine(line.encode())) == reading


def test_an_event_by_the_name_of_error_is_one_whatever_it_holds() -> None:
    assert read_again(Event(b"went away", "error")) == Reading("error", text="went away")
    assert read_again(Event(b"", "error")).kind == "error"


def test_a_page_is_read_by_its_title() -> None:
    assert read_again(Event(b"<html><title>502 Bad Gateway</title></html>")).error == "502 Bad Gateway"


def test_two_objects_are_two_events_and_the_end_may_stand_behind_them() -> None:
    assert read_again(Event(b'{"a":1}\n{"b":2}\n[DONE]')) == Reading("json", ({"a": 1}, {"b": 2}), done=True)


@given(st.binary(max_size=80), st.sampled_from(["", "error", "message"]))
def test_any_bytes_have_a_reading(data: bytes, kind: str) -> None:
    for event in (Event(data, kind), StrayLine(data, kind)):
        assert read_again(event).kind in ("json", "error", "done", "lost", "nothing")
