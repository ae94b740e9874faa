"""A fault of ours: in handling one connection it ends that connection; in the loop itself it ends the process."""

import logging
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.httpd.connection import Connection
from gateway.httpd.listening import bind
from gateway.httpd.output import Output
from gateway.httpd.server import HttpServer
from gateway.httpd.supervision import SupervisedConnection
from tests.support.edge import LIMIT, MIB, App, Served, application, get, post, read_answer, until

ROOT = Path(__file__).parent.parent.parent


class Planted(Exception):
    """A fault that a test has planted."""


def plant(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, spared: Sequence[object]) -> list[object]:
    """Have the first connection that comes there fail, again and again; the others go on, as do those that are spared.
    Gives whom it was."""
    usual = getattr(owner, name)
    victims: list[object] = []

    def fails(self: object, *arguments: object, **named: object) -> object:
        if not victims and not any(self is each for each in spared):
            victims.append(self)
        if victims and self is victims[0]:
            raise Planted
        return usual(self, *arguments, **named)

    monkeypatch.setattr(owner, name, fails)
    return victims


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Connection, "feed"),
        (Connection, "answered"),
        (SupervisedConnection, "settle"),
        (SupervisedConnection, "interest"),
        (SupervisedConnection, "peek"),
        (Connection, "receive"),
    ],
)
def test_a_fault_of_one_connection_ends_that_one_only(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, owner: type, name: str
) -> None:
    with Served(app, threads=16) as served, served.connect() as before:
        before.sendall(post(b"/", b"{}"))
        assert read_answer(before).status == 200
        victims = plant(monkeypatch, owner, name, served.server.connections)  # the loop may not be done with it yet
        with served.connect() as victim:
            victim.sendall(post(b"/hold" if name == "peek" else b"/", b"{}"))
            if name == "peek":
                assert app.held.acquire(timeout=LIMIT)
                victim.sendall(b"P")
            until(lambda: bool(victims))
            if name == "peek":
                app.let_go.set()
            while victim.recv(1 << 16):
                pass
        for _ in range(3):
            before.sendall(post(b"/", b"{}"))
            assert read_answer(before).status == 200
        with served.connect() as later:
            later.sendall(get(b"/health"))
            assert read_answer(later).status == 200
        until(lambda: served.open <= 2)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "a fault of the gateway" in caplog.text and "Planted" in caplog.text


def test_a_fault_in_flushing_ends_that_connection_only(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(output: Output) -> None:
        raise Planted

    with Served(app) as served, served.connect() as victim, served.connect() as other:
        monkeypatch.setattr(Output, "flush", fails)
        app.pieces.release(3)
        victim.sendall(get(b"/stream"))
        for _ in range(3):
            assert app.held.acquire(timeout=LIMIT)
        until(lambda: any(each.output.untaken for each in served.server.connections))  # read now, all might be taken
        while victim.recv(MIB):  # to its end: what the loop was to send does not come
            pass
        other.sendall(get())
        assert read_answer(other).status == 200
        until(lambda: served.open == 1)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_loop_that_dies_says_so_and_leaves_nobody_waiting(app: App, caplog: pytest.LogCaptureFixture) -> None:
    sockets = bind("127.0.0.1", 0)
    died = threading.Event()
    server = HttpServer(application(app), sockets, threads=4, max_body=MIB, on_death=died.set)
    server.start()

    def fails(seconds: float) -> object:
        raise Planted

    with socket.create_connection(sockets[0].getsockname(), timeout=LIMIT) as waiting:
        waiting.sendall(post(b"/hold", b"{}"))
        assert app.held.acquire(timeout=LIMIT)
        server._loop._selector.select = fails  # type: ignore[method-assign, assignment]
        server._loop.call(lambda: None)
        assert died.wait(LIMIT)
        assert server.died
        assert waiting.recv(1) == b""
        app.let_go.set()
    server.close()
    (record,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "nothing is served any more" in record.message


PROGRAM = """
import selectors, sys, threading
from gateway import cli

usual = selectors.DefaultSelector.select
def select(self, timeout=None):
    if threading.current_thread().name == "gateway-http" and asked.is_set():
        raise OSError(9, "planted")
    return usual(self, timeout)
selectors.DefaultSelector.select = select
asked = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), asked.set()), daemon=True).start()
sys.argv = ["app.py", "--port", "0"]
cli.main()
"""


def test_a_dead_loop_is_a_dead_process(tmp_path: Path) -> None:
    """A loop that is dead in a process that lives is the worst of all ends: nobody starts it again."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        cwd=ROOT,
        env={"PATH": "", "LLM_GATEWAY_CONFIG": "", "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdin is not None and process.stderr is not None
        while "Try:" not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(LIMIT) == 1
        assert "Stopped by a fault of the gateway" in process.stdout.read()
        assert "planted" in process.stderr.read()
