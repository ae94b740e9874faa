"""A body of known length is what came, however it was cut, and no byte of what follows it."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.http1.request_body import CountedBody


@given(body=st.binary(min_size=1, max_size=200), following=st.binary(max_size=20), cuts=st.lists(st.integers(1, 50)))
def test_it_takes_its_bytes_and_no_more(body: bytes, following: bytes, cuts: list[int]) -> None:
    reading, rest = CountedBody(len(body)), body + following
    for cut in [*cuts, len(rest)]:
        if reading.completed:
            break
        piece = rest[:cut]
        taken = reading.received(piece)
        rest = rest[taken:]
        assert reading.completed or taken == len(piece)
        assert len(reading) + len(rest) == len(body) + len(following)
    assert reading.completed
    assert (reading.getfile().read(), rest) == (body, following)


def test_what_was_read_can_be_forgotten() -> None:
    reading = CountedBody(3)
    assert reading.received(b"abc") == 3
    reading.close()
    assert reading.getfile().read() == b""
