"""Our own connections: which are kept, what is told when one fails, and streams that another thread carries on."""

import contextlib
import errno
import gzip
import selectors
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing

import pytest

from gateway.core.clock import Clock, SystemClock
from gateway.core.no_op import no_op
from gateway.core.provider_failures import ConnectionFailed, InvalidAnswer, ProviderTimeout
from gateway.http1.response_reader import ResponseReader
from gateway.upstream.byte_stream import ByteStream, Detached
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.certificates import TrustStore
from gateway.upstream.direct.connection import Connection, Dialer, Origin
from gateway.upstream.direct.pool import Pool
from gateway.upstream.direct.stream import DirectStream
from gateway.upstream.direct.transport import DirectTransport
from gateway.upstream.proxied.transport import RequestsTransport
from gateway.upstream.session import UpstreamSession
from gateway.upstream.transport import IDLE_SECONDS, HttpRequest, Transport
from tests.support.fakes import FakeClock
from tests.support.ports import free_port, open_listener
from tests.support.tls import TRUSTED, server_context
from tests.support.transports import (
    LONG,
    SHORT,
    everything,
    in_thread,
    open_stream,
    post,
    through_requests,
    unwatched,
)
from tests.support.upstream_script import (
    Body,
    Cut,
    Head,
    Reset,
    ScriptedUpstream,
    Send,
    Stall,
    Status,
    Step,
    WaitFor,
)
from tests.support.wine import no_wake_up


def direct(url: str, *, connect_seconds: float = LONG, clock: Clock | None = None) -> DirectTransport:
    clock = clock or SystemClock()
    return DirectTransport("acme", url, pool_size=8, connect_seconds=connect_seconds, environ=TRUSTED, clock=clock)


@pytest.fixture
def session(up: ScriptedUpstream) -> Iterator[Transport]:
    with closing(direct(up.base_url)) as opened:
        yield opened


class Leaping(FakeClock):
    """Time in which every look takes 100 seconds."""

    def monotonic(self) -> float:
        self.advance(100.0)
        return super().monotonic()


# Which way ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({}, DirectTransport),
        ({"https_proxy": "http://proxy.invalid:1"}, RequestsTransport),
        ({"all_proxy": "http://proxy.invalid:1"}, RequestsTransport),
        ({"http_proxy": "http://proxy.invalid:1"}, DirectTransport),
        ({"https_proxy": "http://proxy.invalid:1", "no_proxy": "acme.invalid"}, DirectTransport),
        ({"https_proxy": "http://proxy.invalid:1", "no_proxy": "other.invalid"}, RequestsTransport),
    ],
)
def test_only_what_a_proxy_stands_before_goes_through_requests(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], way: type
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    url = "https://api.acme.invalid/v1"
    with closing(UpstreamSession("acme", url, pool_size=1, connect_seconds=LONG, environ={})) as session:
        assert type(session._transport) is way


@pytest.mark.parametrize("url", ["", "acme", "ftp://acme.example", "http://", "http:///v1", "http://a:b/"])
def test_what_is_no_address_is_no_endpoint(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        direct(url)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://API.acme.example/v1", "api.acme.example"),
        ("https://api.acme.example:443", "api.acme.example"),
        ("https://api.acme.example:80", "api.acme.example:80"),
        ("http://api.acme.example:80/v1", "api.acme.example"),
        ("HTTP://api.acme.example:8080", "api.acme.example:8080"),
        ("http://[::1]:8080/v1", "[::1]:8080"),
        ("http://[::1]/v1", "[::1]"),
    ],
)
def test_the_host_is_named_with_its_port_where_that_is_its_own(url: str, authority: str) -> None:
    assert Origin.of(url).authority == authority


def test_a_key_goes_to_no_other_address(up: ScriptedUpstream, session: Transport) -> None:
    for url in ("http://elsewhere.invalid/v1", f"{up.url}.elsewhere.invalid/v1", f"{up.url}@elsewhere.invalid/"):
        with pytest.raises(ConnectionFailed, match="not its own"):
            session.post(post(url), LONG, unwatched)
    assert up.requests == []


@pytest.mark.parametrize(("end", "path"), [("", "/"), ("/", "/"), ("?a=b", "/?a=b"), ("/v1?a=b", "/v1?a=b")])
def test_path_and_query_are_asked_for_as_they_are(
    up: ScriptedUpstream, session: Transport, end: str, path: str
) -> None:
    everything(session.post(HttpRequest(up.url + end, {}, b""), LONG, unwatched))
    assert up.requests[0].path == path


# Connecting --------------------------------------------------------------------------------------------------------


def dialled(host: str = "acme.invalid") -> Connection:
    return Dialer(Origin(False, host, 80), TrustStore(), SystemClock()).dial(PendingResponse(no_op), LONG)


def addresses(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """A name's addresses are these ports of this machine."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_each_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_listener() as server:
        addresses(monkeypatch, free_port(), server.getsockname()[1])
        connection = dialled()
        assert connection.socket.getpeername() == server.getsockname()
        assert connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        connection.close()


def test_where_no_address_takes_it_the_last_ones_failure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses(monkeypatch, free_port(), free_port())
    with pytest.raises(ConnectionRefusedError):
        dialled()


def test_a_name_without_an_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses(monkeypatch)
    with pytest.raises(OSError, match="its name has no address"):
        dialled()


def test_a_call_that_was_cut_does_not_go_on_to_the_next_address(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = PendingResponse(no_op)
    with open_listener() as server:
        addresses(monkeypatch, free_port(), server.getsockname()[1])
        connect = socket.socket.connect

        def cutting(one: socket.socket, address: tuple[str, int]) -> None:
            wait.cancel()
            connect(one, address)

        monkeypatch.setattr(socket.socket, "connect", cutting)
        with pytest.raises(OSError, match="the call was cut"):
            Dialer(Origin(False, "acme.invalid", 80), TrustStore(), SystemClock()).dial(wait, LONG)


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".invalid"])
def test_a_host_that_is_no_name_is_a_connection_that_failed(host: str) -> None:
    url = f"http://{host}/v1"
    with closing(direct(url)) as session, pytest.raises(ConnectionFailed):
        session.post(post(url), LONG, unwatched)


def test_a_connection_that_takes_too_long_is_told_with_its_time(
    up: ScriptedUpstream, session: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hanging(one: socket.socket, address: object) -> None:
        assert one.gettimeout() == 7.0, "no longer than there is time for an answer"
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", hanging)
    with pytest.raises(ConnectionFailed, match=r"^acme could not be reached within 20 s\.$"):
        open_stream(session, up, 7.0)


def test_a_ca_bundle_that_is_none_is_told(up: ScriptedUpstream) -> None:
    dialer = Dialer(Origin(True, "127.0.0.1", 1), TrustStore(__file__, "SSL_CERT_FILE"), SystemClock())
    with pytest.raises(OSError, match=r"SSL_CERT_FILE=.* cannot be read"):
        dialer.dial(PendingResponse(no_op), LONG)


# Sending -----------------------------------------------------------------------------------------------------------


def test_a_small_request_leaves_in_one_piece(
    up: ScriptedUpstream, session: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    send = socket.socket.send

    def noted(one: socket.socket, data: bytes) -> int:
        sizes.append(len(data))
        return send(one, data)

    monkeypatch.setattr(socket.socket, "send", noted, raising=False)
    everything(session.post(post(up.base_url, b"x" * 1_000), LONG, unwatched))
    assert len(sizes) == 1


def test_what_is_taken_in_part_is_sent_on(
    up: ScriptedUpstream, session: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = socket.socket.send
    monkeypatch.setattr(socket.socket, "send", lambda one, data: send(one, data[:1_000]), raising=False)
    body = bytes(range(256)) * 100
    everything(session.post(post(up.base_url, body), LONG, unwatched))
    assert up.requests[0].body == body


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sendmsg")
@pytest.mark.parametrize("taken", [1, 100, 400, 1_000, 20_000])
def test_what_is_taken_in_part_of_head_and_body_together_is_sent_on(
    up: ScriptedUpstream, session: Transport, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    sizes: list[int] = []

    def some(one: socket.socket, data: Sequence[bytes]) -> int:
        sizes.append(len(data[0]))
        return one.send(b"".join(data)[:taken])

    monkeypatch.setattr(socket.socket, "sendmsg", some, raising=False)
    body = bytes(range(256)) * 2_000
    everything(session.post(post(up.base_url, body), LONG, unwatched))
    assert up.requests[0].body == body
    assert len(sizes) == 1
    assert 100 < sizes[0] < 400, "the cases are less than the head, about the head, and more"


def test_a_provider_that_takes_nothing_more_is_given_up() -> None:
    with open_listener() as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        with closing(direct(url, connect_seconds=SHORT)) as session, pytest.raises(ConnectionFailed) as caught:
            session.post(post(url, bytes(50_000_000)), LONG, unwatched)
    assert caught.value.message == "acme could not be reached (it took nothing more of the request for 0.05 s)."


@pytest.mark.parametrize("fault", [BrokenPipeError(errno.EPIPE, "x"), ConnectionResetError(errno.ECONNRESET, "x")])
def test_who_hangs_up_on_a_request_may_have_answered_it(
    up: ScriptedUpstream, session: Transport, monkeypatch: pytest.MonkeyPatch, fault: OSError
) -> None:
    send = socket.socket.send

    def hung_up(one: socket.socket, data: bytes) -> int:
        send(one, data)
        raise fault

    up.plays(Status(413, body=b"too much"))
    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "send", hung_up, raising=False)
        stream = open_stream(session, up)
    assert (stream.status, everything(stream)) == (413, b"too much")
    everything(open_stream(session, up))
    assert up.connections == 2, "nobody knows how much of the request it has taken"


def test_other_failures_of_sending_are_told(
    up: ScriptedUpstream, session: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(one: socket.socket, data: bytes) -> int:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(socket.socket, "send", unreachable, raising=False)
    with pytest.raises(ConnectionFailed, match="No route to host"):
        open_stream(session, up)


# Keeping -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pairs() -> Iterator[Callable[[], tuple[Connection, socket.socket]]]:
    with ExitStack() as opened:

        def made() -> tuple[Connection, socket.socket]:
            ours, theirs = socket.socketpair()
            opened.enter_context(ours)
            return Connection(ours), opened.enter_context(theirs)

        yield made


Pairs = Callable[[], tuple[Connection, socket.socket]]


def is_closed(connection: Connection) -> bool:
    return connection.socket.fileno() == -1


def test_the_one_that_served_last_serves_next(pairs: Pairs) -> None:
    pool = Pool(8)
    first, second = pairs()[0], pairs()[0]
    pool.give(first)
    pool.give(second)
    assert [pool.take(), pool.take(), pool.take()] == [second, first, None]
    assert first.reused
    assert not is_closed(first)


def test_no_more_are_kept_than_there_is_room_for(pairs: Pairs) -> None:
    pool = Pool(1)
    kept, left = pairs()[0], pairs()[0]
    pool.give(kept)
    pool.give(left)
    assert (is_closed(kept), is_closed(left)) == (False, True)


@pytest.mark.parametrize("nonsense", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"], ids=["closed", "speaks"])
def test_one_that_died_while_it_idled_is_passed_over(pairs: Pairs, nonsense: bytes) -> None:
    pool = Pool(8)
    alive, (dead, theirs) = pairs()[0], pairs()
    pool.give(alive)
    pool.give(dead)
    if nonsense:
        theirs.sendall(nonsense)
    else:
        theirs.close()
    assert pool.take() is alive
    assert is_closed(dead)


def test_one_that_was_closed_here_is_passed_over(pairs: Pairs) -> None:
    pool = Pool(8)
    connection = pairs()[0]
    pool.give(connection)
    connection.socket.close()
    assert pool.take() is None


def test_none_is_kept_for_longer_than_a_router_remembers(pairs: Pairs) -> None:
    clock = FakeClock()
    pool = Pool(8, clock.monotonic)
    old, young = pairs()[0], pairs()[0]
    pool.give(old)
    clock.advance(IDLE_SECONDS - 1)
    pool.give(young)
    assert not is_closed(old)
    clock.advance(1)
    pool.give(pairs()[0])
    assert is_closed(old), "whoever gives one looks at the oldest"
    clock.advance(IDLE_SECONDS)
    assert pool.take() is None
    assert is_closed(young)


def test_a_closed_pool_keeps_nothing(pairs: Pairs) -> None:
    pool = Pool(8)
    before, after = pairs()[0], pairs()[0]
    pool.give(before)
    pool.close()
    pool.give(after)
    assert is_closed(before)
    assert is_closed(after)
    assert pool.take() is None


@pytest.mark.parametrize("ending", [Reset(), Cut()], ids=["reset", "closed"])
def test_after_a_kept_connection_broke_no_other_kept_one_is_trusted(
    up: ScriptedUpstream, session: Transport, ending: Step
) -> None:
    for stream in [open_stream(session, up) for _ in range(3)]:
        everything(stream)
    up.plays(ending)
    everything(open_stream(session, up))
    everything(open_stream(session, up))
    assert [request.connection for request in up.requests[3:]] == [2, 3, 3]


def test_a_call_that_was_cut_says_nothing_of_the_other_connections(up: ScriptedUpstream, session: Transport) -> None:
    for stream in [open_stream(session, up) for _ in range(2)]:
        everything(stream)
    with pytest.raises(ConnectionFailed):
        session.post(post(up.base_url), LONG, PendingResponse.cancel)
    everything(open_stream(session, up))
    assert up.connections == 2


# Reading -----------------------------------------------------------------------------------------------------------


def test_a_head_that_drips_has_no_more_time_than_one_that_does_not_come(up: ScriptedUpstream) -> None:
    up.plays(Send(b"HTTP/1.1 200 OK\r\n"), Stall())
    with closing(direct(up.base_url, clock=Leaping())) as session, pytest.raises(ProviderTimeout):
        open_stream(session, up)


def test_framing_that_drips_does_not_begin_the_time_of_a_read_anew(up: ScriptedUpstream) -> None:
    head_is_read = threading.Event()
    up.plays(Head(), WaitFor(head_is_read), Send(b"1"), Stall())
    with closing(direct(up.base_url, clock=Leaping())) as session:
        stream = open_stream(session, up)
        head_is_read.set()  # or it would come with the head, and be no drip
        with pytest.raises(ProviderTimeout):
            stream.read(LONG)
        stream.close()


def compressed(coding: str, body: bytes, *, framing: int | None = None) -> Sequence[Step]:
    return Head(200, {"Content-Encoding": coding}, len(body) if framing is None else framing), Body(body)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "x"])
def test_a_coding_that_was_not_asked_for_and_is_not_common_is_a_broken_answer(
    up: ScriptedUpstream, session: Transport, coding: str
) -> None:
    up.plays(*compressed(coding, b"data"))
    with pytest.raises(InvalidAnswer, match="content coding"):
        everything(open_stream(session, up))


@pytest.mark.parametrize("coding", ["identity", "Identity", "br", "gzip"])
def test_a_coding_of_nothing_is_nothing(up: ScriptedUpstream, session: Transport, coding: str) -> None:
    up.plays(*compressed(coding, b""))
    assert everything(open_stream(session, up)) == b""


def test_a_compressed_answer_that_ends_too_early_is_broken(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(*compressed("gzip", gzip.compress(b"hello")[:-4]))
    with pytest.raises(InvalidAnswer, match="ends too early"):
        everything(open_stream(session, up))


def test_a_large_compressed_answer_is_read_in_portions(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(*compressed("GZIP", gzip.compress(bytes(900_000))))
    assert everything(open_stream(session, up)) == bytes(900_000)


def test_a_faulty_chunk_is_told_after_what_was_good(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Head(), Send(b"3\r\none\r\nnonsense\r\n"), Stall())
    stream = open_stream(session, up)
    assert stream.read(LONG) == b"one"
    with pytest.raises(InvalidAnswer, match="no clear size"):
        stream.read(LONG)
    stream.close()


class Telling(Connection):
    """Tells when it is read from, and whether its socket was still its own after that."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__(connected)
        self.reading = threading.Event()
        self.own_afterwards: list[bool] = []

    def receive(self, seconds: float) -> bytes:
        self.reading.set()
        data = super().receive(seconds)
        self.own_afterwards.append(not is_closed(self))
        return data


@no_wake_up
def test_close_ends_a_read_of_another_thread_which_then_closes_the_socket() -> None:
    ours, theirs = socket.socketpair()
    connection = Telling(ours)
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    given: list[Connection] = []
    stream = DirectStream("acme", connection, reader, b"", give=given.append, clock=SystemClock())
    read: list[bytes] = []
    with theirs:
        thread = in_thread(lambda: read.append(stream.read(LONG)))
        assert connection.reading.wait(LONG)
        stream.close()
        thread.join(2.0)
        assert not thread.is_alive()
    assert connection.own_afterwards == [True]
    assert is_closed(connection)
    assert given == []


# Carried on by another thread --------------------------------------------------------------------------------------


def detached(stream: ByteStream) -> Detached:
    handed = stream.detach()
    assert handed is not None
    return handed


def test_a_stream_is_handed_over_with_what_has_come_and_serves_again_after_its_end(
    up: ScriptedUpstream, session: Transport
) -> None:
    for _ in range(2):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        up.plays(Send(head + b"3\r\none\r\n4\r\nt"), Send(b"wo!\r\n0\r\n\r\n"))
        stream = open_stream(session, up)
        handed = detached(stream)
        body = handed.early
        while not handed.ended():
            body += handed.feed(handed.connection.recv(100))
        assert body == b"onetwo!"
        stream.close()
    assert up.connections == 1


def test_a_stream_can_be_handed_over_after_its_first_read(up: ScriptedUpstream, session: Transport) -> None:
    go_on = threading.Event()
    up.plays(Body(b"one"), WaitFor(go_on), Body(b"two"))
    stream = open_stream(session, up)
    assert stream.read(LONG) == b"one"
    handed = detached(stream)
    assert (handed.early, handed.ended()) == (b"", False)
    go_on.set()
    body = b""
    while not handed.ended():
        body += handed.feed(handed.connection.recv(100))
    assert body == b"two"
    stream.close()


def test_a_stream_that_is_handed_over_is_closed_before_its_end(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Body(b"one"), Stall())
    stream = open_stream(session, up)
    handed = detached(stream)
    stream.close()
    assert handed.connection.fileno() == -1
    assert up.requests[0].client_gone.wait(LONG)


def test_a_stream_that_is_handed_over_can_be_cut(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Head(framing="close"), Stall())
    stream = open_stream(session, up)
    handed = detached(stream)
    stream.cancel()
    with contextlib.suppress(BrokenPipeError):  # Windows' word for it
        assert handed.connection.recv(100) == b""
    with pytest.raises(InvalidAnswer, match="was cut"):
        handed.feed(b"")
    stream.close()
    assert up.requests[0].client_gone.wait(LONG)


def test_what_is_wrong_with_a_stream_that_is_handed_over_is_told(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Head(), Stall())
    stream = open_stream(session, up)
    handed = detached(stream)
    assert handed.feed(b"3\r\none\r\nnonsense\r\n") == b"one"
    for ask in (handed.ended, lambda: handed.feed(b"more")):
        with pytest.raises(InvalidAnswer, match="no clear size"):
            ask()
    stream.close()


def test_a_connection_that_ends_too_early_under_a_stream_is_told(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Head(framing=5), Body(b"one"), Cut())
    stream = open_stream(session, up)
    handed = detached(stream)
    body = handed.early
    while data := handed.connection.recv(100):
        body += handed.feed(data)
    assert body == b"one"
    with pytest.raises(InvalidAnswer, match="before the end"):
        handed.feed(b"")
    stream.close()


def test_nobody_reads_a_stream_that_is_handed_over(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Body(b"one"), Stall())
    stream = open_stream(session, up)
    handed = detached(stream)
    with pytest.raises(InvalidAnswer):
        stream.read(LONG)
    assert handed.connection.fileno() != -1
    stream.close()


def test_what_only_a_thread_can_read_is_not_handed_over(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(*compressed("gzip", gzip.compress(b"hello")))
    stream = open_stream(session, up)
    assert stream.detach() is None
    assert everything(stream) == b"hello"
    assert stream.detach() is None, "it is closed"
    with closing(through_requests(up.base_url)) as proxied:
        stream = open_stream(proxied, up)
        assert stream.detach() is None
        everything(stream)


def carry(streams: Sequence[ByteStream]) -> list[bytes]:
    """One thread reads all of them without blocking, as a relay does."""
    bodies = [b""] * len(streams)
    with selectors.DefaultSelector() as selector:
        for number, stream in enumerate(streams):
            handed = detached(stream)
            bodies[number] = handed.early
            handed.connection.setblocking(False)
            if not handed.ended():
                selector.register(handed.connection, selectors.EVENT_READ, (number, handed))
        while selector.get_map():
            for key, _ in selector.select(LONG):
                number, handed = key.data
                try:
                    while not handed.ended():
                        bodies[number] += handed.feed(handed.connection.recv(65_536))
                except (BlockingIOError, ssl.SSLWantReadError):
                    continue
                selector.unregister(handed.connection)
    for stream in streams:
        stream.close()
    return bodies


@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
def test_one_thread_can_carry_many_streams(secure: bool) -> None:
    parts = [bytes([number]) * 20_000 for number in range(10)]
    with ScriptedUpstream(server_context() if secure else None) as up, closing(direct(up.base_url)) as session:
        for _ in range(2):
            go_on = threading.Event()
            for _ in range(8):
                up.plays(Head(), WaitFor(go_on), *map(Body, parts))
            streams = [open_stream(session, up) for _ in range(8)]
            go_on.set()
            assert carry(streams) == [b"".join(parts)] * 8
        assert up.connections == 8
        everything(open_stream(session, up))
        assert up.connections == 8


class Counting(socket.socket):
    """Counts how often a limit is set."""

    limits_set = 0

    def settimeout(self, value: float | None, /) -> None:
        self.limits_set += 1
        super().settimeout(value)


def test_a_limit_that_a_connection_has_is_not_set_again() -> None:
    ours, theirs = socket.socketpair()
    with Counting(fileno=ours.detach()) as counting, theirs:
        connection = Connection(counting)
        for seconds, limits_set in ((10.0, 1), (10.0, 1), (2.0, 2)):
            connection.send(b"head", b"body", seconds)
            theirs.sendall(b"answer")
            assert connection.receive(seconds) == b"answer"
            assert (counting.gettimeout(), counting.limits_set) == (seconds, limits_set)
        counting.setblocking(False)  # as for a relay
        theirs.sendall(b"answer")
        assert connection.receive(2.0) == b"answer"
        assert counting.gettimeout() == 2.0, "it waits again"
