"""A stop that is given from outside, beside signals: answers end whole, and `run` returns an exit code."""

import gc
import http.client
import json
import logging
import queue
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from gateway.config.overrides import NOTHING
from gateway.outputs import FLUSH_SECONDS
from gateway.process import STOP_SECONDS
from gateway.run import run
from tests.support.running import alias, chat, loaded, on_port, provider
from tests.support.upstream_script import Done, ScriptedUpstream, Sse, WaitFor, sse_events

HANG = 30
DRAIN_SECONDS = 20


class Manager:
    """A supervisor that keeps what it hears, and the gateway that it supervises, on a thread as a Windows service."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self._config = {
            "gateway": {"drainSeconds": DRAIN_SECONDS},
            "providers": {"a": provider(upstream.base_url)},
            "modelAliases": [alias("best", "a/m")],
        }
        self._heard: queue.Queue[tuple[int, Callable[[], None]]] = queue.Queue()
        self.stopping_within: queue.Queue[float] = queue.Queue()
        self.codes: queue.Queue[int] = queue.Queue()
        self.thread = threading.Thread(target=self._run, name="ServiceMain")

    def _run(self) -> None:
        self.codes.put(run(on_port(loaded(self._config), 0), {}, NOTHING, [self]))

    def start(self) -> tuple[int, Callable[[], None]]:
        """Returns the port, and what asks the gateway to stop."""
        self.thread.start()
        return self._heard.get(timeout=HANG)

    def serving(self, port: int, stop: Callable[[], None]) -> None:
        self._heard.put((port, stop))

    def stopping(self, seconds: float) -> None:
        self.stopping_within.put(seconds)


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
def manager(upstream: ScriptedUpstream) -> Iterator[Manager]:
    root, own = logging.getLogger(), logging.getLogger("gateway")
    handlers, levels = root.handlers[:], (root.level, own.level)
    manager = Manager(upstream)
    yield manager
    manager.thread.join(HANG)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])
    gc.unfreeze()  # the start's objects are this process's, which goes on
    assert not manager.thread.is_alive()


def stream(port: int) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG)
    body = json.dumps(chat("best", stream=True))
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    return connection, connection.getresponse()


def test_a_stream_ends_whole_however_often_it_is_given(upstream: ScriptedUpstream, manager: Manager) -> None:
    """A second signal would end the process; this is no signal."""
    go_on = threading.Event()
    upstream.plays(Sse(sse_events("one two")[:2]), WaitFor(go_on), Sse(sse_events("one two")[2:]), Done())
    port, stop = manager.start()
    connection, response = stream(port)
    assert b"role" in response.readline()
    for _ in range(3):
        stop()
    assert manager.stopping_within.get(timeout=HANG) == DRAIN_SECONDS + STOP_SECONDS + 2 * FLUSH_SECONDS
    stop()
    assert manager.codes.empty()
    go_on.set()
    text = response.read()
    connection.close()
    assert b"two" in text and text.rstrip().endswith(b"data: [DONE]")
    assert manager.codes.get(timeout=HANG) == 0


def test_an_idle_gateway_leaves_at_once(manager: Manager) -> None:
    _, stop = manager.start()
    stop()
    assert manager.codes.get(timeout=HANG) == 0


def test_signals_stay_whose_they_were(manager: Manager) -> None:
    """Only the main thread gets signals, and a service has another one."""
    before = signal.getsignal(signal.SIGINT)
    _, stop = manager.start()
    assert signal.getsignal(signal.SIGINT) is before
    stop()
