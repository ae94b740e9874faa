"""Our own client beside requests: what a provider answers is told the same by both, and so is what fails.

Where they differ on purpose, it is because ours is stricter: `DIFFERENT` says in what.
"""

import gzip
import itertools
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.provider_failures import ConnectionFailed, InvalidAnswer, ProviderFailure
from gateway.upstream.transport import Transport
from tests.support.transports import BOTH, everything, forever, open_stream
from tests.support.upstream_script import Cut, ScriptedUpstream, Send

LIMIT = 100_000
OURS = ("content-type", "retry-after", "x-request-id", "x-ratelimit-left", "x-many", "x-odd", "content-encoding")
"""Headers that somebody reads or passes on."""


@dataclass(frozen=True)
class Told:
    """What a transport tells of an answer: these, or the type of its failure and where it failed."""

    status: int = 0
    headers: tuple[tuple[str, str | None], ...] = ()
    body: bytes = b""
    failure: type | None = None
    in_body: bool = False


def tell(up: ScriptedUpstream, pieces: Sequence[bytes]) -> dict[str, Told]:
    """What each tells of an answer that comes in these pieces and ends with the connection."""
    told = {}
    for name, opened in BOTH.items():
        up.plays(*map(Send, pieces), Cut())
        with closing(opened(up.base_url)) as transport:  # of its own: a kept connection would be closing by now
            told[name] = told_by(transport, up)
    return told


def told_by(transport: Transport, up: ScriptedUpstream) -> Told:
    try:
        stream = open_stream(transport, up)
    except ProviderFailure as failure:
        return Told(failure=type(failure))
    headers = tuple((name, stream.headers.get(name)) for name in OURS)
    try:
        body = stream.read_all(LIMIT, forever())
    except ProviderFailure as failure:
        return Told(stream.status, headers, failure=type(failure), in_body=True)
    finally:
        stream.close()
    return Told(stream.status, headers, body)


@pytest.fixture(scope="module")
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


def same(up: ScriptedUpstream, *pieces: bytes) -> Told:
    told = tell(up, pieces)
    assert told["direct"] == told["requests"]
    return told["direct"]


def head(status: str = "200 OK", *fields: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"HTTP/{version} {status}", *fields, "", ""]).encode("latin-1")


HELLO = b"5\r\nhello\r\n0\r\n\r\n"

ANSWERS = {
    "length": head("200 OK", "Content-Length: 5") + b"hello",
    "chunked": head("200 OK", "Transfer-Encoding: chunked") + HELLO,
    "chunked-any-case": head("200 OK", "transfer-encoding: Chunked") + HELLO,
    "chunk-extension": head("200 OK", "Transfer-Encoding: chunked") + b"5;a=b\r\nhello\r\n0;c\r\n\r\n",
    "trailer": head("200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\nX-Many: no\r\n\r\n",
    "trailer-cut": head("200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n",
    "close": head("200 OK", "Connection: close") + b"hello",
    "close-unsaid": head() + b"hello",
    "http-1.0": head("200 OK", version="1.0") + b"hello",
    "http-1.0-length": head("200 OK", "Content-Length: 5", version="1.0") + b"hello more",
    "both-framings": head("200 OK", "Content-Length: 3", "Transfer-Encoding: chunked") + HELLO,
    "length-twice": head("200 OK", "Content-Length: 5", "Content-Length: 5") + b"hello",
    "longer-than-it-says": head("200 OK", "Content-Length: 3") + b"hello",
    "empty": head("200 OK", "Content-Length: 0"),
    "no-content": head("204 No Content"),
    "no-content-but-length": head("204 No Content", "Content-Length: 5"),
    "not-modified": head("304 Not Modified", "Content-Length: 5"),
    "redirect": head("307 Temporary Redirect", "Location: http://elsewhere.invalid/", "Content-Length: 5") + b"moved",
    "continue": head("100 Continue") + head("200 OK", "Content-Length: 5") + b"hello",
    "line-feeds": head("200 OK", "X-Odd: 1", "Content-Length: 5").replace(b"\r\n", b"\n") + b"hello",
    "no-reason": head("200", "Content-Length: 5") + b"hello",
    "strange-status": head("799 What", "Content-Length: 5") + b"hello",
    "repeated-field": head("200 OK", "X-Many: a", "x-many: b", "X-MANY: c, d", "Content-Length: 0"),
    "latin-1": head("200 OK", "X-Odd: \xe9t\xe9", "Content-Length: 0"),
    "empty-field": head("200 OK", "X-Odd:", "Content-Length: 0"),
    "spaces": head("200 OK", "X-Odd: \t a  b", "Content-Length: 0"),
    "limited": head("429 Too Many", "Retry-After: 7", "X-RateLimit-Left: 0", "Content-Length: 2") + b"{}",
    "error": head("500 Oops", "X-Request-Id: r-1", "Content-Type: text/html", "Content-Length: 3") + b"<p>",
    "gzip": head("200 OK", "Content-Encoding: gzip") + gzip.compress(b"hello"),
    "gzip-members": head("200 OK", "Content-Encoding: x-gzip") + gzip.compress(b"hel") + gzip.compress(b"lo"),
    "deflate": head("200 OK", "Content-Encoding: deflate") + zlib.compress(b"hello"),
    "deflate-bare": head("200 OK", "Content-Encoding: deflate") + zlib.compress(b"hello")[2:-4],
    "identity": head("200 OK", "Content-Encoding: identity", "Content-Length: 5") + b"hello",
    "as-much-as-the-limit": head("200 OK", f"Content-Length: {LIMIT}") + bytes(LIMIT),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_both_tell_the_same_of_an_answer(up: ScriptedUpstream, answer: bytes) -> None:
    told = same(up, answer)
    assert told.failure is None
    assert told.body in (b"", b"hello", b"hel", b"moved", b"{}", b"<p>", bytes(LIMIT))


FAULTS = {
    "nothing": b"",
    "not-http": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "no-status": head("abc OK"),
    "long-field": head("200 OK", "X-Odd: " + "x" * 70_000),
    "many-fields": head("200 OK", *["X-Odd: y"] * 200),
    "two-lengths": head("200 OK", "Content-Length: 5", "Content-Length: 6") + b"hello",
}
BREAKS = {
    "short": head("200 OK", "Content-Length: 6") + b"hello",
    "no-chunk": head("200 OK", "Transfer-Encoding: chunked"),
    "cut-chunk": head("200 OK", "Transfer-Encoding: chunked") + b"5\r\nhel",
    "cut-after-data": head("200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello",
    "cut-between-chunks": head("200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
    "no-size": head("200 OK", "Transfer-Encoding: chunked") + b"hello\r\n",
    "not-gzip": head("200 OK", "Content-Encoding: gzip") + b"this is not gzip",
    "not-deflate": head("200 OK", "Content-Encoding: deflate") + b"this is not deflate",
    "bomb": head("200 OK", "Content-Encoding: gzip") + gzip.compress(bytes(5_000_000)),
    "more-than-the-limit": head("200 OK", f"Content-Length: {LIMIT + 1}") + bytes(LIMIT + 1),
}


@pytest.mark.parametrize("answer", FAULTS.values(), ids=FAULTS)
def test_both_fail_to_reach_one_who_answers_nonsense(up: ScriptedUpstream, answer: bytes) -> None:
    assert same(up, *([answer] if answer else [])).failure is ConnectionFailed


@pytest.mark.parametrize("answer", BREAKS.values(), ids=BREAKS)
def test_both_tell_of_the_same_broken_answer(up: ScriptedUpstream, answer: bytes) -> None:
    told = same(up, answer)
    assert (told.failure, told.in_body) == (InvalidAnswer, True)


DIFFERENT = {
    # its fields keep the blanks at their ends (RFC 9112 section 5.1 has them taken off)
    "blanks": (head("200 OK", "X-Odd: a ", "Content-Length: 0"), Told(200)),
    # it looks for a body where there cannot be one (section 6.3, number 1)
    "no-content": (head("204 No Content", "Transfer-Encoding: chunked") + HELLO, Told(204)),
    # http.client takes what there is of a head for all of it, and so a body of nothing for the answer
    "cut-head": (head("200 OK", "X-Odd: 1")[:-6], Told(failure=ConnectionFailed)),
    # it takes any number that int() takes, and what is none for no length
    "no-length": (head("200 OK", "Content-Length: 5x") + b"hello", Told(failure=ConnectionFailed)),
    # it reads a body in an unknown transfer coding as if it had none
    "transfer-coding": (head("200 OK", "Transfer-Encoding: gzip") + b"hello", Told(failure=ConnectionFailed)),
    # it takes any 1xx but 100 for the answer
    "early-hints": (head("103 Early Hints") + head("200 OK", "Content-Length: 5") + b"hello", Told(200, body=b"hello")),
    # urllib3 passes a content coding that it does not know, and a compressed body that ends too early
    "coding": (head("200 OK", "Content-Encoding: x") + b"hello", Told(200, failure=InvalidAnswer, in_body=True)),
    "gzip-cut": (
        head("200 OK", "Content-Encoding: gzip") + gzip.compress(b"hello")[:-4],
        Told(200, failure=InvalidAnswer, in_body=True),
    ),
    # its lenient parser ends the fields at a line that is none, and drops the rest
    "no-field": (head("200 OK", "nonsense", "Content-Length: 5") + b"hello", Told(failure=ConnectionFailed)),
}


@pytest.mark.parametrize(("answer", "ours"), DIFFERENT.values(), ids=DIFFERENT)
def test_where_they_differ_ours_is_the_stricter(up: ScriptedUpstream, answer: bytes, ours: Told) -> None:
    told = tell(up, [answer])
    mine = told["direct"]
    assert Told(mine.status, (), mine.body, mine.failure, mine.in_body) == ours
    assert told["requests"] != mine


values = st.text(st.characters(codec="latin-1", categories=("L", "N", "P", "S")), max_size=12)
statuses = st.sampled_from(
    ["200 OK", "201", "204 No Content", "304 Not Modified", "400 Bad", "429 x", "503 y", "999 z"]
)
chunks = st.lists(st.binary(min_size=1, max_size=400), max_size=4)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """An answer in order: any framing, and perhaps cut short at a place where there is no doubt what that means."""
    status = draw(statuses)
    has_body = status[:3] not in ("204", "304")
    parts = draw(chunks) if has_body else []
    body = b"".join(parts)
    framing = draw(st.sampled_from(["length", "chunked", "close"])) if has_body else "length"
    fields = [f"{name}: {draw(values)}" for name in draw(st.lists(st.sampled_from(("X-Many", "X-Odd", "Retry-After"))))]
    if draw(st.booleans()):
        fields.append("Connection: close")
    sent = body
    if framing == "length":
        fields.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        fields.append("Transfer-Encoding: chunked")
        sent = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    start = head(status, *fields, version=draw(st.sampled_from(["1.1", "1.1", "1.0"])))
    if draw(st.booleans()):
        return start + sent[: draw(st.integers(0, len(sent)))]
    return start + sent + (b"0\r\n\r\n" if framing == "chunked" else b"")


@given(answers(), st.lists(st.integers(0, 10_000), max_size=4))
def test_both_tell_the_same_of_whatever_is_in_order_however_it_comes(
    up: ScriptedUpstream, answer: bytes, cuts: list[int]
) -> None:
    at = sorted({0, len(answer), *(cut % len(answer) for cut in cuts)})
    same(up, *(answer[start:end] for start, end in itertools.pairwise(at)))


@pytest.mark.slow
def test_a_call_costs_a_third_of_what_it_costs_through_requests(up: ScriptedUpstream) -> None:
    """It is a tenth; the bound is for noisy machines."""
    costs: dict[str, list[float]] = {name: [] for name in BOTH}
    with ExitStack() as opened:
        sides = {name: opened.enter_context(closing(open_to(up.base_url))) for name, open_to in BOTH.items()}
        for _ in range(5):
            for name, transport in sides.items():
                began = time.thread_time()
                for _ in range(200):
                    everything(open_stream(transport, up))
                costs[name].append(time.thread_time() - began)
    assert median(costs["direct"]) * 3 < median(costs["requests"])
