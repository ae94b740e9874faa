"""The scenarios: each one puts one kind of load on a running contender and returns figures.

The names of figures are those of the columns in `report.py`. rate is per second; p50, p99 and cpu are microseconds; lag
and first are milliseconds.
"""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from benchmarks import machine, stream_load, wrk
from benchmarks.contenders import Contender, Place, Served
from benchmarks.faults import Unmeasurable
from benchmarks.figures import Figures, percentile
from benchmarks.processes import healthy
from benchmarks.traffic import (
    MESSAGES_PATH,
    RESPONSES_PATH,
    large_chat,
    slow_chat,
    small_chat,
    small_message,
    small_response,
)
from benchmarks.whole_load import Load

Kind = Literal["whole", "streams", "bulk", "health", "start"]
SLOW_MS: Final = 2_000
BUSY_CALLS: Final = 60
"""How many more slow calls there are than threads, so that every thread is busy and some calls wait."""
HEALTH_CHECKS: Final = 100
SETTLE_SECONDS: Final = 0.5
RAMP_SHARE: Final = 0.3
"""The share of a turn in which the streams begin one after the other."""
BULK_STREAMS: Final = 4
BULK_CHUNKS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of a scenario.

    Attributes:
        seconds: the length of a turn.
        wrk: the program; None if it is not installed.
        cores: which process runs on which core.
    """

    seconds: float
    wrk: str | None
    cores: machine.Cores


class Scenario(Protocol):
    """A kind of load, which gives one row of figures for each contender."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def title(self) -> str: ...

    def measure(self, served: Served, tools: Tools) -> Figures:
        """Run one turn. Raises Unmeasurable."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole answers, one after the other on each connection."""

    connections: int
    large: bool = False
    kind: Kind = "whole"

    @property
    def name(self) -> str:
        return f"large-{self.connections}" if self.large else f"whole-{self.connections}"

    @property
    def title(self) -> str:
        what = "requests of 120 KB" if self.large else "small whole answers"
        return f"{what}, {self.connections} connection{'s' if self.connections > 1 else ''}"

    def measure(self, served: Served, tools: Tools) -> Figures:
        make = large_chat if self.large else small_chat
        return _whole(served, tools, self.connections, make(served.target.model), served.target.path)


@dataclass(frozen=True, slots=True)
class Translated:
    """Whole answers of a chat provider, asked for by another API."""

    api: Literal["messages", "responses"]
    connections: int = 8
    kind: Kind = "whole"

    @property
    def name(self) -> str:
        return f"{self.api}-{self.connections}"

    @property
    def title(self) -> str:
        return f"small whole answers of a chat provider by the {self.api.title()} API, {self.connections} connections"

    def measure(self, served: Served, tools: Tools) -> Figures:
        model = served.target.translated
        if not model:
            raise Unmeasurable(f"it does not speak {self.api.title()}")
        body, path = (
            (small_message(model), MESSAGES_PATH) if self.api == "messages" else (small_response(model), RESPONSES_PATH)
        )
        return _whole(served, tools, self.connections, body, path)


def _whole(served: Served, tools: Tools, connections: int, body: bytes, path: str) -> Figures:
    before = cpu(served)
    if tools.wrk:
        figures = wrk.run(tools.wrk, served.target, body, path=path, connections=connections, seconds=tools.seconds)
    else:
        figures = Load(served.target.port, served.target.post(body, path), connections).run(tools.seconds)
    return {**figures, **used(served, before, figures["requests"])}


@dataclass(frozen=True, slots=True)
class Streams:
    """Streams at the pace of a model."""

    streams: int
    rate: int
    kind: Kind = "streams"

    @property
    def name(self) -> str:
        return f"streams-{self.streams}x{self.rate}"

    @property
    def title(self) -> str:
        return f"{self.streams} streams at {self.rate} chunks a second"

    def measure(self, served: Served, tools: Tools) -> Figures:
        ramp = tools.seconds * RAMP_SHARE
        chunks = max(1, int(self.rate * tools.seconds))
        plan = stream_load.Plan(self.streams, chunks, self.rate, ramp, limit=ramp + 2 * tools.seconds + 2)
        return _streamed(served, plan)


@dataclass(frozen=True, slots=True)
class Bulk:
    """A few streams without a pace, which show the throughput."""

    kind: Kind = "bulk"
    name: str = "bulk"
    title: str = f"{BULK_STREAMS} streams as fast as they come"

    def measure(self, served: Served, tools: Tools) -> Figures:
        return _streamed(served, stream_load.Plan(BULK_STREAMS, BULK_CHUNKS, 0, 0.0, limit=tools.seconds))


@dataclass(frozen=True, slots=True)
class Health:
    """/health while there are more slow calls than threads."""

    calls: int
    kind: Kind = "health"
    name: str = "health"

    @property
    def title(self) -> str:
        return f"health checks while {self.calls} slow calls are under way"

    def measure(self, served: Served, tools: Tools) -> Figures:
        request = served.target.post(slow_chat(served.target.model, SLOW_MS))
        load = Load(served.target.port, request, self.calls)
        asked = threading.Event()
        thread = threading.Thread(target=_quietly, args=(load, asked), name="slow-calls")
        thread.start()
        try:
            if not asked.wait(SLOW_MS / 1000):
                raise Unmeasurable("it does not take the slow calls")
            times = _health_checks(served, time.perf_counter() + SLOW_MS / 1000 * 0.75)
        finally:
            thread.join()
        return {"p50": percentile(times, 50) * 1e3, "p99": percentile(times, 99) * 1e3, "checks": len(times)}


def _quietly(load: Load, asked: threading.Event) -> None:
    with suppress(Unmeasurable):
        load.run(0.0, asked.set)


def _health_checks(served: Served, end: float) -> list[float]:
    """The seconds of each health check, one after the other on new connections, as a supervisor does it."""
    times: list[float] = []
    while len(times) < HEALTH_CHECKS and (began := time.perf_counter()) < end:
        if not healthy(served.target.port, served.target.health):
            raise Unmeasurable(f"{served.target.health} says no while calls are under way")
        times.append(time.perf_counter() - began)
    return times


@dataclass(frozen=True, slots=True)
class ColdStart:
    """From the start of the process to the first answer."""

    kind: Kind = "start"
    name: str = "start"
    title: str = "from the start of the process to the first answer"

    def measure_start(self, contender: Contender, place: Place, cores: machine.Cores) -> Figures:
        """Start a contender, wait for its first answer, and end it."""
        own = replace(place, folder=place.folder / "start")
        own.folder.mkdir(exist_ok=True)
        began = time.perf_counter()
        with cores.first():
            served = contender.start(own)
        if served.child is None:
            return {}
        try:
            target = served.target
            served.child.wait_until(lambda: healthy(target.port, target.health))
            seconds = time.perf_counter() - began
            memory = machine.resident(served.child.pid)
            return {"start": seconds, **({} if memory is None else {"idle": memory})}
        finally:
            served.child.stop()

    def measure(self, served: Served, tools: Tools) -> Figures:
        """The memory of the contender that has served all the load."""
        memory = machine.resident(served.child.pid) if served.child else None
        return {} if memory is None else {"loaded": memory}


def _streamed(served: Served, plan: stream_load.Plan) -> Figures:
    before = cpu(served)
    figures = stream_load.run(served.target, plan)
    memory = machine.resident(served.child.pid) if served.child else None
    held = {} if memory is None else {"memory": memory}
    return {**figures, **used(served, before, figures["chunks"]), **held}


def cpu(served: Served) -> float | None:
    """The processor seconds that the contender has used so far; None if unknown."""
    return machine.cpu_seconds(served.child.pid) if served.child else None


def used(served: Served, before: float | None, pieces: float) -> Figures:
    """The processor time since `before`, in microseconds for each of `pieces`."""
    after = cpu(served)
    if before is None or after is None or not pieces:
        return {}
    return {"cpu": (after - before) * 1e6 / pieces}


def plan(*, quick: bool, threads: int) -> tuple[Scenario, ...]:
    """The scenarios in their order."""
    if quick:
        return Whole(4), Whole(2, large=True), Streams(10, 50), Bulk(), Health(8), ColdStart()
    whole = [Whole(connections) for connections in (1, 8, 32, 64)]
    streams = [Streams(10, 50), Streams(100, 50), Streams(500, 50), Streams(1000, 10)]
    translated = [Translated("messages"), Translated("responses")]
    return (*whole, Whole(8, large=True), *translated, *streams, Bulk(), Health(threads + BUSY_CALLS), ColdStart())
