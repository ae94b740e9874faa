"""The application runs on plain waitress too: the same requests get the same answers as from the gateway's own engine.

What differs is the server's own: Date, Connection, Via, framing, request ids, and the headers that tell of times.
"""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from waitress.server import TcpWSGIServer, create_server

from gateway.httpd.listening import bind
from gateway.httpd.server import HttpServer
from tests.support.application import WholeApplication, application_of
from tests.support.edge import HEAD, MIB, chunked, get, post, read_all
from tests.support.running import alias, chat, loaded, provider
from tests.support.upstream_script import ScriptedUpstream

OWN = ("date", "connection", "via", "server", "x-request-id", "content-length", "transfer-encoding")
CLOSE = b"Connection: close"
CHAT = b"/v1/chat/completions"


def body(model: str = "best", *, stream: bool = False) -> bytes:
    return json.dumps(chat(model, stream=stream)).encode()


REQUESTS = {
    "whole": post(CHAT, body(), CLOSE),
    "stream": post(CHAT, body(stream=True), CLOSE),
    "bad JSON": post(CHAT, b"{", CLOSE),
    "unknown model": post(CHAT, body("bset"), CLOSE),
    "404": get(b"/nothing", CLOSE),
    "405": get(CHAT, CLOSE),
    "health": get(b"/health", CLOSE),
    "models": get(b"/v1/models", CLOSE),
    "HEAD": get(b"/v1/models", CLOSE).replace(b"GET", b"HEAD"),
    "OPTIONS": get(b"/v1/models", CLOSE).replace(b"GET", b"OPTIONS"),
    "foreign Host": get(b"/v1/models", CLOSE).replace(b"localhost", b"evil.example"),
    "chunked": chunked(CHAT, [body()[:5], body()[5:]]).replace(HEAD, HEAD + CLOSE + b"\r\n"),
    "HTTP/1.0": post(CHAT, body()).replace(b"HTTP/1.1", b"HTTP/1.0"),
}


@dataclass(frozen=True)
class Told:
    """What a caller gets, the server's own apart."""

    status: str
    headers: tuple[str, ...]
    body: bytes


@pytest.fixture(scope="module")
def system() -> Iterator[WholeApplication]:
    with ScriptedUpstream() as up:
        settings = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/one")]}
        with application_of(loaded(settings)) as made:
            yield made


@pytest.fixture(scope="module")
def ours(system: WholeApplication) -> Iterator[int]:
    sockets = bind("127.0.0.1", 0)
    server = HttpServer(system.proxy.application, sockets, threads=4, max_body=MIB)
    port: int = sockets[0].getsockname()[1]
    server.start()
    with closing(server):
        yield port


@pytest.fixture(scope="module")
def plain(system: WholeApplication) -> Iterator[int]:
    server = create_server(system.proxy.wsgi, host="127.0.0.1", port=0, threads=2)
    assert isinstance(server, TcpWSGIServer) and server.socket is not None
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server.socket.getsockname()[1]
    end = threading.Event()

    def close() -> None:
        server.close()
        end.set()

    server.trigger.pull_trigger(close)  # type: ignore[attr-defined]  # not in the stubs
    assert end.wait(10)
    thread.join(10)
    server.task_dispatcher.shutdown()


@pytest.mark.parametrize("name", REQUESTS)
def test_both_servers_give_the_same_answer(name: str, ours: int, plain: int) -> None:
    first, second = (ask(port, REQUESTS[name]) for port in (ours, plain))
    assert first == second
    assert first.status.split()[0] in {"200", "204", "400", "404", "405", "421"}


def ask(port: int, request: bytes) -> Told:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        head, _, rest = read_all(connection).partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = [line.lower() for line in lines if not line.lower().startswith((*OWN, "x-gateway-"))]
    if b"chunked" in head.lower():
        rest = unchunked(rest)
    plain_rest = re.sub(rb'"created":\d+|chatcmpl-\w+|req_\w+', b"-", rest)
    return Told(status.partition(" ")[2].upper(), tuple(sorted(fields)), plain_rest)


def unchunked(text: bytes) -> bytes:
    data = b""
    while text:
        size, _, text = text.partition(b"\r\n")
        length = int(size, 16)
        data, text = data + text[:length], text[length + 2 :]
    return data
