"""A head that is read with the latest one in memory: the same comes out as without it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.core.errors import BadHttp, GatewayError
from gateway.http1 import head_memory
from gateway.http1.head_memory import MAX_REMEMBERED, HeadMemory
from gateway.http1.request_head import RequestHead
from gateway.http1.request_reader import UNBOUNDED, parse

START = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
PIECES = [
    *("POST / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n", "POST / HTTP/1.0\r\n", "Host: a\r\n", "host: b\r\n", "X: y\r\n"),
    *("Content-Length: 1\r\n", "Content-Length: 12\r\n", "content-length:  12\r\n", "Content-Length: 007\r\n"),
    *("Content-Length: \r\n", "Content-Length: 1, 2\r\n", "X: Content-Length: 3\r\n", "Content_Length: 4\r\n"),
    *(
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: \xb2\r\n",
        "Content-Length: 9999999999999999999\r\n",
        "5",
        "\r\n",
    ),
]


def told(text: str, memory: HeadMemory | None = None) -> RequestHead | tuple[type, str]:
    """The head, or the error in its place; without notes, which say nothing of it."""
    try:
        return replace((parse if memory is None else memory.read)(text), notes=None)
    except GatewayError as error:
        return type(error), error.message


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), min_size=2, max_size=5))
def test_what_came_before_makes_no_difference(heads: list[str]) -> None:
    memory = HeadMemory()
    for head in heads:
        for text in (f"{head}\r\n", f"POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n"):
            assert told(text, memory) == told(text)


def test_a_head_of_another_length_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = HeadMemory()
    first = memory.read(f"{START}Content-Length: 12\r\nX-A: b\r\n\r\n")
    monkeypatch.setattr(head_memory, "parse", pytest.fail)
    assert memory.read(f"{START}Content-Length: 12\r\nX-A: b\r\n\r\n") is first
    second = memory.read(f"{START}Content-Length: 345\r\nX-A: b\r\n\r\n")
    assert (second.length, second.fields) == (345, {**first.fields, "CONTENT_LENGTH": "345"})
    assert (first.length, first.fields["CONTENT_LENGTH"]) == (12, "12")
    assert memory.read(f"{START}Content-Length: {10**18}\r\nX-A: b\r\n\r\n").length == UNBOUNDED


def test_heads_that_differ_in_their_length_alone_share_their_notes() -> None:
    memory = HeadMemory()
    first = memory.read(f"{START}Content-Length: 12\r\nX-A: b\r\n\r\n")
    assert first.notes == {}
    assert memory.read(f"{START}Content-Length: 345\r\nX-A: b\r\n\r\n").notes is first.notes
    other = memory.read(f"{START}Content-Length: 12\r\nX-A: c\r\n\r\n")
    assert other.notes is not None and other.notes is not first.notes
    assert HeadMemory().read(f"{START}Content-Length: 12\r\nX-A: b\r\n\r\n").notes is not first.notes
    assert memory.read(f"{START}\r\n").notes is None


def test_the_end_of_one_and_the_start_of_the_other_may_not_overlap() -> None:
    memory = HeadMemory()
    memory.read(f"{START}Content-Length: 1\r\n\r\n")
    with pytest.raises(BadHttp):
        memory.read(f"{START}Content-Length: \r\n\r\n")


def test_a_large_head_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = HeadMemory()
    text = f"{START}Content-Length: 1\r\nX: {'y' * MAX_REMEMBERED}\r\n\r\n"
    memory.read(text)
    read: list[str] = []
    monkeypatch.setattr(head_memory, "parse", read.append)
    memory.read(text)
    assert read == [text]
