"""A provider that misbehaves on cue: a real socket on 127.0.0.1 that plays steps, for every test about failure.

    with ScriptedUpstream() as up:
        up.plays(Status(503))                                            # the first request
        up.plays(Sse(sse_events("one two three")[:3]), Cut())            # the second
        up.plays(Sse(["{...}"]), WaitFor(may_go_on), Sse(["{...}"]), Done())
        ...
        assert up.requests[0].json()["model"] == "gpt-4"

One `plays` is one answer. With no answer left it asks the callable given to `answers`, and without one it is a healthy
OpenAI-compatible provider. A thread a connection, keep-alive, nothing but the standard library; time never decides what
happens, and leaving the `with` ends every thread and socket. After the last step the body ends as its head promised;
a body shorter than its Content-Length, or raw bytes from Send, need Cut() where the client is not to wait for more.
"""

import json
import socket
import ssl
import struct
import sys
import threading
from collections import deque
from contextlib import suppress
from http.client import responses
from io import BufferedReader
from types import TracebackType
from typing import Self

from tests.support.ports import open_listener
from tests.support.upstream_steps import (
    Body,
    Cut,
    Done,
    Framing,
    Head,
    HeaderFields,
    Headers,
    Json,
    Request,
    Reset,
    Respond,
    Send,
    Sse,
    Stall,
    Status,
    Step,
    WaitFor,
    field_list,
    healthy,
    json_answer,
    read_request,
    sse_answer,
    sse_events,
)

__all__ = [
    "Body",
    "Cut",
    "Done",
    "Head",
    "Headers",
    "Json",
    "Request",
    "Reset",
    "ScriptedUpstream",
    "Send",
    "Sse",
    "Stall",
    "Status",
    "Step",
    "WaitFor",
    "healthy",
    "json_answer",
    "sse_answer",
    "sse_events",
]

LOOK_SECONDS = 0.01  # WaitFor looks so often whether the client or the test has gone
HANG_SECONDS = 30.0  # longer than anything here takes; only a hang is


class ScriptedUpstream:
    """The listening socket, the script and the record of what was asked; with a server's context, over TLS."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)
        self._script: deque[tuple[Step, ...]] = deque()
        self._respond: Respond = healthy
        self._requests: list[Request] = []
        self._faults: list[BaseException] = []
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._listener = open_listener(backlog=1024)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.base_url = f"{self.url}/v1"
        self._accepting = threading.Thread(target=self._accept, name="upstream-accept", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def plays(self, *steps: Step) -> None:
        """Add one answer to the script."""
        if not steps:
            raise ValueError("An answer needs a step; Stall() is the one that says nothing.")
        with self._lock:
            self._script.append(steps)

    def answers(self, respond: Respond) -> None:
        """From now on, what the script does not answer is answered by `respond`, called by many threads at once."""
        with self._lock:
            self._respond = respond

    @property
    def requests(self) -> list[Request]:
        """The requests so far, in the order in which they were complete."""
        with self._lock:
            return list(self._requests)

    def forget(self) -> None:
        """Remember no request that has come so far."""
        with self._lock:
            self._requests.clear()
            self._threads = [thread for thread in self._threads if thread.is_alive()]

    @property
    def connections(self) -> int:
        """The connections so far."""
        with self._lock:
            return len(self._threads)

    def wait_for_requests(self, count: int, timeout: float = 10.0) -> list[Request]:
        """The requests, once there are `count`; an AssertionError if there are fewer after `timeout` seconds."""
        with self._came:
            enough = self._came.wait_for(lambda: len(self._requests) >= count, timeout)
            came = [f"{request.method} {request.path}" for request in self._requests]
            assert enough, f"{len(came)} of {count} requests came in {timeout:g} s: {came}"
            return list(self._requests)

    def close(self) -> None:
        """End every connection and thread, and raise what went wrong in them. A second call does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        with suppress(OSError):  # wakes accept, which nothing else does on every system
            socket.create_connection(self._listener.getsockname(), timeout=HANG_SECONDS).close()
        self._accepting.join(HANG_SECONDS)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)  # SSLSocket's own takes TLS from its reader
        for thread in self._threads:
            thread.join(HANG_SECONDS)
            assert not thread.is_alive(), "A connection of the scripted upstream did not end: does `respond` hang?"
        if self._faults:
            raise self._faults[0]

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._closing.is_set():
                connection.close()
                return
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            with self._lock:
                number = len(self._threads)
                thread = threading.Thread(
                    target=self._serve, args=(connection, number), name=f"upstream-{number}", daemon=True
                )
                self._open.add(connection)
                self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        """The life of a connection: requests and their answers, until one side closes."""
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if isinstance(connection, ssl.SSLSocket) and not _comes_to_terms(connection):
                return
            with connection.makefile("rb") as stream:
                while (request := self._next(stream, number)) and self._play(connection, request):
                    pass
        except Exception as fault:  # noqa: BLE001 - told to the test that owns this upstream
            self._faults.append(fault)
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _next(self, stream: BufferedReader, number: int) -> Request | None:
        with suppress(OSError):  # a client that leaves inside a request has not asked
            return read_request(stream, number)
        return None

    def _play(self, connection: socket.socket, request: Request) -> bool:
        """Answer one request; whether the connection stays open."""
        with self._came:
            self._requests.append(request)
            scripted = self._script.popleft() if self._script else None
            respond = self._respond
            self._came.notify_all()
        steps = respond(request) if scripted is None else scripted
        answer = _Answer(connection, self._closing)
        try:
            for step in steps:
                if not answer.play(step):
                    return False
            stays = answer.end()
        except OSError:
            answer.client_left = True
            stays = False
        finally:
            if answer.client_left and not self._closing.is_set():
                request.client_gone.set()
        return stays and request.headers.get("connection", "").lower() != "close"


def _comes_to_terms(connection: ssl.SSLSocket) -> bool:
    """Whether the client likes our certificate, and speaks TLS at all."""
    with suppress(OSError):
        connection.do_handshake()
        return True
    return False


class _Answer:
    """One answer on its way: where in it we are, and what the next step makes of that."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        self.client_left = False
        self._connection = connection
        self._closing = closing
        self._framing: Framing | None = None

    def play(self, step: Step) -> bool:
        """Do one step; whether there is more to play."""
        match step:
            case Head():
                self._framing = step.framing
                self._send(_head_bytes(step))
            case Status():
                self._whole(step.code, step.headers, step.body)
            case Json():
                fields = (("content-type", "application/json"), *field_list(step.headers))
                self._whole(step.code, fields, json.dumps(step.value).encode())
            case Body():
                self._body(step.data, "application/octet-stream")
            case Sse():
                for event in step.events:
                    self._body(f"data: {event}\n\n".encode(), "text/event-stream")
            case Done():
                self._body(b"data: [DONE]\n\n", "text/event-stream")
            case Send():
                self._send(step.data)
            case WaitFor():
                return self._wait(step.event)
            case Stall():
                self._stall()
                return False
            case Cut():
                if self._framing == "chunked":
                    self._send(b"%x\r\n%b" % (len(step.partial) + 100, step.partial))
                return False
            case Reset():
                # linger on, for no time: close sends RST; the two numbers are shorts on Windows, ints elsewhere
                linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
                self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return False
        return True

    def end(self) -> bool:
        """End the body as its framing wants it; whether the connection can take another request."""
        if self._framing == "chunked":
            self._send(b"0\r\n\r\n")
        return self._framing != "close"

    def _send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def _whole(self, code: int, headers: HeaderFields, body: bytes) -> None:
        self._framing = len(body)
        self._send(_head_bytes(Head(code, headers, len(body))) + body)

    def _body(self, data: bytes, content_type: str) -> None:
        head = b""
        if self._framing is None:
            self._framing = "chunked"
            head = _head_bytes(Head(200, {"content-type": content_type}))
        self._send(head + (b"%x\r\n%b\r\n" % (len(data), data) if self._framing == "chunked" else data))

    def _wait(self, event: threading.Event) -> bool:
        while not event.wait(LOOK_SECONDS):
            self.client_left = self._peer_closed()
            if self.client_left or self._closing.is_set():
                return False
        return True

    def _peer_closed(self) -> bool:
        self._connection.setblocking(False)
        try:
            return socket.socket.recv(self._connection, 1, socket.MSG_PEEK) == b""  # SSLSocket's own has no flags
        except BlockingIOError:
            return False
        finally:
            self._connection.setblocking(True)

    def _stall(self) -> None:
        """The end of the test shuts the socket down, so one blocking read waits for both."""
        while self._connection.recv(65_536):
            pass
        self.client_left = True


def _head_bytes(head: Head) -> bytes:
    fields = [*field_list(head.headers)]
    if head.framing == "chunked":
        fields.append(("transfer-encoding", "chunked"))
    elif head.framing == "close":
        fields.append(("connection", "close"))
    else:
        fields.append(("content-length", str(head.framing)))
    status = f"HTTP/1.1 {head.status} {responses.get(head.status, 'Status')}"
    return "\r\n".join([status, *(f"{name}: {value}" for name, value in fields), "", ""]).encode("latin-1")
