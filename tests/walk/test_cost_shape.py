"""What a request costs must not depend on what came before it or on how much is configured.

Nothing here looks at a watch. Steps of the program are counted, and allocated blocks; and because a scan inside a C
function is one call however long it is, the clock gives times that count how often they are compared.
"""

import gc
import io
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from statistics import median_low
from types import FrameType

import pytest
from werkzeug.test import EnvironBuilder

from gateway.core.clock import Clock
from gateway.core.errors import CallerLeft
from gateway.core.request import ChatRequest
from gateway.limits.rate_limiter import LOOK, RateLimiter
from gateway.observe.log_format import JsonFormatter
from gateway.observe.logs import ROOT
from gateway.observe.masking import Masker
from gateway.providers.base import Answer, AttemptContext, OpenStream
from gateway.providers.factory import BUILDERS
from tests.support.application import WholeApplication, application_of
from tests.support.failover_scene import ANSWER
from tests.support.fakes import DrivenClock, FakeClock
from tests.support.limits import requests_row
from tests.support.running import alias, chat, loaded, provider

PORT = 8080
HANG = 30.0


class Scripted:
    """A provider that answers at once."""

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, request: ChatRequest, context: AttemptContext) -> Answer:
        context.on_sent()
        return ANSWER

    def open(self, request: ChatRequest, context: AttemptContext) -> OpenStream:
        raise NotImplementedError

    def close(self) -> None:
        pass


class Compared(float):
    """A time that counts how often times are compared."""

    count = 0

    def __eq__(self, other: object) -> bool:
        Compared.count += 1
        return float.__eq__(self, other) is True

    def __hash__(self) -> int:
        return float.__hash__(self)


class ComparingClock(FakeClock):
    """Its times count how often they are compared."""

    def monotonic(self) -> float:
        return Compared(super().monotonic())


class Gateway:
    """A gateway without a server: its WSGI application, and how to ask it."""

    def __init__(self, application: WholeApplication, clock: FakeClock, model: str) -> None:
        self._application = application
        self._clock = clock
        self._body = json.dumps(chat(model)).encode()

    def ask(self, pause: float = 1.0) -> None:
        """One chat; time passes before it."""
        self._clock.advance(pause)
        builder = EnvironBuilder(
            path="/v1/chat/completions",
            method="POST",
            base_url=f"http://127.0.0.1:{PORT}",
            content_type="application/json",
            input_stream=io.BytesIO(self._body),
            content_length=len(self._body),
        )
        environ = builder.get_environ()
        said: list[str] = []

        def start_response(status: str, headers: object, exc_info: object = None) -> Callable[[bytes], object]:
            said.append(status)
            return lambda data: None

        body = self._application.proxy.wsgi(environ, start_response)
        try:
            answer = b"".join(body)
        finally:
            getattr(body, "close", list)()
        assert said == ["200 OK"], answer

    def settle(self) -> None:
        """Have the ledger's thread take what it has been handed."""
        assert self._application.runtime.ledger.flush(30)

    def steps(self) -> int:
        """What one chat takes; see `counted`."""
        with counted() as found:
            self.ask()
        return found[0]


@contextmanager
def counted() -> Iterator[list[int]]:
    """Counts the steps of this thread: lines of Python, and calls of functions written in C. Calls alone would miss a
    loop that calls nothing, and the making of a `str`, which is no call to a profiler."""
    found = [0]

    def profiled(frame: FrameType, event: str, argument: object) -> None:
        found[0] += event == "c_call"

    def traced(frame: FrameType, event: str, argument: object) -> object:
        found[0] += event == "line"
        return traced

    before = sys.getprofile(), sys.gettrace()
    sys.setprofile(profiled)
    sys.settrace(traced)  # type: ignore[arg-type]  # a function that returns itself has no type
    try:
        yield found
    finally:
        sys.setprofile(before[0])
        sys.settrace(before[1])


@contextmanager
def gateway(*, aliases: int = 1, providers: int = 1, clock: FakeClock | None = None) -> Iterator[Gateway]:
    """A gateway with a limit that never binds and so many aliases and providers that answer at once; the last ones are
    asked."""
    names = [f"p{number:04}" for number in range(providers)]
    config = {
        "modelAliases": [alias(f"m{number:04}", f"{names[-1]}/a", f"{names[0]}/b") for number in range(aliases)],
        "rateLimits": [{"provider": name, "requestsPerMinute": 1_000_000} for name in names],
        "providers": {name: provider("http://127.0.0.1:1/v1", apiKey=f"sk-{name}-0123456789") for name in names},
    }
    clock = clock or FakeClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUILDERS, "openai_chat", lambda parts: Scripted(parts.resolved.name))
        with ExitStack() as stack:
            application = stack.enter_context(application_of(loaded(config), port=PORT, clock=clock))
            closing = stack.pop_all()
    with closing, logging_to_nobody(application.runtime.masker):
        yield Gateway(application, clock, f"m{aliases - 1:04}")


@contextmanager
def logging_to_nobody(masker: Masker) -> Iterator[None]:
    """Log lines are made and go nowhere: the test runner would keep them, whatever level another test has left."""
    logger = logging.getLogger(ROOT)
    before = logger.level, logger.propagate
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        handler = logging.StreamHandler(nowhere)
        handler.setFormatter(JsonFormatter(masker))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before[0])
            logger.propagate = before[1]


def usual(ask: Callable[[], int]) -> int:
    """The median: every few requests one tidies up after the others, and takes some steps more."""
    return int(median_low(ask() for _ in range(25)))


# A request through the application --------------------------------------------------------------------------------


def test_a_request_takes_as_many_steps_after_two_thousand_others_as_after_a_hundred() -> None:
    with gateway() as served:
        for _ in range(100):
            served.ask()
        early = usual(served.steps)
        for _ in range(1_900):
            served.ask()
        assert usual(served.steps) <= early


@pytest.mark.usefixtures("collected")
def test_a_request_leaves_nothing_behind() -> None:
    with gateway() as served:
        blocks = []
        for _ in range(2):
            for _ in range(500):
                served.ask()
            served.settle()
            gc.collect()
            blocks.append(sys.getallocatedblocks())
        # whatever a request left would be 500 blocks or more; the interpreter itself comes and goes with some dozens
        assert blocks[1] - blocks[0] < 250, "500 requests have left memory behind"


@pytest.mark.usefixtures("collected")
def test_a_request_leaves_no_cycle_for_the_garbage_collector() -> None:
    with gateway(aliases=2, providers=2) as served:
        for _ in range(5):
            served.ask()
        served.settle()
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                served.ask()
            served.settle()
            left = gc.collect()
        finally:
            gc.enable()
        assert left < 20, "each request has left something that only the garbage collector frees"


@pytest.mark.parametrize(("few", "many"), [((10, 1), (300, 1)), ((10, 2), (10, 100))], ids=["aliases", "providers"])
def test_a_request_costs_the_same_however_much_is_configured(few: tuple[int, int], many: tuple[int, int]) -> None:
    costs = []
    for aliases, providers in (few, many):
        with gateway(aliases=aliases, providers=providers) as served:
            for _ in range(50):
                served.ask()
            costs.append(usual(served.steps))
    assert costs[1] <= costs[0]


def test_a_request_compares_as_few_times_in_a_busy_minute_as_in_a_quiet_one() -> None:
    costs = []
    with gateway(clock=ComparingClock()) as served:
        for before in (20, 500):
            for _ in range(before):
                served.ask(0.001)
            Compared.count = 0
            served.ask(0.001)
            costs.append(Compared.count)
    assert costs[1] <= costs[0] + 5


# The line before a provider ---------------------------------------------------------------------------------------


class CountingClock(DrivenClock):
    """Counts how often somebody goes to sleep, which is how often somebody was woken and one more."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeps = 0
        self._counted = threading.Condition()

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        with self._counted:
            self.sleeps += 1
            self._counted.notify_all()
        return super().wait(condition, timeout)

    def until(self, sleeps: int) -> None:
        """Blocks until so many have gone to sleep."""
        with self._counted:
            assert self._counted.wait_for(lambda: self.sleeps >= sleeps, HANG), f"{self.sleeps} of {sleeps} sleep"


def limiter(clock: Clock) -> RateLimiter:
    limited = requests_row("p", 1, max_queue=1_000, max_wait=1e9, clock=clock)
    assert limited.try_acquire()
    return limited


@contextmanager
def waiting(callers: int) -> Iterator[tuple[RateLimiter, CountingClock]]:
    """So many callers who sleep in line."""
    clock = CountingClock()
    limited = limiter(clock)
    leave = threading.Event()
    with ThreadPoolExecutor(callers) as pool:
        line = [pool.submit(limited.acquire, deadline=1e12, left=leave.is_set) for _ in range(callers)]
        try:
            clock.until(callers)
            yield limited, clock
        finally:
            leave.set()
            while limited.waiting:
                clock.advance(LOOK)
        assert all(isinstance(each.exception(HANG), CallerLeft) for each in line)


@pytest.mark.parametrize("callers", [5, 50])
def test_a_look_at_the_line_wakes_each_caller_once(callers: int) -> None:
    with waiting(callers) as (_, clock):
        for rounds in (2, 3, 4):
            clock.advance(LOOK)
            clock.until(rounds * callers)
            assert clock.sleeps == rounds * callers


def test_joining_a_long_line_costs_what_joining_a_short_one_does() -> None:
    costs = []
    for callers in (5, 50):
        with waiting(callers) as (limited, _), counted() as found:
            limited.expected_wait()
            limited.try_acquire()
        costs.append(found[0])
    assert costs[0] == costs[1]
