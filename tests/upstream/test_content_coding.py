"""Compressed bodies: whatever common coding, however it is cut, and never more at once than a portion."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http1.response_body import ProtocolError
from gateway.upstream.content_coding import PORTION, Decompressor
from tests.support.cases import each_case


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def zipped(data: bytes) -> bytes:
    return gzip.compress(data)


def wrapped(data: bytes) -> bytes:
    return zlib.compress(data)


PACKED = {"gzip": zipped, "x-gzip": zipped, "deflate": wrapped}


def unpacked(decompressor: Decompressor, data: bytes, size: int = 1 << 30) -> bytes:
    """What comes of `data`, fed in pieces of `size` bytes."""
    parts = []
    for at in range(0, len(data), size):
        parts.append(decompressor.feed(data[at : at + size]))
        while decompressor.pending:
            parts.append(decompressor.feed(b""))
    assert all(len(part) <= PORTION for part in parts)
    return b"".join(parts)


@given(st.sampled_from(sorted(PACKED)), st.binary(max_size=2_000), st.integers(1, 300))
def test_a_body_is_unpacked_however_it_is_cut(coding: str, data: bytes, size: int) -> None:
    decompressor = Decompressor(coding)
    assert unpacked(decompressor, PACKED[coding](data), size) == data
    assert decompressor.whole


@given(st.binary(max_size=2_000), st.integers(1, 300))
def test_deflate_without_its_wrapping_is_unpacked_too(data: bytes, size: int) -> None:
    decompressor = Decompressor("deflate")
    assert unpacked(decompressor, bare(data), size) == data
    assert decompressor.whole


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("size", [1 << 30, 1, 1_000])
def test_a_bomb_goes_off_in_portions(coding: str, size: int) -> None:
    decompressor = Decompressor(coding)
    assert len(unpacked(decompressor, PACKED[coding](bytes(20_000_000)), size)) == 20_000_000
    assert decompressor.whole


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=5), st.integers(1, 50))
def test_members_of_gzip_follow_one_another(members: list[bytes], size: int) -> None:
    decompressor = Decompressor("gzip")
    assert unpacked(decompressor, b"".join(map(zipped, members)), size) == b"".join(members)
    assert decompressor.whole


@each_case("coding", ["gzip", "deflate"])
@each_case("size", [1 << 30, 1])
@each_case("rest", [b"\0", b"\0\0\0", b"rest", b"\x1f", b"\x1f\x8c"])
def test_what_follows_the_end_is_passed_over(coding: str, size: int, rest: bytes) -> None:
    decompressor = Decompressor(coding)
    assert unpacked(decompressor, PACKED[coding](b"hello") + rest, size) == b"hello"
    assert decompressor.feed(b"more") == b""
    assert decompressor.whole


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_that_ends_too_early_is_not_whole(coding: str) -> None:
    packed = PACKED[coding](b"hello")
    for end in range(1, len(packed)):
        decompressor = Decompressor(coding)
        decompressor.feed(packed[:end])
        assert not decompressor.whole
    assert Decompressor(coding).whole, "nothing at all is an empty body"


@given(st.sampled_from(["gzip", "deflate"]), st.binary(max_size=100), st.integers(1, 100))
def test_any_bytes_are_unpacked_or_damaged(coding: str, data: bytes, size: int) -> None:
    try:
        unpacked(Decompressor(coding), data, size)
    except ProtocolError as fault:
        assert str(fault) == "its compressed answer is damaged"


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "", "*"])
def test_other_codings_are_refused(coding: str) -> None:
    with pytest.raises(ProtocolError):
        Decompressor(coding)
