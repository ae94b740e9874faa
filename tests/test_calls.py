"""A call on its way, and the thread that ends those whose caller has gone."""

import threading
from collections.abc import Iterator

import pytest

from gateway.core.errors import CallerLeft, DeadlineExceeded, Draining
from gateway.handler.call import Call, Calls
from tests.fakes import FakeClock

LONG = 20.0  # seconds; only a hang takes so long


class Held:
    """Something to wait for, and whether it was cut."""

    def __init__(self) -> None:
        self.cuts = 0
        self.was_cut = threading.Event()

    def cut(self) -> None:
        self.cuts += 1
        self.was_cut.set()


class Caller:
    """Someone who may leave."""

    def __init__(self) -> None:
        self.gone = False

    def __call__(self) -> bool:
        return self.gone


def call_of(caller: Caller | None = None, clock: FakeClock | None = None, timeout: float = 10.0) -> Call:
    return Call("req_1", clock or FakeClock(), timeout=timeout, left=caller or Caller())


@pytest.fixture
def calls() -> Iterator[Calls]:
    running = Calls()
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


def test_ending_a_call_cuts_what_it_waits_for() -> None:
    call, held = call_of(), Held()
    call.hold(held)
    assert held.cuts == 0
    call.end(CallerLeft("left"))
    assert held.cuts == 1


def test_only_the_latest_thing_is_waited_for() -> None:
    call, first, second = call_of(), Held(), Held()
    call.hold(first)
    call.hold(second)
    call.end(CallerLeft("left"))
    assert (first.cuts, second.cuts) == (0, 1)


def test_what_is_held_after_the_end_is_cut_at_once() -> None:
    call, held = call_of(), Held()
    call.end(CallerLeft("left"))
    call.hold(held)
    assert held.cuts == 1


def test_hold_and_end_at_once_always_cut() -> None:
    for _ in range(200):
        call, held = call_of(), Held()
        together = threading.Barrier(2, timeout=LONG)

        def end(call: Call = call, together: threading.Barrier = together) -> None:
            together.wait()
            call.end(CallerLeft("left"))

        thread = threading.Thread(target=end)
        thread.start()
        together.wait()
        call.hold(held)
        thread.join(LONG)
        assert held.cuts >= 1


def test_a_cut_may_look_at_the_call_that_cuts_it() -> None:
    call = call_of()

    class Curious:
        def cut(self) -> None:
            call.hold(Held())

    call.hold(Curious())
    thread = threading.Thread(target=lambda: call.end(CallerLeft("left")), daemon=True)
    thread.start()
    thread.join(2.0)
    assert not thread.is_alive(), "the lock is held while something is cut"


# All calls ---------------------------------------------------------------------------------------------------------


def test_running_calls_are_counted_once_each(calls: Calls) -> None:
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


def test_a_call_whose_caller_leaves_is_ended_within_two_seconds(calls: Calls) -> None:
    leaving, staying = Caller(), Caller()
    gone, there = call_of(leaving), call_of(staying)
    cut, whole = Held(), Held()
    gone.hold(cut)
    there.hold(whole)
    calls.add(gone)
    calls.add(there)
    leaving.gone = True
    assert cut.was_cut.wait(2.0)
    assert isinstance(gone.ended, CallerLeft)
    assert (there.ended, whole.cuts) == (None, 0)


def test_a_call_that_has_ended_is_not_looked_after(calls: Calls) -> None:
    caller, other = Caller(), Caller()
    done, watched = call_of(caller), call_of(other)
    calls.add(done)
    calls.add(watched)
    calls.remove(done)
    caller.gone = other.gone = True
    held = Held()
    watched.hold(held)
    assert held.was_cut.wait(2.0)
    assert done.ended is None


def test_stopping_ends_every_running_call(calls: Calls) -> None:
    running = [call_of() for _ in range(5)]
    held = [Held() for _ in running]
    for call, each in zip(running, held, strict=True):
        call.hold(each)
        calls.add(call)
    assert calls.end_all() == 5
    assert [each.cuts for each in held] == [1] * 5
    for call in running:
        assert isinstance(call.ended, Draining)
    assert calls.end_all() == 5, "until they are removed they run"


def test_the_thread_ends_with_close_and_close_may_come_twice() -> None:
    before = threading.active_count()
    calls = Calls()
    assert threading.active_count() == before + 1
    calls.close()
    calls.close()
    assert threading.active_count() == before


def test_calls_come_and_go_while_they_are_looked_after(calls: Calls) -> None:
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
