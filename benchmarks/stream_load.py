"""A load of streams: hundreds of clients on one selector, which record the lag of every chunk.

The upstream writes the time into each chunk, so lag is the time from its send to our receive, with everything between.
A chunk that waits in a buffer is late, and a chunk that never comes is lost.
"""

import selectors
import socket
import time
from array import array
from dataclasses import dataclass
from random import Random
from typing import Final

from benchmarks.faults import Unmeasurable
from benchmarks.figures import Figures, percentile
from benchmarks.framing import Answer
from benchmarks.traffic import STAMP, Target, streamed_chat

RECEIVE: Final = 1 << 18
LATE_NS: Final = 50_000_000
"""Nanoseconds of lag that a reader begins to see as stutter."""
STAMP_BYTES: Final = 21
MS: Final = 1e6
CONNECT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The load.

    Attributes:
        streams: the number of streams at the same time.
        chunks: the number of chunks of each stream.
        rate: chunks a second of each stream; 0 is as fast as they come.
        ramp: the seconds in which the streams begin.
        limit: the seconds after which missing chunks are lost.
    """

    streams: int
    chunks: int
    rate: int
    ramp: float
    limit: float


class Stream:
    """One client with one stream."""

    def __init__(self, port: int, request: bytes) -> None:
        self._answer = Answer()
        self._tail = b""
        self.received = 0
        self.began = time.perf_counter_ns()
        self.first: int | None = None
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_SECONDS)
        self.socket.sendall(request)
        self.socket.setblocking(False)

    def receive(self, lags: "array[int]") -> bool:
        """Read the available bytes and record each chunk's lag. Returns whether the stream goes on."""
        try:
            data = self.socket.recv(RECEIVE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        now = time.perf_counter_ns()
        content = self._tail + self._answer.feed(data)
        end = 0
        for found in STAMP.finditer(content):
            lags.append(now - int(found[1]))
            self.received += 1
            end = found.end()
        self._tail = content[max(end, len(content) - STAMP_BYTES + 1) :]
        if self.first is None and self.received:
            self.first = now
        return bool(data) and not self._answer.complete and self._answer.status == 200


def run(target: Target, plan: Plan) -> Figures:
    """Carry the plan out.

    Returns:
        first_p50, first_p99, lag_p50, lag_p99: milliseconds. late: percent of the chunks. lost: chunks that did not
        come. chunks: chunks that came. rate: chunks a second.

    Raises:
        Unmeasurable: a connection cannot be opened.
    """
    request = target.post(streamed_chat(target.model, plan.chunks, plan.rate))
    began = time.perf_counter()
    load = _Load(target.port, request, plan)
    load.run(began)
    took = (load.last or time.perf_counter()) - began
    return _figures(plan, load.all, load.lags, took)


def _figures(plan: Plan, streams: list[Stream], lags: "array[int]", took: float) -> Figures:
    firsts = [each.first - each.began for each in streams if each.first is not None]
    late = sum(lag > LATE_NS for lag in lags)
    ordered = sorted(lags)
    return {
        "first_p50": percentile(firsts, 50) / MS,
        "first_p99": percentile(firsts, 99) / MS,
        "lag_p50": percentile(ordered, 50) / MS,
        "lag_p99": percentile(ordered, 99) / MS,
        "late": 100 * late / len(lags) if lags else 0.0,
        "lost": plan.streams * plan.chunks - len(lags),
        "chunks": len(lags),
        "rate": len(lags) / took,
    }


class _Load:
    """Opens the streams of a plan one after the other, and reads them until all have ended or the limit is reached."""

    def __init__(self, port: int, request: bytes, plan: Plan) -> None:
        self._port = port
        self._request = request
        self._plan = plan
        self._selector = selectors.DefaultSelector()
        # at random, always the same: streams that begin at equal distances send their chunks in groups at one moment,
        # and lag would measure the size of the groups
        draw = Random(plan.streams)  # noqa: S311 - no secret depends on it
        self._begins = sorted((draw.uniform(0, plan.ramp) for _ in range(plan.streams)), reverse=True)
        self.all: list[Stream] = []
        self.lags: array[int] = array("q")
        self.last: float | None = None

    def run(self, began: float) -> None:
        plan = self._plan
        try:
            while (now := time.perf_counter() - began) < plan.limit:
                self._open(now)
                if len(self.all) == plan.streams and not self._selector.get_map():
                    break
                for key, _ in self._selector.select(0.002 if self._begins else 0.02):
                    self._ready(key.data)
        finally:
            for key in list(self._selector.get_map().values()):
                key.data.socket.close()
            self._selector.close()

    def _open(self, now: float) -> None:
        """Open the streams that are due by now. Opening all at once would measure the burst of connections."""
        while self._begins and self._begins[-1] <= now:
            self._begins.pop()
            try:
                stream = Stream(self._port, self._request)
            except OSError as error:
                raise Unmeasurable(f"no connection: {error}") from None
            self.all.append(stream)
            self._selector.register(stream.socket, selectors.EVENT_READ, stream)

    def _ready(self, stream: Stream) -> None:
        if not stream.receive(self.lags):
            self._selector.unregister(stream.socket)
            stream.socket.close()
        self.last = time.perf_counter()
