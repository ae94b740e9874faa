"""A call on its way, and the thread that looks after all of them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from gateway.core.errors import CallerLeft, DeadlineExceeded, Draining
from gateway.dispatch.call import MAX_TRIES, Call
from gateway.dispatch.caller import NoCaller
from gateway.dispatch.watchdog import HEARTBEAT_SECONDS, CallWatchdog
from tests.support.fakes import FakeClock

LONG = 20.0  # seconds; only a hang takes so long


class Held:
    """Something to wait for, and whether it was cut."""

    def __init__(self) -> None:
        self.cancels = 0
        self.was_cancelled = threading.Event()

    def cancel(self) -> None:
        self.cancels += 1
        self.was_cancelled.set()


class Caller(NoCaller):
    """Someone who may leave."""

    def __init__(self) -> None:
        super().__init__(lambda: self.gone)
        self.gone = False


def call_of(caller: Caller | None = None, clock: FakeClock | None = None, timeout: float = 10.0) -> Call:
    return Call("req_1", clock or FakeClock(), timeout=timeout, caller=caller or Caller())


@pytest.fixture
def calls(often_looked_after: None) -> Iterator[CallWatchdog]:
    running = CallWatchdog(FakeClock())
    yield running
    running.close()


# One call ----------------------------------------------------------------------------------------------------------


def test_a_call_goes_on_until_its_deadline() -> None:
    clock = FakeClock()
    call = call_of(clock=clock)
    clock.advance(9.5)
    call.check()
    assert (call.age(), call.remaining()) == (9.5, 0.5)
    clock.advance(0.5)
    with pytest.raises(DeadlineExceeded):
        call.check()


def test_a_call_does_not_go_on_without_its_caller() -> None:
    caller = Caller()
    call = call_of(caller)
    call.check()
    caller.gone = True
    with pytest.raises(CallerLeft):
        call.check()


def test_a_call_that_was_ended_says_why_before_all_else() -> None:
    caller, clock = Caller(), FakeClock()
    call = call_of(caller, clock)
    caller.gone = True
    clock.advance(100)
    call.end(Draining("stop"))
    with pytest.raises(Draining):
        call.check()


def test_the_first_reason_counts() -> None:
    call = call_of()
    assert call.ended is None
    call.end(CallerLeft("left"))
    call.end(Draining("stop"))
    assert isinstance(call.ended, CallerLeft)


def test_ending_a_call_cuts_every_branch_of_it() -> None:
    call, first, second = call_of(), Held(), Held()
    call.add_branch(first)
    call.add_branch(second)
    assert (first.cancels, second.cancels) == (0, 0)
    call.end(CallerLeft("left"))
    assert (first.cancels, second.cancels) == (1, 1)


def test_a_branch_that_enters_after_the_end_is_cut_at_once() -> None:
    call, branch = call_of(), Held()
    call.end(CallerLeft("left"))
    call.add_branch(branch)
    assert branch.cancels == 1


def test_enter_and_end_at_once_always_cut() -> None:
    for _ in range(200):
        call, branch = call_of(), Held()
        together = threading.Barrier(2, timeout=LONG)

        def end(call: Call = call, together: threading.Barrier = together) -> None:
            together.wait()
            call.end(CallerLeft("left"))

        thread = threading.Thread(target=end)
        thread.start()
        together.wait()
        call.add_branch(branch)
        thread.join(LONG)
        assert branch.cancels >= 1


def test_a_cut_may_look_at_the_call_that_cuts_it() -> None:
    call = call_of()

    class Curious:
        def cancel(self) -> None:
            call.add_branch(Held())
            call.take_try()

    call.add_branch(Curious())
    thread = threading.Thread(target=lambda: call.end(CallerLeft("left")), daemon=True)
    thread.start()
    thread.join(LONG)
    assert not thread.is_alive(), "the lock is held while something is cut"


def test_a_call_has_six_tries_however_many_threads_take_them() -> None:
    call = call_of()
    taken: list[bool] = []
    together = threading.Barrier(8, timeout=LONG)

    def take() -> None:
        together.wait()
        taken.extend(call.take_try() for _ in range(3))

    threads = [threading.Thread(target=take) for _ in range(8)]
    assert call.has_tries
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert (taken.count(True), taken.count(False)) == (MAX_TRIES, 24 - MAX_TRIES)
    assert not call.has_tries


# All calls ---------------------------------------------------------------------------------------------------------


def test_running_calls_are_counted_once_each(calls: CallWatchdog) -> None:
    one, two = call_of(), call_of()
    calls.add(one)
    calls.add(one)
    calls.add(two)
    assert len(calls) == 2
    calls.remove(one)
    calls.remove(one)
    assert len(calls) == 1
    calls.remove(two)
    assert len(calls) == 0


def test_a_call_whose_caller_leaves_is_ended_within_two_seconds() -> None:
    leaving, staying = Caller(), Caller()
    gone, there = call_of(leaving), call_of(staying)
    cut, whole = Held(), Held()
    gone.add_branch(cut)
    there.add_branch(whole)
    with closing(CallWatchdog(FakeClock())) as calls:  # looked after as often as in a gateway
        calls.add(gone)
        calls.add(there)
        leaving.gone = True
        assert cut.was_cancelled.wait(2.0)
        assert isinstance(gone.ended, CallerLeft)
        assert (there.ended, whole.cancels) == (None, 0)


def test_a_call_that_has_ended_is_not_looked_after(calls: CallWatchdog) -> None:
    caller, other = Caller(), Caller()
    done, watched = call_of(caller), call_of(other)
    calls.add(done)
    calls.add(watched)
    calls.remove(done)
    caller.gone = other.gone = True
    held = Held()
    watched.add_branch(held)
    assert held.was_cancelled.wait(2.0)
    assert done.ended is None


def test_stopping_ends_every_running_call(calls: CallWatchdog) -> None:
    running = [call_of() for _ in range(5)]
    held = [Held() for _ in running]
    for call, each in zip(running, held, strict=True):
        call.add_branch(each)
        calls.add(call)
    assert calls.end_all() == 5
    assert [each.cancels for each in held] == [1] * 5
    for call in running:
        assert isinstance(call.ended, Draining)
    assert calls.end_all() == 5, "until they are removed they run"


def test_the_thread_ends_with_close_and_close_may_come_twice() -> None:
    before = threading.active_count()
    calls = CallWatchdog(FakeClock())
    assert threading.active_count() == before + 1
    calls.close()
    calls.close()
    assert threading.active_count() == before


def test_calls_come_and_go_while_they_are_looked_after(calls: CallWatchdog) -> None:
    def churn() -> None:
        for _ in range(300):
            call = call_of()
            calls.add(call)
            calls.remove(call)

    threads = [threading.Thread(target=churn) for _ in range(6)]
    for thread in threads:
        thread.start()
    calls.end_all()
    for thread in threads:
        thread.join(LONG)
    assert len(calls) == 0


@pytest.mark.parametrize("waits_already", [True, False])
def test_a_gateway_that_stops_ends_the_calls_that_wait_in_a_queue_now_and_later(
    calls: CallWatchdog, waits_already: bool
) -> None:
    queued, working, branch = call_of(), call_of(), Held()
    queued.add_branch(branch)
    calls.add(queued)
    calls.add(working)
    with ExitStack() as line:
        if waits_already:
            line.enter_context(queued.queueing())
        calls.cancel_queued()
        line.enter_context(queued.queueing())
        assert branch.was_cancelled.wait(2.0)
    assert isinstance(queued.ended, Draining)
    assert working.ended is None


def test_a_call_that_is_answered_while_another_of_its_branches_waits_is_not_in_a_queue() -> None:
    call = call_of()
    with call.queueing():
        assert call.in_queue
        assert call.take_try()
        assert not call.in_queue
        call.end_try()
        assert call.in_queue
        call.first_content = 1.0
        assert not call.in_queue
    assert not call.in_queue


# Asking a second target beside a slow one --------------------------------------------------------------------------


class Slow:
    """A dispatch that at every look wants one more thread, with the same work in each."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.spawned: list[bool] = []
        self.looked = threading.Semaphore(0)

    def hedge(self, spawn: Callable[[Callable[[], None]], bool]) -> None:
        self.spawned.append(spawn(self.work))
        self.looked.release()

    def until_looked(self, times: int) -> None:
        for _ in range(times):
            assert self.looked.acquire(timeout=LONG)


@pytest.mark.usefixtures("often_looked_after")
def test_what_a_slow_call_wants_beside_it_runs_in_a_thread_that_ends_with_the_work() -> None:
    before = threading.active_count()
    calls = CallWatchdog(FakeClock())
    names: list[str] = []
    hedging = Slow(lambda: names.append(threading.current_thread().name))
    call = call_of()
    call.hedging = hedging
    calls.add(call)
    hedging.until_looked(2)
    calls.close()
    assert len(names) == hedging.spawned.count(True) >= 2
    assert set(names) == {"hedged"}
    assert threading.active_count() == before


@pytest.mark.usefixtures("often_looked_after")
def test_there_are_only_so_many_threads_beside_and_one_that_ends_makes_room() -> None:
    calls, done = CallWatchdog(FakeClock(), max_hedges=1), threading.Semaphore(0)
    hedging, call = Slow(lambda: assert_acquired(done)), call_of()
    call.hedging = hedging
    calls.add(call)
    hedging.until_looked(2)
    assert hedging.spawned[:2] == [True, False]
    done.release(2)
    while hedging.spawned.count(True) < 2:
        hedging.until_looked(1)
    done.release(len(hedging.spawned) + 10)
    calls.close()


def assert_acquired(done: threading.Semaphore) -> None:
    assert done.acquire(timeout=LONG)


def test_a_system_without_threads_is_told_as_no_room(monkeypatch: pytest.MonkeyPatch, calls: CallWatchdog) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    hedging, call = Slow(lambda: None), call_of()
    call.hedging = hedging
    monkeypatch.setattr(threading.Thread, "start", refuse)
    calls.add(call)
    hedging.until_looked(2)
    assert set(hedging.spawned) == {False}


def test_a_call_that_is_over_asks_nobody_beside_it(calls: CallWatchdog) -> None:
    caller, branch = Caller(), Held()
    call = call_of(caller)
    hedging = Slow(lambda: None)
    caller.gone = True
    call.hedging = hedging
    call.add_branch(branch)
    calls.add(call)
    assert branch.was_cancelled.wait(LONG)
    assert hedging.spawned == []


def test_a_call_that_cannot_be_looked_after_does_not_end_the_looking(
    calls: CallWatchdog, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def hedge(self, spawn: Callable[[Callable[[], None]], bool]) -> None:
            raise ZeroDivisionError

    bad, caller, branch = call_of(), Caller(), Held()
    bad.hedging = Broken()
    calls.add(bad)
    good = call_of(caller)
    good.add_branch(branch)
    calls.add(good)
    caller.gone = True
    assert branch.was_cancelled.wait(LONG)
    calls.close()
    assert "request req_1 could not be looked after" in caplog.text


# Signs of life -----------------------------------------------------------------------------------------------------


class Waiting(NoCaller):
    """Someone who has heard nothing since the clock began."""

    last_write = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.alive = threading.Event()

    def heartbeat(self) -> bool:
        self.alive.set()
        return True


class LookedAt(FakeClock):
    """Says when it has been read so many times from the thread that looks after calls."""

    def __init__(self, start: float) -> None:
        super().__init__(start)
        self.looks = threading.Semaphore(0)

    def monotonic(self) -> float:
        if threading.current_thread().name == "watchdog":
            self.looks.release()
        return super().monotonic()

    def until_read(self, times: int) -> None:
        for _ in range(times):
            assert self.looks.acquire(timeout=LONG)


@pytest.mark.usefixtures("often_looked_after")
@pytest.mark.parametrize(
    ("quiet", "streamed", "hears"),
    [(HEARTBEAT_SECONDS, True, True), (HEARTBEAT_SECONDS - 0.1, True, False), (HEARTBEAT_SECONDS, False, False)],
)
def test_who_waits_for_a_stream_hears_after_a_while_that_it_still_waits(
    quiet: float, streamed: bool, hears: bool
) -> None:
    clock, caller = LookedAt(quiet), Waiting()
    calls = CallWatchdog(clock)
    call = Call("req_1", clock, timeout=100.0, caller=caller)
    call.streamed = streamed
    calls.add(call)
    clock.until_read(4)
    calls.close()
    assert caller.alive.is_set() == hears
