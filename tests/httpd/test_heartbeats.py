"""Heartbeats on real sockets: what the caller gets when a second thread writes, and when it must not."""

import gc
import json
import queue
import socket
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest
from waitress.channel import ClientDisconnected

from gateway.core.errors import GatewayError
from gateway.core.provider_failures import StreamBroken
from gateway.core.source import RequestContext
from gateway.core.sse import encode
from gateway.dispatch.call import Call
from gateway.dispatch.caller import Caller as CallerOfCall
from gateway.dispatch.caller import NoCaller
from gateway.handler.passthrough_handler import PassthroughHandler
from gateway.handler.reply import EVENT_STREAM, JSON_TYPE, Reply, error_reply
from gateway.handler.request_handler import RequestHandler
from gateway.httpd.interfaces import CALLER
from gateway.httpd.listening import bind
from gateway.httpd.output import Output
from gateway.httpd.server import HttpServer
from gateway.routing.router import Router
from gateway.runtime import Current, DrainState
from gateway.server.gateway_proxy import GatewayProxy
from gateway.server.guard import Guard
from gateway.wires.base import InboundWire
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from tests.support.edge import LIMIT, MIB, application, until
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PAGE = "https://app.example"
HEARTBEAT = b": keep-alive\n\n"
Told = queue.SimpleQueue[bool]
JSON_REPLY = Reply(200, (("Content-Type", JSON_TYPE),), b'{"answer":42}')


class Beats:
    """Makes heartbeats, whoever asks and whenever."""

    def heartbeat(self) -> bytes:
        return HEARTBEAT

    def error(self, error: GatewayError) -> bytes:
        return OpenAIChatCallers().error_event(error)


class Handler:
    """Stands for the gateway's: every call is shown to the test, which says what to answer, and when."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[Callable[[Call], Reply]] = queue.SimpleQueue()

    def handle(self, call: Call, body: bytes, context: RequestContext) -> Reply:
        call.heartbeats = Beats()
        self._calls.put(call)
        return self._replies.get(timeout=LIMIT)(call)

    def call(self) -> Call:
        """The next one, which waits for its answer."""
        return self._calls.get(timeout=LIMIT)

    def answers(self, reply: Reply | Callable[[Call], Reply]) -> None:
        self._replies.put(reply if callable(reply) else lambda _: reply)


class Body:
    """A stream whose pieces the test hands over one by one."""

    def __init__(self, on_close: Callable[[], object] = lambda: None) -> None:
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._asked = threading.Semaphore(0)
        self._on_close = on_close
        self.closed = 0

    @property
    def reply(self) -> Reply:
        return Reply(200, EVENT_STREAM, self)

    def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._pieces.put(piece)

    def end(self) -> None:
        self._pieces.put(None)

    def wait_until_asked(self, times: int = 1) -> None:
        """Returns when the server has come for a piece so often: what it got before is written."""
        for _ in range(times):
            assert self._asked.acquire(timeout=LIMIT)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._asked.release()
        piece = self._pieces.get(timeout=LIMIT)
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        self.closed += 1
        self._on_close()


class Caller:
    """A connection, and a reader of it that forgives nothing."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._input = connection.makefile("rb")

    def ask(self, *headers: str, version: str = "1.1", then: bytes = b"") -> None:
        lines = ["Host: localhost", "Content-Type: application/json", "Content-Length: 2", *headers]
        head = "\r\n".join([f"POST /v1/chat/completions HTTP/{version}", *lines, "", "{}"])
        self.connection.sendall(head.encode() + then)

    def head(self) -> tuple[str, dict[str, str]]:
        """The status line and the headers, by lower-case name; each of them once."""
        status = self._input.readline().decode()
        headers: dict[str, str] = {}
        while (line := self._input.readline()) != b"\r\n":
            name, _, value = line.decode().partition(": ")
            assert name.lower() not in headers
            headers[name.lower()] = value.strip()
        return status.strip(), headers

    def chunk(self) -> bytes:
        """The next chunk; b"" is the last one, after which nothing may come."""
        data = self._input.read(int(self._input.readline(), 16))
        assert self._input.read(2) == b"\r\n"
        return data

    def chunks(self) -> list[bytes]:
        found = []
        while data := self.chunk():
            found.append(data)
        self.connection.shutdown(socket.SHUT_WR)
        assert self.rest() == b""
        return found

    def read(self, count: int) -> bytes:
        return self._input.read(count)

    def rest(self) -> bytes:
        return self._input.read()

    def leave(self) -> None:
        self._input.close()
        self.connection.close()


class Scene:
    """A server with the gateway's WSGI application, and callers of it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.handler = Handler()
        origins = frozenset({PAGE})
        guard = Guard(port=1, allowed_hosts=frozenset(), allowed_origins=origins, clients={})
        current: Current[Configuration] = Current()
        current.swap(Configuration(guard, cast(RequestHandler, self.handler)))
        self.proxy = GatewayProxy(current, DrainState(), self.clock, lambda text: text)


@dataclass
class Configuration:
    """What is served: the test's handler."""

    guard: Guard
    answers: RequestHandler
    timeout: float = 600.0
    max_body: int = MIB
    unserved: Collection[str] = ()
    sticky = False
    router: Router = field(default_factory=lambda: Router((), {}))

    def handler(self, wire: InboundWire) -> RequestHandler:
        return self.answers

    def passthrough(self, wire: InboundWire) -> PassthroughHandler:
        raise NotImplementedError("only chats are asked for")

    def close(self) -> None:
        """Nothing is held."""


@contextmanager
def calling(app: "WSGIApplication") -> Iterator[Caller]:
    """A caller of a server that serves `app`."""
    sockets = bind("127.0.0.1", 0)
    address = sockets[0].getsockname()
    server = HttpServer(application(app), sockets, threads=4, max_body=MIB)
    server.start()
    try:
        caller = Caller(socket.create_connection(address, timeout=LIMIT))
        yield caller
        caller.leave()
        assert server.wait_idle(LIMIT)
    finally:
        server.close()


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def caller(scene: Scene) -> Iterator[Caller]:
    with calling(scene.proxy.wsgi) as made:
        yield made


def error_event(chunk: bytes) -> dict[str, object]:
    assert chunk.startswith(b"data: ") and chunk.endswith(b"\n\n")
    error = json.loads(chunk.removeprefix(b"data: "))["error"]
    assert isinstance(error, dict)
    return error


# Before the reply is settled ----------------------------------------------------------------------------------------


def test_a_silent_call_gets_the_head_of_a_stream_and_then_its_content(scene: Scene, caller: Caller) -> None:
    caller.ask()
    call, body = scene.handler.call(), Body()
    assert call.caller.heartbeat()
    status, headers = caller.head()
    assert status == "HTTP/1.1 200 OK"
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert caller.chunk() == HEARTBEAT
    assert call.caller.heartbeat()
    assert caller.chunk() == HEARTBEAT
    scene.handler.answers(body.reply)
    body.say(b"data: 1\n\n")
    assert caller.chunk() == b"data: 1\n\n"
    assert call.caller.heartbeat()
    assert caller.chunk() == HEARTBEAT
    body.say(b"data: 2\n\n")
    body.end()
    assert caller.chunks() == [b"data: 2\n\n"]
    assert not call.caller.heartbeat()
    assert body.closed == 1


def test_the_early_head_carries_what_the_late_one_would(scene: Scene, caller: Caller) -> None:
    caller.ask("x-request-id: mine-1", f"Origin: {PAGE}")
    call, body = scene.handler.call(), Body()
    assert call.caller.heartbeat()
    early = caller.head()
    scene.handler.answers(body.reply)
    body.end()
    assert caller.chunks() == [HEARTBEAT]
    with calling(scene.proxy.wsgi) as other:
        other.ask("x-request-id: mine-1", f"Origin: {PAGE}")
        scene.handler.answers(body.reply)
        body.end()
        late = other.head()
        assert other.chunks() == []
    for _, headers in (early, late):
        assert headers.pop("date")
    assert early == late
    assert early[1]["x-request-id"] == "mine-1"
    assert early[1]["access-control-allow-origin"] == PAGE
    assert early[1]["x-content-type-options"] == "nosniff"


def test_the_handler_is_told_that_an_error_has_to_be_an_event(scene: Scene, caller: Caller) -> None:
    def fail(call: Call) -> Reply:
        reply = error_reply(StreamBroken("Nobody answered."), OpenAIChatCallers())
        assert isinstance(reply.body, bytes)
        return Reply(200, EVENT_STREAM, encode(reply.body)) if call.caller.commit() else reply

    caller.ask()
    assert scene.handler.call().caller.heartbeat()
    scene.handler.answers(fail)
    assert caller.head()[0] == "HTTP/1.1 200 OK"
    comment, last = caller.chunks()
    assert comment == HEARTBEAT
    assert error_event(last)["message"] == "Nobody answered."


def test_a_crash_after_the_early_head_is_an_event_too(scene: Scene, caller: Caller) -> None:
    def crash(call: Call) -> Reply:
        raise RuntimeError("a fault of the gateway")

    caller.ask()
    assert scene.handler.call().caller.heartbeat()
    scene.handler.answers(crash)
    caller.head()
    comment, last = caller.chunks()
    assert comment == HEARTBEAT
    assert error_event(last)["code"] == "internal_error"
    assert b"a fault of the gateway" not in last


def test_a_refused_call_without_an_early_head_keeps_its_status(scene: Scene, caller: Caller) -> None:
    caller.ask("Origin: https://evil.example")
    status, headers = caller.head()
    assert status.startswith("HTTP/1.1 403 ")
    assert headers["content-type"] == JSON_TYPE


def test_a_caller_of_http_1_0_gets_heartbeats_without_chunks(scene: Scene, caller: Caller) -> None:
    caller.ask(version="1.0")
    call, body = scene.handler.call(), Body()
    assert call.caller.heartbeat()
    status, headers = caller.head()
    assert status == "HTTP/1.0 200 OK"
    assert "transfer-encoding" not in headers
    assert headers["connection"] == "close"
    assert caller.read(len(HEARTBEAT)) == HEARTBEAT
    scene.handler.answers(body.reply)
    body.say(b"data: 1\n\n")
    body.end()
    assert caller.rest() == b"data: 1\n\n"


def test_an_early_head_follows_the_answer_before_it_on_the_same_connection(scene: Scene, caller: Caller) -> None:
    caller.ask()
    caller.ask()
    assert not isinstance(scene.handler.call().caller, NoCaller)
    scene.handler.answers(JSON_REPLY)
    second, body = scene.handler.call(), Body()
    assert second.caller.heartbeat()
    _, headers = caller.head()
    assert caller.read(int(headers["content-length"])) == JSON_REPLY.body
    assert caller.head()[1]["transfer-encoding"] == "chunked"
    scene.handler.answers(body.reply)
    body.end()
    assert caller.chunks() == [HEARTBEAT]


def test_after_a_stream_with_an_early_head_the_connection_serves_again(scene: Scene, caller: Caller) -> None:
    caller.ask(then=b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    call, body = scene.handler.call(), Body()
    assert call.caller.heartbeat()
    scene.handler.answers(body.reply)
    body.end()
    assert "connection" not in caller.head()[1]
    assert [caller.chunk(), caller.chunk()] == [HEARTBEAT, b""]
    assert caller.head()[0] == "HTTP/1.1 200 OK"  # to what was pipelined


# After it -----------------------------------------------------------------------------------------------------------


def test_a_settled_reply_is_the_handlers_alone(scene: Scene, caller: Caller) -> None:
    caller.ask()
    call = scene.handler.call()
    assert not call.caller.commit()
    assert not call.caller.heartbeat()
    scene.handler.answers(JSON_REPLY)
    _, headers = caller.head()
    assert headers["content-type"] == JSON_TYPE
    assert caller.read(int(headers["content-length"])) == JSON_REPLY.body
    assert not call.caller.heartbeat()
    caller.ask()  # the connection is as good as before
    scene.handler.answers(JSON_REPLY)
    assert not call.caller.heartbeat()
    assert caller.head()[0] == "HTTP/1.1 200 OK"
    assert caller.read(int(headers["content-length"])) == JSON_REPLY.body
    assert not scene.handler.call().caller.heartbeat()


def test_a_stream_gets_heartbeats_from_its_first_event_on(scene: Scene, caller: Caller) -> None:
    caller.ask()
    call, body = scene.handler.call(), Body()
    scene.handler.answers(body.reply)
    body.wait_until_asked()
    assert not call.caller.heartbeat(), "before the head, which is the answering thread's now"
    body.say(b"data: 1\n\n")
    body.wait_until_asked()
    assert call.caller.heartbeat()
    body.say(b"", b"data: 2\n\n")
    body.end()
    assert "text/event-stream" in caller.head()[1]["content-type"]
    assert caller.chunks() == [b"data: 1\n\n", HEARTBEAT, b"data: 2\n\n"]


def test_an_empty_piece_is_no_head(scene: Scene, caller: Caller) -> None:
    caller.ask()
    call, body = scene.handler.call(), Body()
    scene.handler.answers(body.reply)
    body.say(b"")
    body.wait_until_asked(2)
    assert not call.caller.heartbeat()
    body.end()
    caller.head()
    assert caller.chunks() == []


def test_nothing_is_written_between_the_bodys_close_and_the_last_chunk(scene: Scene, caller: Caller) -> None:
    while_closing: list[bool] = []
    caller.ask()
    call = scene.handler.call()
    body = Body(lambda: while_closing.append(call.caller.heartbeat()))
    assert call.caller.heartbeat()
    scene.handler.answers(body.reply)
    body.end()
    caller.head()
    assert caller.chunks() == [HEARTBEAT]
    assert while_closing == [False]


def test_quiet_since_is_when_something_last_went_to_the_caller(scene: Scene, caller: Caller) -> None:
    caller.ask()
    call, body = scene.handler.call(), Body()
    line = call.caller
    assert line.last_write == 1000.0
    scene.clock.advance(15)
    assert line.heartbeat()
    assert line.last_write == 1015.0
    scene.handler.answers(body.reply)
    body.wait_until_asked()
    scene.clock.advance(1)
    body.say(b"data: 1\n\n")
    body.wait_until_asked()
    assert line.last_write == 1016.0
    scene.clock.advance(1)
    body.say(b"")
    body.wait_until_asked()
    assert line.last_write == 1016.0
    body.end()
    caller.head()
    caller.chunks()
    assert not line.heartbeat()
    assert line.last_write == 1016.0


# Two threads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("early", [True, False])
def test_two_thousand_events_arrive_whole_and_in_order_among_heartbeats(
    scene: Scene, caller: Caller, early: bool
) -> None:
    count, sent = 2_000, threading.Semaphore(0)
    numbers: list[int] = []
    over = threading.Event()

    def events() -> Iterator[bytes]:
        for number in range(count):
            if number % 50 == 49:
                assert sent.acquire(timeout=LIMIT)  # so that there are some of both
            yield b"data: " + b"%d " % number * (number % 40 + 1) + b"\n\n"

    def hammer(line: CallerOfCall) -> None:
        written = 0
        while not over.is_set():
            if line.heartbeat():
                written += 1
                sent.release()
        numbers.append(written)

    caller.ask()
    call = scene.handler.call()
    assert not early or call.caller.heartbeat()
    threads = [threading.Thread(target=hammer, args=(call.caller,)) for _ in range(2)]
    if not early:
        call.caller.commit()
    for thread in threads:
        thread.start()
    body = cast(Body, Stream(events()))
    scene.handler.answers(Reply(200, EVENT_STREAM, body))
    caller.head()
    chunks = caller.chunks()
    over.set()
    for thread in threads:
        thread.join(LIMIT)
    said = [chunk for chunk in chunks if chunk != HEARTBEAT]
    assert said == [b"data: " + b"%d " % number * (number % 40 + 1) + b"\n\n" for number in range(count)]
    assert len(chunks) - count == sum(numbers) + early
    assert sum(numbers) >= count // 50


class Stream:
    """A generator's pieces as a body."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Nothing is held."""


def test_settling_and_a_heartbeat_at_the_same_time_agree(scene: Scene) -> None:
    for _ in range(20):
        start = threading.Barrier(2)
        told: queue.SimpleQueue[bool] = queue.SimpleQueue()

        def keep_alive(line: CallerOfCall, start: threading.Barrier = start, told: Told = told) -> None:
            start.wait(LIMIT)
            told.put(line.heartbeat())

        def answer(call: Call, start: threading.Barrier = start) -> Reply:
            start.wait(LIMIT)
            return Reply(200, EVENT_STREAM, b"data: 1\n\n") if call.caller.commit() else JSON_REPLY

        with calling(scene.proxy.wsgi) as caller:
            caller.ask()
            threading.Thread(target=keep_alive, args=(scene.handler.call().caller,), daemon=True).start()
            scene.handler.answers(answer)
            _, headers = caller.head()
            if told.get(timeout=LIMIT):
                assert caller.chunks() == [HEARTBEAT, b"data: 1\n\n"]
            else:
                assert caller.read(int(headers["content-length"])) == JSON_REPLY.body


# Callers that do not take it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [True, False])
def test_a_caller_that_has_left_gets_none(scene: Scene, begun: bool) -> None:
    with calling(scene.proxy.wsgi) as caller:
        caller.ask()
        call, body = scene.handler.call(), Body()
        assert not begun or call.caller.heartbeat()
        caller.leave()
        until(lambda: call.caller.left)
        assert not call.caller.heartbeat()
        assert call.caller.commit() is begun
        scene.handler.answers(body.reply)
        body.say(b"data: 1\n\n")
        until(lambda: body.closed == 1)
        assert not call.caller.heartbeat()


def test_a_caller_that_takes_nothing_holds_nobody_up(scene: Scene, caller: Caller) -> None:
    piece = b"data: " + b"x" * (16 * MIB) + b"\n\n"  # more than the kernel's buffers hold
    caller.ask()
    call, body = scene.handler.call(), Body()
    assert call.caller.heartbeat()
    scene.handler.answers(body.reply)
    body.say(piece, piece, piece)
    body.end()
    body.wait_until_asked(2)
    for _ in range(3):
        assert not call.caller.heartbeat()  # the answering thread may already wait in the writing of the next
    caller.head()
    assert caller.chunks() == [HEARTBEAT, piece, piece, piece]


def test_a_caller_that_leaves_in_the_moment_of_writing_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection can break between the look and the writing."""
    told: list[object] = []

    def gone(output: Output, data: bytes) -> None:
        raise ClientDisconnected

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        caller = environ[CALLER]
        caller.allow_heartbeats(lambda: EVENT_STREAM, Beats().heartbeat, FakeClock().monotonic)
        with monkeypatch.context() as patched:
            patched.setattr(Output, "write", gone)
            told.append(caller.heartbeat())
        told.append(caller.commit())
        start_response("200 OK", [("Content-Type", JSON_TYPE), ("Content-Length", "0")])
        return []

    with calling(app) as caller:
        caller.ask()
        caller.head()
        assert caller.chunks() == []
    assert told == [False, True]


# The application under another server -------------------------------------------------------------------------------


def test_an_ordinary_reply_gets_no_heartbeat_between_its_pieces() -> None:
    told: list[bool] = []

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        caller = environ[CALLER]
        caller.allow_heartbeats(lambda: EVENT_STREAM, Beats().heartbeat, FakeClock().monotonic)
        start_response("200 OK", [("Content-Type", JSON_TYPE)])
        return pieces(caller)

    def pieces(caller: CallerOfCall) -> Iterator[bytes]:
        yield b"{"
        told.append(caller.heartbeat())
        yield b"}"

    with calling(app) as caller:
        caller.ask()
        caller.head()
        assert caller.chunks() == [b"{", b"}"]
    assert told == [False]


def test_after_a_crash_of_the_application_there_are_none(caplog: pytest.LogCaptureFixture) -> None:
    callers: list[CallerOfCall] = []

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        callers.append(environ[CALLER])
        callers[0].allow_heartbeats(lambda: EVENT_STREAM, Beats().heartbeat, FakeClock().monotonic)
        raise SystemExit

    with calling(app) as caller:
        caller.ask()
        assert caller.head()[0] == "HTTP/1.1 500 Internal Server Error"
        assert not callers[0].heartbeat()
    assert "SystemExit" in caplog.text


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_request_is_let_go_with_its_reply(scene: Scene, caller: Caller) -> None:
    caller.ask()
    call = scene.handler.call()
    assert call.caller.heartbeat()
    held = weakref.ref(call.caller)
    body = Body(lambda call=call: None)  # type: ignore[misc]  # a body knows its call
    scene.handler.answers(body.reply)
    body.end()
    caller.head()
    caller.chunks()
    del call, body
    until(lambda: held() is None)


def test_under_another_server_no_heartbeat_is_ever_due() -> None:
    caller: CallerOfCall = NoCaller()
    caller.allow_heartbeats(lambda: EVENT_STREAM, Beats().heartbeat, FakeClock().monotonic)
    assert caller.last_write > 1e300
    assert not caller.heartbeat()
    assert not caller.commit()
