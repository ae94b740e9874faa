"""Requests under way: never more than the limit and none at the end, however calls end; and settled tokens."""

import threading
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.rate_limit import RateLimit
from gateway.core.answer import Usage
from gateway.core.clock import SystemClock
from gateway.core.errors import GatewayError
from gateway.core.provider_failures import ConnectionFailed, StreamBroken, Unavailable
from gateway.core.rendered import Rendered
from gateway.core.request import ChatRequest
from gateway.dispatch.call import Call
from gateway.dispatch.caller import NoCaller
from gateway.limits.gauges import TokensPerMinute
from gateway.limits.permit import Permit
from gateway.limits.rate_limiter import RateLimiter
from gateway.limits.slots import Need
from gateway.providers.base import Answer, AttemptContext, OpenStream
from tests.support.failover_scene import ANSWER, OUTBOUND, NoBody, asked, chat_of, route
from tests.support.fakes import FakeClock
from tests.support.limits import slots, used
from tests.support.scene import Dispatch

pytestmark = pytest.mark.usefixtures("both_engines")

LIMIT = 4
THREADS = 10
CALLS = 50
HANG = 60.0


class UnderWay:
    """The requests that a provider has not ended yet, and the most at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = self.all = 0

    def begin(self) -> None:
        with self._lock:
            self.now += 1
            self.all += 1
            self.most = max(self.most, self.now)

    def end(self) -> None:
        with self._lock:
            self.now -= 1


class CountedBody(NoBody):
    """Ends its request when it is closed."""

    def __init__(self, under_way: UnderWay) -> None:
        self._under_way: UnderWay | None = under_way

    def close(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.end()


class Unreliable:
    """Answers, fails before and after sending, breaks on a fault of ours, streams."""

    name = "a"

    def __init__(self, under_way: UnderWay) -> None:
        self._under_way = under_way

    def send(self, request: ChatRequest, context: AttemptContext) -> Answer:
        how = Random(context.deadline).choice(["answer", "refused", "unsent", "fault"])
        if how == "unsent":
            raise ConnectionFailed("x")
        self._under_way.begin()
        try:
            context.on_sent()
            if how == "refused":
                raise Unavailable("x")
            if how == "fault":
                raise ZeroDivisionError
            return ANSWER
        finally:
            self._under_way.end()

    def open(self, request: ChatRequest, context: AttemptContext) -> OpenStream:
        self._under_way.begin()
        context.on_sent()
        return OpenStream([], OUTBOUND.decoder(0, Rendered(b"")), CountedBody(self._under_way), ())

    def close(self) -> None:
        pass


def test_five_hundred_calls_that_end_in_every_way_never_hold_more_places_than_there_are(tmp_path: Path) -> None:
    clock, under_way = SystemClock(), UnderWay()
    row = RateLimit(provider="a", max_concurrent=LIMIT, max_queue_size=THREADS, max_wait_seconds=HANG)
    parts = Dispatch(tmp_path, {"a": Unreliable(under_way)}, clock, limits=[row])
    limiter = parts.limiters.of("a", "m")
    assert limiter is not None

    def call_many(seed: int) -> None:
        random = Random(seed)
        for _ in range(CALLS):
            gone = random.random() < 0.2
            call = Call("req_1", clock, timeout=HANG + random.random(), caller=NoCaller(lambda gone=gone: gone))  # type: ignore[misc]
            request = asked("hi", stream=random.random() < 0.4)
            try:
                answer = parts.failover.first_that_answers(route("a", "wait"), chat_of(request), call)
            except GatewayError:
                continue
            if isinstance(answer.answer, OpenStream):
                answer.answer.body.close()
                if random.random() < 0.5:
                    answer.ticket.failed(StreamBroken("cut"))
                answer.close()
            answer.close()

    threads = [threading.Thread(target=call_many, args=(seed,), daemon=True) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert not any(thread.is_alive() for thread in threads)
    assert under_way.most <= LIMIT
    assert under_way.all > THREADS
    assert (under_way.now, used(limiter), limiter.waiting) == (0, 0, 0)


@given(
    calls=st.lists(
        st.tuples(st.floats(0, 20), st.integers(1, 400), st.integers(1, 600), st.integers(0, 3)), max_size=60
    )
)
def test_in_any_minute_the_true_tokens_exceed_the_limit_by_no_more_than_the_errors_of_estimates_under_way(
    calls: list[tuple[float, int, int, int]],
) -> None:
    clock, limit = FakeClock(), 1_000
    limiter = RateLimiter("p", slots([TokensPerMinute(limit)], clock=clock), counts_tokens=True)
    running: list[tuple[int, Permit, int]] = []  # calls to come before it ends, and what it has used
    sent: list[tuple[float, int, int]] = []  # when, what was estimated, what was true
    for pause, estimate, true, later in calls:
        clock.advance(pause)
        permit = limiter.try_acquire(Need(tokens=estimate))
        if permit is not None:
            permit.sent()
            sent.append((clock.monotonic(), estimate, true))
            running.append((later, permit, true))
        for _, ending, used_up in (each for each in running if each[0] == 0):
            ending.settle(Usage(used_up, 0))
            ending.close()
        running = [(left - 1, ending, used_up) for left, ending, used_up in running if left > 0]
    for until_time, _, _ in sent:
        window = [each for each in sent if until_time - 60 < each[0] <= until_time]
        errors = sum(max(0, true - estimate) for _, estimate, true in window)
        assert sum(true for _, _, true in window) <= limit + errors
