"""A process that may have few descriptors: whoever asks is answered, and nobody else is blamed for it."""

import errno
import json
import socket
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from gateway.net import descriptors
from gateway.net.descriptors import connection_limit, is_exhausted
from tests.support.edge import LIMIT, MIB, App, Served, get, post, read_answer, until
from tests.support.running import alias, chat, provider, running
from tests.support.served import posix_only, serving
from tests.support.upstream_script import Done, ScriptedUpstream, Sse, Step, WaitFor, sse_events

CHAT = b"/v1/chat/completions"
STREAM = json.dumps(chat("best", stream=True)).encode()


def test_as_many_connections_as_there_are_pairs_of_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such limit")
    import resource  # noqa: PLC0415 - not on Windows

    monkeypatch.setattr(descriptors, "_open_descriptors", lambda: 12)
    limits = {100: 28, 1024: 490, 4096: 1000, 40: 1, resource.RLIM_INFINITY: 1000}
    for soft, connections in limits.items():
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert connection_limit(1000) == connections
        assert connection_limit(2) == min(2, connections), "never more than was asked for"


def test_a_name_that_cannot_be_looked_up_for_want_of_descriptors_is_told_from_one_that_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert not is_exhausted(unknown)

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr("os.open", refuse)
        assert is_exhausted(unknown)
    assert is_exhausted(OSError(errno.ENFILE, "")) and not is_exhausted(OSError(errno.ECONNREFUSED, ""))


@posix_only
def test_sixty_streams_of_a_process_with_a_hundred_descriptors(tmp_path: Path) -> None:
    over = threading.Event()
    with ScriptedUpstream() as up, ExitStack() as stack:
        up.answers(lambda request: streamed(over))
        config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/m")]}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        log = tmp_path / "log"
        served = stack.enter_context(serving("-c", "config.yaml", cwd=tmp_path, log=log, descriptors=100))
        stack.callback(over.set)
        callers = []
        for number in range(60):
            kept = number % 12 == 0  # connections that idle make room too, but seconds later
            caller = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=LIMIT))
            caller.sendall(post(CHAT, STREAM, *([] if kept else [b"Connection: close"])))
            callers.append(caller)
        assert health(served.port) == 200, "while every stream goes on"
        heads = [caller.recv(1 << 16) for caller in callers]
        statuses = [int(head.split()[1]) for head in heads]
        assert set(statuses) == {200, 503} and statuses.count(200) >= 20
        refused = next(head for head in heads if head.startswith(b"HTTP/1.1 503"))
        assert b'"code":"overloaded"' in refused and b"retry-after: 1" in refused.lower()
        over.set()
        for caller, status in zip(callers, statuses, strict=True):
            text = b""
            while status == 200 and b"[DONE]" not in text:
                text += caller.recv(1 << 16)
        with socket.create_connection(("127.0.0.1", served.port), timeout=LIMIT) as later:
            later.sendall(post(CHAT, STREAM))
            assert b"200 OK" in later.recv(1 << 16)
        assert "could not be reached" not in log.read_text() and "Traceback" not in log.read_text()


def streamed(over: threading.Event) -> tuple[Step, ...]:
    pieces = sse_events("one two three")
    return (Sse(pieces[:2]), WaitFor(over), Sse(pieces[2:]), Done())


def health(port: int) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
        connection.sendall(get(b"/health"))
        return read_answer(connection).status


def test_a_provider_is_not_blamed_for_a_socket_that_the_system_does_not_give(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedUpstream() as first, ScriptedUpstream() as second:
        config = {
            "providers": {"a": provider(first.base_url), "b": provider(second.base_url)},
            "modelAliases": [alias("best", "a/m", "b/m")],
        }
        with running(config) as gateway:
            for _ in range(5):
                with monkeypatch.context() as patched:
                    patched.setattr("gateway.upstream.direct.connection.Dialer.dial", out_of_descriptors)
                    reply = gateway.post(chat("best"))
                assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")
                assert reply.headers["retry-after"] == "1"
                assert (len(first.requests), len(second.requests)) == (0, 0)
            reply = gateway.post(chat("best"))
            assert reply.headers["x-gateway-attempts"] == "a/m=200", "it rests for nothing it has done"


def out_of_descriptors(*_: object) -> object:
    raise OSError(errno.EMFILE, "Too many open files")


def test_a_body_that_cannot_be_stored_is_refused_and_the_next_request_is_not(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Served(app, max_body=8 * MIB) as served:
        with monkeypatch.context() as patched:
            patched.setattr("tempfile.TemporaryFile", out_of_descriptors)
            answer = served.ask(post(b"/", b"x" * (2 * MIB)))
        assert (answer.status, answer.error["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"
        assert served.ask(post(b"/", b"x" * (2 * MIB), b"Connection: close")).json["length"] == 2 * MIB


def test_an_answer_that_cannot_be_stored_ends_its_connection_and_no_other(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Served(app) as served, served.connect() as slow:
        with monkeypatch.context() as patched:
            patched.setattr("tempfile.TemporaryFile", out_of_descriptors)
            app.pieces.release(3)
            slow.sendall(get(b"/stream"))
            until(lambda: served.open == 0)
        assert served.ask(get(b"/", b"Connection: close")).status == 200
