"""A slow target and the one that is asked in parallel: real threads, and time that moves when the test moves it."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest

from gateway.config import schema
from gateway.config.rate_limit import RateLimit
from gateway.core.errors import CallerLeft, DeadlineExceeded, Draining, GatewayError, InternalFault
from gateway.core.provider_failures import (
    ConnectionFailed,
    ContentRefused,
    Evidence,
    InvalidAnswer,
    ProviderFailure,
    ProviderTimeout,
    RateLimited,
    RequestRejected,
    Unavailable,
)
from gateway.core.rendered import Rendered
from gateway.core.request import ChatRequest
from gateway.dispatch.call import MAX_TRIES, Call
from gateway.dispatch.caller import NoCaller
from gateway.dispatch.hedging import HedgedDispatch
from gateway.dispatch.operation import Chat
from gateway.dispatch.target_answer import TargetAnswer
from gateway.handler.reply_headers import attempts_text
from gateway.limits.rate_limiter import LOOK, RateLimiter
from gateway.limits.slots import MINUTE
from gateway.providers.base import Answer, AttemptContext, OpenStream
from gateway.routing.breaker import FIRST_OPENING, IN_A_ROW
from gateway.routing.latency import ENOUGH, PATIENCE, UNKNOWN
from gateway.routing.router import Route, Target
from gateway.upstream.byte_stream import ByteStream
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from tests.support.fakes import DrivenClock
from tests.support.scene import Dispatch

INBOUND = OpenAIChatCallers()
OUTBOUND = OpenAIChatProvider()
LONG = 20.0  # seconds; only a hang takes so long
TIMEOUT = 600.0
REQUEST = INBOUND.parse_request(
    json.dumps({"model": "best", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
)
CHAT = Chat(REQUEST, lambda response, request: b"", INBOUND.resume_request)
DOWN = Unavailable("down", evidence=Evidence(status=503, retry_after=60.0))
"""It says when to come back, so that nobody tries it twice."""


class FakeBody(ByteStream):
    """A body of which nothing is known but whether it was closed."""

    def __init__(self) -> None:
        self.closed = False
        self.cancels = 0

    def read(self, timeout: float) -> bytes:
        raise AssertionError("nobody reads it here")

    def close(self) -> None:
        self.closed = True

    def cancel(self) -> None:
        self.cancels += 1


class Try:
    """One request that a provider is at. The test says how it ends; a cut ends it as a broken connection."""

    def __init__(self, context: AttemptContext, *, speaks_when_cut: bool) -> None:
        self.context = context
        self.body = FakeBody()
        self.was_opened = False
        self.when_cut: Callable[[], object] = list
        self._speaks_when_cut = speaks_when_cut
        self._outcome: Exception | None = None
        self._over = threading.Event()

    def cancel(self) -> None:
        self.when_cut()
        if not self._speaks_when_cut and not self._over.is_set():
            self._outcome = InvalidAnswer("cut")
        self._over.set()

    def speaks(self) -> None:
        self._over.set()

    def fails(self, outcome: Exception) -> None:
        self._outcome = outcome
        self._over.set()

    def result(self) -> OpenStream:
        assert self._over.wait(LONG), "nobody has ended the try"
        if self._outcome is not None:
            raise self._outcome
        self.was_opened = True
        self.context.on_wait(self.body)
        return OpenStream([], OUTBOUND.decoder(0, Rendered(b"")), self.body, ())


class FakeProvider:
    """Tells the test of every request and waits for what becomes of it; or plays `at_once` where that is given."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.at_once: list[Exception | None] = []
        self.speaks_when_cut = False
        self.tries: list[Try] = []
        self._changed = threading.Condition()

    def asked(self, times: int = 1) -> Try:
        """The latest try, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.tries) >= times, LONG), f"{self.name} is not asked"
            return self.tries[times - 1]

    def send(self, request: ChatRequest, context: AttemptContext) -> Answer:
        raise AssertionError("all requests here are for streams")

    def open(self, request: ChatRequest, context: AttemptContext) -> OpenStream:
        made = Try(context, speaks_when_cut=self.speaks_when_cut)
        context.on_wait(made)
        context.on_sent()
        if self.at_once:
            outcome = self.at_once.pop(0)
            if outcome is None:
                made.speaks()
            else:
                made.fails(outcome)
        with self._changed:
            self.tries.append(made)
            self._changed.notify_all()
        return made.result()

    def close(self) -> None:
        pass


class Failures(list[GatewayError]):
    """Failures that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def append(self, failure: GatewayError) -> None:
        with self._changed:
            super().append(failure)
            self._changed.notify_all()

    def until(self, times: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self) >= times, LONG)


class Scene:
    """One call to the providers a, b, c and d, in a thread of its own; what it starts beside runs in further ones."""

    def __init__(self, folder: Path, limits: Sequence[RateLimit], first_token: Literal["auto"] | float) -> None:
        self.clock = DrivenClock()
        self.providers = {name: FakeProvider(name) for name in "abcd"}
        self.has_left = False
        self.call = Call("req_1", self.clock, timeout=TIMEOUT, caller=NoCaller(lambda: self.has_left))
        self.reached: TargetAnswer | None = None
        self.error: GatewayError | None = None
        self.beside: list[threading.Thread] = []
        self.thread: threading.Thread | None = None
        timeouts = {name: schema.Timeouts(first_token_seconds=first_token) for name in "abcd"}
        parts = Dispatch(folder, self.providers, self.clock, limits=limits, timeouts=timeouts)
        self.health, self.limiters, self.failover = parts.health, parts.limiters, parts.failover

    def __getitem__(self, name: str) -> FakeProvider:
        return self.providers[name]

    def begin(self, names: str, *, when_limited: Literal["next", "wait"] = "next") -> None:
        """Ask the targets m of the providers."""
        route = Route("best", tuple(Target(name, "m") for name in names), when_limited)

        def ask() -> None:
            try:
                self.reached = self.failover.first_that_answers(route, CHAT, self.call)
            except GatewayError as error:
                self.error = error

        self.thread = threading.Thread(target=ask)
        self.thread.start()

    def look(self) -> int:
        """What the thread that looks after all calls does; how many threads it had to start for that."""
        before = len(self.beside)
        if (why := self.call.reason_to_stop()) is not None:
            self.call.end(why)
        elif (hedging := self.call.hedging) is not None:
            hedging.hedge(self.spawn)
        return len(self.beside) - before

    def spawn(self, work: Callable[[], None]) -> bool:
        thread = threading.Thread(target=work)
        self.beside.append(thread)
        thread.start()
        return True

    @property
    def dispatch(self) -> HedgedDispatch:
        """While it lasts."""
        assert isinstance(self.call.hedging, HedgedDispatch)
        return self.call.hedging

    def passes(self, seconds: float) -> int:
        """Time passes, and someone looks; how many threads that starts."""
        self.clock.advance(seconds)
        return self.look()

    def takes(self, name: str) -> RateLimiter:
        """Use up a slot of the provider's limit."""
        limiter = self.limiters.of(name)
        assert limiter is not None
        assert limiter.try_acquire()
        return limiter

    def rests(self, name: str, failure: ProviderFailure) -> None:
        """A call before this one had failed there."""
        ticket = self.health.enter(Target(name, "m"), forced=True)
        assert ticket is not None
        ticket.failed(failure)

    def breaks(self, name: str) -> None:
        """Its breaker has opened, and a probe is due."""
        for _ in range(IN_A_ROW):
            self.rests(name, ConnectionFailed("x"))
        self.clock.advance(FIRST_OPENING)

    def until_asleep(self, thread: threading.Thread | None) -> None:
        assert thread is not None
        self.clock.until_asleep(thread.ident or 0)

    def end(self) -> None:
        """Every thread has ended."""
        for thread in [self.thread, *self.beside]:
            if thread is not None:
                thread.join(LONG)
                assert not thread.is_alive(), "a thread stays"

    def answered(self, by: str) -> str:
        """The record, after an answer from there."""
        self.end()
        assert (self.error, self.reached and self.reached.target) == (None, Target(by, "m"))
        assert self.call.target == Target(by, "m")
        return attempts_text(self.call)

    def failed(self) -> GatewayError:
        """What the caller is told."""
        self.end()
        assert (self.reached, self.call.target) == (None, None)
        assert self.error is not None
        return self.error

    def blamed(self) -> dict[str, int]:
        """Who has had failures that count."""
        standings = {name: self.health.describe(Target(name, "m")) for name in self.providers}
        return {name: standing.failures for name, standing in standings.items() if standing.failures}

    def leaves_no_trace(self) -> None:
        """No thread stays, whatever the caller did not get is closed, and every turn has its verdict once it has."""
        self.end()
        mine = self.reached.answer if self.reached else None
        for provider in self.providers.values():
            for made in provider.tries:
                theirs = isinstance(mine, OpenStream) and mine.body is made.body
                assert made.body.closed == (made.was_opened and not theirs), f"the stream of {provider.name}"
                assert not theirs or not made.body.cancels, "the caller's stream was cut"
        if self.reached is not None:
            assert not repr(self.reached.ticket).endswith("over)"), "a stream that begins has not ended well yet"
            self.reached.close()
        assert [ticket for ticket in self.health.tickets if not repr(ticket).endswith("over)")] == []


class Stage:
    """Where scenes are set up."""

    def __init__(self, folder: Path) -> None:
        self.scenes: list[Scene] = []
        self._folder = folder

    def scene(self, limited: str = "", first_token: Literal["auto"] | float = "auto") -> Scene:
        rules = [RateLimit(provider=name, requests_per_minute=1, max_wait_seconds=3_600.0) for name in limited]
        self.scenes.append(Scene(self._folder, rules, first_token))
        return self.scenes[-1]


def in_any_order(record: str) -> list[str]:
    """The entries of a record, where several threads wrote at the same time."""
    return sorted(record.split(","))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    threads = threading.active_count()
    stage = Stage(tmp_path)
    yield stage
    for scene in stage.scenes:
        scene.leaves_no_trace()
    assert threading.active_count() == threads


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return stage.scene()


# In time -----------------------------------------------------------------------------------------------------------


def test_an_answer_in_time_costs_no_thread(scene: Scene) -> None:
    before = threading.active_count()
    scene["a"].at_once = [None]
    route = Route("best", (Target("a", "m"), Target("b", "m")), "next")
    scene.reached = scene.failover.first_that_answers(route, CHAT, scene.call)
    assert threading.active_count() == before
    assert attempts_text(scene.call) == "a/m=200"


def test_who_is_not_slow_yet_has_nobody_beside_it(scene: Scene) -> None:
    scene.begin("ab")
    slow = scene["a"].asked()
    assert scene.passes(UNKNOWN - 0.1) == 0
    slow.speaks()
    assert scene.answered("a") == "a/m=200"
    assert scene["b"].tries == []


def test_a_target_that_is_known_to_be_slow_has_the_time_it_needs(scene: Scene) -> None:
    for _ in range(ENOUGH):
        ticket = scene.health.enter(Target("a", "m"))
        assert ticket is not None
        ticket.first_content(20.0, streamed=True)
        ticket.answered()
    scene.begin("ab")
    scene["a"].asked()
    assert scene.passes(PATIENCE * 20.0 - 0.1) == 0
    assert scene.passes(0.1) == 1
    scene["b"].asked().speaks()
    assert scene.answered("b") == "a/m=slow,b/m=200"


# Whoever speaks first ----------------------------------------------------------------------------------------------


def test_the_second_that_speaks_first_wins_and_the_slow_one_is_cut_and_to_blame(scene: Scene) -> None:
    scene.begin("ab")
    scene["a"].asked()
    assert scene.passes(UNKNOWN) == 1
    scene["b"].asked().speaks()
    assert scene.answered("b") == "a/m=slow,b/m=200"
    assert scene.blamed() == {"a": 1}


def test_the_slow_one_that_speaks_first_after_all_wins_and_nobody_is_to_blame(scene: Scene) -> None:
    scene.begin("ab")
    slow = scene["a"].asked()
    scene.passes(UNKNOWN)
    scene["b"].asked()
    slow.speaks()
    assert in_any_order(scene.answered("a")) == ["a/m=200", "b/m=lost"]
    assert scene.blamed() == {}


def test_the_slow_one_that_speaks_as_it_is_cut_is_closed_and_not_to_blame(scene: Scene) -> None:
    scene["a"].speaks_when_cut = True
    scene.begin("ab")
    slow = scene["a"].asked()
    scene.passes(UNKNOWN)
    scene["b"].asked().speaks()
    assert scene.answered("b") == "a/m=lost,b/m=200"
    assert slow.body.closed
    assert scene.blamed() == {}


def test_the_second_that_speaks_as_it_is_cut_is_closed(scene: Scene) -> None:
    scene["b"].speaks_when_cut = True
    scene.begin("ab")
    slow = scene["a"].asked()
    scene.passes(UNKNOWN)
    second = scene["b"].asked()
    slow.speaks()
    assert in_any_order(scene.answered("a")) == ["a/m=200", "b/m=lost"]
    assert second.body.closed


def test_one_slow_try_has_one_beside_it_however_often_someone_looks(scene: Scene) -> None:
    scene.begin("abc")
    scene["a"].asked()
    assert [scene.passes(UNKNOWN), scene.look(), scene.look()] == [1, 0, 0]
    scene["b"].asked().speaks()
    assert scene.answered("b") == "a/m=slow,b/m=200"
    assert scene["c"].tries == []


def test_a_third_is_asked_where_the_second_is_slow_too(scene: Scene) -> None:
    scene.begin("abc")
    scene["a"].asked()
    assert scene.passes(UNKNOWN) == 1
    scene["b"].asked()
    assert scene.passes(UNKNOWN - 0.1) == 0
    assert scene.passes(0.1) == 1
    scene["c"].asked().speaks()
    assert in_any_order(scene.answered("c")) == ["a/m=slow", "b/m=slow", "c/m=200"]
    assert scene.blamed() == {"a": 1, "b": 1}


def test_who_is_slow_five_times_in_a_row_rests(stage: Stage) -> None:
    scene = stage.scene()
    for _ in range(IN_A_ROW):
        scene.rests("a", ProviderTimeout("slow"))
    scene.begin("ab")
    scene["b"].asked().speaks()
    assert scene.answered("b") == "a/m=resting,b/m=200"


def test_a_race_that_is_over_has_nobody_asked_any_more(scene: Scene) -> None:
    scene.begin("abc")
    slow = scene["a"].asked()
    dispatch = scene.dispatch
    slow.speaks()
    scene.end()
    scene.clock.advance(100)
    dispatch.hedge(scene.spawn)
    assert (scene.beside, scene.call.hedging) == ([], None)


def test_a_winner_is_not_cut_by_a_fault_in_the_thread_that_it_has_beaten(scene: Scene) -> None:
    scene.begin("ab")
    slow = scene["a"].asked()

    def fail_and_go() -> None:
        slow.fails(ZeroDivisionError())
        assert scene.thread is not None
        scene.thread.join(LONG)

    slow.when_cut = fail_and_go
    scene.passes(UNKNOWN)
    won = scene["b"].asked()
    won.speaks()
    assert scene.answered("b") == "b/m=200"
    assert won.body.cancels == 0


# Failures ----------------------------------------------------------------------------------------------------------


def test_where_the_second_fails_nothing_is_lost(scene: Scene) -> None:
    scene.begin("ab")
    slow = scene["a"].asked()
    scene.passes(UNKNOWN)
    scene["b"].asked().fails(DOWN)
    scene.beside[0].join(LONG)
    slow.speaks()
    assert scene.answered("a") == "b/m=503,a/m=200"
    assert scene.blamed() == {"b": 1}


def test_where_the_second_fails_its_thread_asks_the_third(scene: Scene) -> None:
    scene.begin("abc")
    scene["a"].asked()
    scene.passes(UNKNOWN)
    scene["b"].asked().fails(DOWN)
    scene["c"].asked().speaks()
    assert scene.answered("c") == "b/m=503,a/m=slow,c/m=200"
    assert len(scene.beside) == 1


def test_where_the_slow_one_fails_its_thread_asks_the_third_which_is_not_slow(scene: Scene) -> None:
    scene.begin("abc")
    slow = scene["a"].asked()
    scene.passes(UNKNOWN)
    second = scene["b"].asked()
    slow.fails(DOWN)
    scene["c"].asked()
    second.speaks()
    assert scene.answered("b") == "a/m=503,c/m=lost,b/m=200"
    assert scene.blamed() == {"a": 1}


@pytest.mark.parametrize("last", ["a", "b"])
def test_where_both_fail_the_last_word_is_told(scene: Scene, last: str) -> None:
    words = {name: Unavailable(name, evidence=Evidence(status=503, retry_after=60.0)) for name in "ab"}
    scene.begin("ab")
    tries = {"a": scene["a"].asked()}
    scene.passes(UNKNOWN)
    tries["b"] = scene["b"].asked()
    failures = scene.dispatch.failures = Failures()
    for times, name in enumerate(("b", "a") if last == "a" else ("a", "b"), 1):
        tries[name].fails(words[name])
        failures.until(times)
    assert scene.failed() is words[last]
    assert scene.blamed() == {"a": 1, "b": 1}


def test_who_rests_is_asked_when_all_others_have_failed(scene: Scene) -> None:
    scene.rests("c", RateLimited("x", evidence=Evidence(status=429, retry_after=3_600.0)))
    scene.begin("abc")
    slow = scene["a"].asked()
    scene.passes(UNKNOWN)
    scene["b"].asked().fails(DOWN)
    scene.beside[0].join(LONG)
    assert scene["c"].tries == []
    slow.fails(DOWN)
    scene["c"].asked().speaks()
    assert scene.answered("c") == "b/m=503,a/m=503,c/m=200"


def test_who_comes_to_rest_meanwhile_is_passed_over_and_asked_at_the_end(scene: Scene) -> None:
    scene.begin("ab")
    slow = scene["a"].asked()
    scene.rests("b", RateLimited("x", evidence=Evidence(status=429, retry_after=3_600.0)))
    scene.passes(UNKNOWN)
    scene.beside[0].join(LONG)
    slow.fails(DOWN)
    scene["b"].asked().speaks()
    assert scene.answered("b") == "b/m=resting,a/m=503,b/m=200"


def test_who_has_no_room_is_passed_over_beside_a_slow_one(stage: Stage) -> None:
    scene = stage.scene(limited="b")
    scene.takes("b")
    scene.begin("abc")
    scene["a"].asked()
    scene.passes(UNKNOWN)
    scene["c"].asked().speaks()
    assert scene.answered("c") == "b/m=limited,a/m=slow,c/m=200"


@pytest.mark.parametrize("by", ["a", "b"])
def test_a_refusal_of_the_content_ends_all_and_the_others_are_not_to_blame(scene: Scene, by: str) -> None:
    other = "ab".strip(by)
    refusal = ContentRefused("no", evidence=Evidence(status=400))
    scene.begin("abc")
    tries = {"a": scene["a"].asked()}
    scene.passes(UNKNOWN)
    tries["b"] = scene["b"].asked()
    tries[by].fails(refusal)
    assert scene.failed() is refusal
    assert in_any_order(attempts_text(scene.call)) == sorted([f"{by}/m=400", f"{other}/m=lost"])
    assert scene.blamed() == {}
    assert scene["c"].tries == []


@pytest.mark.parametrize("by", ["a", "b"])
def test_a_rejected_request_ends_nobody_who_is_asked_already(scene: Scene, by: str) -> None:
    other = "ab".strip(by)
    scene.begin("abc")
    tries = {"a": scene["a"].asked()}
    scene.passes(UNKNOWN)
    tries["b"] = scene["b"].asked()
    failures = scene.dispatch.failures = Failures()
    tries[by].fails(RequestRejected("no", evidence=Evidence(status=422)))
    failures.until(1)
    tries[other].speaks()
    assert scene.answered(other) == f"{by}/m=422,{other}/m=200"


def test_after_a_rejected_request_nobody_else_is_asked(scene: Scene) -> None:
    scene["c"].at_once = [None]
    scene.begin("abc")
    slow = scene["a"].asked()
    scene.passes(UNKNOWN)
    scene["b"].asked().fails(RequestRejected("no", evidence=Evidence(status=422)))
    scene.beside[0].join(LONG)
    slow.fails(DOWN)
    assert scene.failed() is DOWN
    assert attempts_text(scene.call) == "b/m=422,a/m=503"
    assert scene["c"].tries == []


@pytest.mark.parametrize("by", ["a", "b"])
def test_a_fault_of_our_own_ends_the_call_and_nobody_is_to_blame(
    scene: Scene, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene.begin("abc")
    tries = {"a": scene["a"].asked()}
    scene.passes(UNKNOWN)
    tries["b"] = scene["b"].asked()
    tries[by].fails(ZeroDivisionError())
    assert isinstance(scene.failed(), InternalFault)
    assert "request req_1 failed on a fault of the gateway" in caplog.text
    assert attempts_text(scene.call) == f"{'ab'.strip(by)}/m=lost"
    assert scene.blamed() == {}


# Second tries ------------------------------------------------------------------------------------------------------


def test_a_pause_before_a_second_try_ends_when_another_has_the_answer(scene: Scene) -> None:
    scene.begin("ab")
    slow = scene["a"].asked()
    scene.passes(UNKNOWN)
    scene["b"].asked().fails(Unavailable("x", evidence=Evidence(status=503)))
    scene.until_asleep(scene.beside[0])
    slow.speaks()
    assert scene.answered("a") == "b/m=503,a/m=200"


def test_a_second_try_has_its_own_time(scene: Scene) -> None:
    scene.begin("ab")
    scene["a"].asked().fails(ConnectionFailed("x"))
    scene["a"].asked(2)
    assert scene.passes(UNKNOWN - 0.1) == 0
    assert scene.passes(0.1) == 1
    scene["b"].asked().speaks()
    assert scene.answered("b") == "a/m=provider_unreachable,a/m=slow,b/m=200"
    assert scene.blamed() == {"a": 2}


def test_all_runs_together_make_six_tries(scene: Scene) -> None:
    for name in "ab":
        scene[name].at_once = [ConnectionFailed("x"), ConnectionFailed("x")]
    scene.begin("abcd")
    slow = scene["c"].asked()
    assert scene.passes(UNKNOWN) == 1
    scene["d"].asked().fails(ConnectionFailed("x"))
    scene.beside[0].join(LONG)
    slow.speaks()
    assert scene.answered("c").endswith("d/m=provider_unreachable,c/m=200")
    assert [len(scene[name].tries) for name in "abcd"] == [2, 2, 1, 1]


def test_nobody_is_asked_beside_the_last_try(scene: Scene) -> None:
    for name in "ab":
        scene[name].at_once = [ConnectionFailed("x"), ConnectionFailed("x")]
    scene.begin("abcd")
    scene["c"].asked().fails(ConnectionFailed("x"))
    slow = scene["c"].asked(2)
    assert scene.passes(UNKNOWN) == 0
    slow.speaks()
    scene.answered("c")
    assert sum(len(scene[name].tries) for name in "abcd") == MAX_TRIES


def test_who_finds_its_second_try_taken_by_another_run_still_tells_why_the_first_failed(scene: Scene) -> None:
    for name in "ab":
        scene[name].at_once = [ConnectionFailed("x"), ConnectionFailed("x")]
    scene.begin("abcd")
    slow = scene["c"].asked()
    works: list[Callable[[], None]] = []

    def keep(work: Callable[[], None]) -> bool:
        works.append(work)
        return True

    scene.clock.advance(UNKNOWN)
    scene.dispatch.hedge(keep)
    slow.fails(last := Unavailable("c", evidence=Evidence(status=503)))
    scene.until_asleep(scene.thread)
    scene.spawn(works[0])
    scene["d"].asked().fails(DOWN)
    scene.beside[0].join(LONG)
    scene.clock.advance(1)
    assert scene.failed() is last
    assert len(scene["c"].tries) == 1


# Nobody beside -----------------------------------------------------------------------------------------------------


def test_where_no_thread_is_to_be_had_all_stays_as_it_was(scene: Scene) -> None:
    scene.begin("ab")
    slow = scene["a"].asked()
    scene.clock.advance(UNKNOWN)
    scene.dispatch.hedge(lambda work: False)
    assert scene["b"].tries == []
    slow.fails(DOWN)
    scene["b"].asked().speaks()
    assert scene.answered("b") == "a/m=503,b/m=200"


def test_where_no_thread_was_to_be_had_the_next_look_may_find_one(scene: Scene) -> None:
    scene.begin("ab")
    scene["a"].asked()
    scene.clock.advance(UNKNOWN)
    scene.dispatch.hedge(lambda work: False)
    assert scene.look() == 1
    scene["b"].asked().speaks()
    assert scene.answered("b") == "a/m=slow,b/m=200"


def test_a_configured_limit_is_a_cut_off_and_nobody_is_asked_beside(stage: Stage) -> None:
    scene = stage.scene(first_token=7.0)
    scene.begin("ab")
    slow = scene["a"].asked()
    assert slow.context.first_content == 7.0
    assert scene.passes(TIMEOUT / 2) == 0
    slow.fails(ProviderTimeout("x"))
    scene["b"].asked().speaks()
    assert scene.answered("b") == "a/m=provider_timeout,b/m=200"


def test_with_no_limit_of_its_own_a_try_may_take_what_is_left(scene: Scene) -> None:
    scene.begin("ab")
    slow = scene["a"].asked()
    assert slow.context.first_content == TIMEOUT
    scene.passes(UNKNOWN)
    second = scene["b"].asked()
    assert second.context.first_content == TIMEOUT - UNKNOWN
    second.speaks()
    scene.answered("b")


def test_a_single_target_has_nobody_beside_it(scene: Scene) -> None:
    scene.begin("a")
    slow = scene["a"].asked()
    assert scene.passes(TIMEOUT / 2) == 0
    slow.speaks()
    assert scene.answered("a") == "a/m=200"


def test_who_rests_is_not_asked_beside_a_slow_one(scene: Scene) -> None:
    scene.rests("b", RateLimited("x", evidence=Evidence(status=429, retry_after=3_600.0)))
    scene.begin("ab")
    slow = scene["a"].asked()
    assert scene.passes(UNKNOWN) == 0
    slow.speaks()
    assert scene.answered("a") == "a/m=200"


def test_who_had_no_room_is_not_asked_beside_a_slow_one(stage: Stage) -> None:
    scene = stage.scene(limited="a")
    scene.takes("a")
    scene.begin("ab")
    slow = scene["b"].asked()
    assert scene.passes(UNKNOWN) == 0
    slow.speaks()
    assert scene.answered("b") == "a/m=limited,b/m=200"


def test_one_that_waits_in_line_leaves_it_when_another_has_the_answer(stage: Stage) -> None:
    scene = stage.scene(limited="b")
    limiter = scene.takes("b")
    scene.begin("ab", when_limited="wait")
    slow = scene["a"].asked()
    assert scene.passes(UNKNOWN) == 1
    scene.until_asleep(scene.beside[0])
    assert (limiter.waiting, scene.call.in_queue) == (1, False), "a is still asked, so a draining gateway lets it end"
    slow.speaks()
    assert scene.thread is not None
    scene.thread.join(LONG)
    scene.clock.advance(LOOK)
    assert scene.answered("a") == "a/m=200"
    assert (limiter.waiting, scene.call.in_queue, scene["b"].tries) == (0, False, [])
    scene.clock.advance(MINUTE - UNKNOWN - LOOK)
    assert limiter.try_acquire(), "it took a slot"


# The end of the call -----------------------------------------------------------------------------------------------


def test_a_caller_that_leaves_during_a_race_ends_all_of_it_and_blames_nobody(scene: Scene) -> None:
    scene.breaks("a")
    failures = scene.blamed()
    scene.begin("ab")
    scene["a"].asked()
    assert [ticket.probing for ticket in scene.health.tickets if ticket.target.provider == "a"][-1]
    scene.passes(UNKNOWN)
    scene["b"].asked()
    scene.has_left = True
    scene.look()
    assert isinstance(scene.failed(), CallerLeft)
    assert scene.blamed() == failures
    assert scene.health.order([Target("a", "m")])[0], "the probe was not given back"
    assert {each.outcome for each in scene.call.attempts} <= {"caller_left", "lost"}


def test_a_caller_that_leaves_before_a_look_is_noticed_by_whoever_fails_next(scene: Scene) -> None:
    scene.begin("ab")
    slow = scene["a"].asked()
    scene.has_left = True
    slow.fails(DOWN)
    assert isinstance(scene.failed(), CallerLeft)
    assert scene.blamed() == {}
    assert scene["b"].tries == []


def test_an_answer_for_a_caller_that_has_left_is_closed(scene: Scene) -> None:
    scene.begin("ab")
    slow = scene["a"].asked()
    scene.has_left = True
    slow.speaks()
    assert isinstance(scene.failed(), CallerLeft)
    assert slow.body.closed


def test_the_deadline_ends_a_race_and_blames_nobody(scene: Scene) -> None:
    scene.begin("ab")
    scene["a"].asked()
    scene.passes(UNKNOWN)
    scene["b"].asked()
    scene.passes(TIMEOUT)
    assert isinstance(scene.failed(), DeadlineExceeded)
    assert scene.blamed() == {}


def test_a_gateway_that_stops_ends_all_branches(scene: Scene) -> None:
    scene.begin("ab")
    scene["a"].asked()
    scene.passes(UNKNOWN)
    scene["b"].asked()
    scene.call.end(reason := Draining("stop"))
    assert scene.failed() is reason
    assert scene.blamed() == {}


def test_a_caller_that_leaves_while_one_waits_in_line_beside(stage: Stage) -> None:
    scene = stage.scene(limited="b")
    limiter = scene.takes("b")
    scene.begin("ab", when_limited="wait")
    scene["a"].asked()
    scene.passes(UNKNOWN)
    scene.until_asleep(scene.beside[0])
    scene.has_left = True
    scene.look()
    scene.clock.advance(LOOK)
    assert isinstance(scene.failed(), CallerLeft)
    assert limiter.waiting == 0
