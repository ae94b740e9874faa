"""Comments are no life of the answer: they keep a stream alive for three stall times, on a thread and on the relay."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.provider_failures import StreamBroken
from gateway.streaming.relay import Relay
from gateway.streaming.signs_of_life import COMMENT_STALLS, SignsOfLife
from gateway.upstream.byte_stream import Detached
from tests.streaming.test_relay_rules import CarriedStream
from tests.support.many_streams import LIMIT
from tests.test_response_transformer import FINISH, MORE, STALL, Scene, Step

PING = b": ping\n\n"
PINGS: tuple[Step, ...] = (STALL - 1, PING) * 10

comments = st.lists(
    st.sampled_from([b": ping\n\n", b":\n", b"\n", b"\r\n", b": data: {}\r\n\r\n", b": \xe2\x80\xa6\r", b":::\n\n"]),
    min_size=1,
).map(b"".join)
others = st.sampled_from([b"data: {}\n\n", b"event: ping\ndata: {}\n\n", b"data: {", b"id: 1\n\n", b"{}\n", b"x"])


def pieces(whole: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    return [whole[start:end] for start, end in itertools.pairwise(at)]


@given(comments, st.lists(st.integers(0, 200)))
def test_comments_are_comments_however_they_are_cut(whole: bytes, cuts: list[int]) -> None:
    signs = SignsOfLife()
    for piece in pieces(whole, cuts):
        signs.seen(piece)
        assert signs.comments_only


@given(comments, others, st.lists(st.integers(0, 200)))
def test_a_part_of_an_event_is_life(before: bytes, event: bytes, cuts: list[int]) -> None:
    signs = SignsOfLife()
    for piece in pieces(before.rstrip(b"\r\n") + b"\n\n", cuts):
        signs.seen(piece)
    signs.seen(event)
    assert not signs.comments_only


def test_silence_is_counted_from_the_last_event() -> None:
    signs = SignsOfLife()
    assert signs.silence(left=100.0, idle=3.0) == 3.0
    signs.seen(PING)
    assert signs.silence(left=90.0, idle=0.0) == 13.0
    signs.event()
    assert signs.silence(left=90.0, idle=0.0) == 0.0


# A thread for each stream ------------------------------------------------------------------------------------------


def test_comments_keep_a_stream_for_three_stall_times() -> None:
    scene = Scene(*PINGS)
    assert scene.play() == ["a", "error stream_interrupted"]
    assert scene.stream.waits == [STALL, STALL, STALL, COMMENT_STALLS * STALL - 3 * (STALL - 1)]
    assert scene.ended == ("close", StreamBroken)
    assert scene.told[0] is not None and "nothing but comments" in scene.told[0].message


def test_an_event_begins_the_three_stall_times_anew() -> None:
    scene = Scene(*PINGS[:6], MORE, *PINGS[:2], FINISH)
    assert scene.play()[:3] == ["a", "b", "stop"]


def test_an_event_that_comes_in_many_parts_is_life() -> None:
    event = b'data: {"choices": [{"index": 0, "delta": {"content": "long"}}]}\n\n'
    parts = [event[at : at + 12] for at in range(0, len(event), 12)]
    scene = Scene(*(step for part in parts[:4] for step in (STALL - 1, part)), b"".join(parts[4:]), FINISH)
    assert scene.play()[:3] == ["a", "long", "stop"]


def test_after_the_finish_comments_end_as_a_proper_end() -> None:
    scene = Scene(FINISH, *((4.0, PING) * 10))
    assert scene.play() == ["a", "stop", "[DONE]"]


# The relay ---------------------------------------------------------------------------------------------------------


class Pinged(CarriedStream):
    """A stream that tells when the relay has read something."""

    def __init__(self) -> None:
        super().__init__(Scene())
        self.read = threading.Semaphore(0)

    def relayed(self) -> Detached:
        source = self.source()

        def feed(data: bytes) -> bytes:
            self.read.release()
            return data

        return Detached(source.connection, b"", feed, source.ended, source.broken)

    def ping(self, count: int) -> None:
        """So many comments, a little less than a stall time apart."""
        for _ in range(count):
            self.scene.clock.advance(STALL - 1)
            self.provider.sendall(PING)
            assert self.read.acquire(timeout=LIMIT)


@pytest.fixture
def stream() -> Iterator[Pinged]:
    with closing(Pinged()) as made:
        yield made


def test_on_the_relay_too(stream: Pinged) -> None:
    with closing(Relay(stream.scene.clock)) as relay:
        assert relay.reserve()
        relay.add(stream.scene.session, stream.relayed(), stream.outlet)
        stream.provider.sendall(MORE)
        stream.outlet.wait_for(["b"])
        stream.ping(2)
        stream.provider.sendall(MORE)
        stream.outlet.wait_for(["b", "b"])
        stream.ping(2)
        stream.scene.clock.advance(STALL - 1)
        stream.provider.sendall(PING)
        stream.scene.clock.advance(STALL)
        stream.outlet.wait_until_closed()
    assert stream.error is StreamBroken
