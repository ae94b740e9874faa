"""Messages between parent and worker: they come out as they went in, however the bytes are cut, and within limits."""

import socket
from collections.abc import Sequence
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.workers.channel import MAX_UNSENT, Channel, Ended
from gateway.workers.messages import MAX_LINE, PIECE, Broken, Message, MessageReader, lines
from gateway.workers.siblings import MAX_BODY

MESSAGES = st.builds(
    Message,
    st.sampled_from(["ask", "answer", "reply", "state"]),
    st.integers(0, 1 << 40),
    st.text(max_size=20),
    st.integers(-2, 15),
    st.floats(0, 60),
    st.binary(max_size=200) | st.integers(PIECE - 1, 3 * PIECE).map(lambda length: b"\n" * length),
)


@given(st.lists(MESSAGES, max_size=5), st.lists(st.integers(1, MAX_LINE), min_size=1))
def test_they_come_out_as_they_went_in_wherever_the_bytes_are_cut(sent: list[Message], cuts: Sequence[int]) -> None:
    data = b"".join(line for message in sent for line in lines(message))
    came: list[Message] = []
    reader, turn = MessageReader(), 0
    while data:
        length = cuts[turn % len(cuts)]
        came += reader.feed(data[:length])
        data, turn = data[length:], turn + 1
    assert came == sent


def test_no_line_is_longer_than_the_limit() -> None:
    longest = Message("question", 1 << 60, "t" * 100, 15, 60.0, b"\xff" * (3 * PIECE + 1))
    written = list(lines(longest))
    assert len(written) == 4
    assert max(map(len, written)) <= MAX_LINE


def test_a_body_that_is_too_long_is_not_sent_and_not_taken() -> None:
    with pytest.raises(ValueError, match="too long"):
        list(lines(Message("ask", body=b"x" * (MAX_BODY + 1))))
    reader = MessageReader()
    piece = next(lines(Message("ask", body=b"x" * (PIECE + 1))))
    for _ in range(MAX_BODY // PIECE):
        assert list(reader.feed(piece)) == []
    with pytest.raises(Broken, match="a body is too long"):
        list(reader.feed(piece))


@pytest.mark.parametrize("data", [b"\n", b"{}\n", b'{"kind":"no such"}\n', b"x" * (MAX_LINE + 1)])
def test_what_is_no_message_breaks_the_connection(data: bytes) -> None:
    with pytest.raises(Broken):
        list(MessageReader().feed(data))


class TestAChannel:
    def test_an_end_that_does_not_read_is_given_up(self) -> None:
        ours, theirs = socket.socketpair()
        with closing(Channel(ours)) as channel, theirs:
            big = Message("reply", body=b"x" * MAX_BODY)
            for _ in range(MAX_UNSENT * 3 // (MAX_BODY * 4)):  # as base64 a body is a third longer
                channel.send(big)
            with pytest.raises(Ended, match="does not read"):
                channel.send(big)
            assert channel.unsent

    def test_what_an_end_said_before_it_was_closed_is_heard_whatever_it_was_sent(self) -> None:
        ours, theirs = socket.socketpair()
        with closing(Channel(ours)) as channel:
            channel.send(Message("drain"))
            with closing(Channel(theirs)) as other:
                other.send(Message("left", 1))
            for _ in range(3):
                channel.send(Message("state"))
            assert not channel.unsent
            assert list(channel.receive()) == [Message("left", 1)]
            with pytest.raises(Ended):
                list(channel.receive())

    def test_without_anything_to_read_nothing_has_come(self) -> None:
        ours, theirs = socket.socketpair()
        with closing(Channel(ours)) as channel, theirs:
            assert list(channel.receive()) == []
