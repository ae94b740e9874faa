"""One thread's part in a call: how long its try takes, what it waits for, and who ends it why."""

import threading

import pytest

from gateway.core.errors import CallerLeft, DeadlineExceeded, Draining, GatewayError
from gateway.dispatch.branch import Branch, BranchLost
from gateway.dispatch.call import Call
from gateway.dispatch.caller import NoCaller
from tests.support.fakes import DrivenClock, FakeClock

LONG = 20.0  # seconds; only a hang takes so long
TIMEOUT = 600.0


class Held:
    """Something to wait for, and how often it was cut."""

    def __init__(self) -> None:
        self.cancels = 0

    def cancel(self) -> None:
        self.cancels += 1


class Scene:
    """A call with one branch; its caller may leave."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.gone = False
        self.call = Call("req_1", self.clock, timeout=TIMEOUT, caller=NoCaller(lambda: self.gone))
        self.branch = Branch(self.call, self.clock)


# How long a try takes ----------------------------------------------------------------------------------------------


def test_a_try_falls_behind_when_its_limit_is_over_and_is_told_so_once() -> None:
    scene = Scene()
    scene.branch.start_try(12.0)
    scene.clock.advance(11.9)
    assert not scene.branch.turned_slow()
    scene.clock.advance(0.1)
    assert [scene.branch.turned_slow(), scene.branch.turned_slow()] == [True, False]
    assert scene.branch.slow


def test_what_the_provider_takes_counts_from_when_its_request_has_left() -> None:
    scene = Scene()
    scene.branch.start_try(12.0)
    scene.clock.advance(10)
    scene.branch.sent()
    scene.clock.advance(11)
    assert scene.branch.elapsed() == 11.0
    assert not scene.branch.turned_slow()
    scene.clock.advance(1)
    assert scene.branch.turned_slow()


def test_a_request_that_never_leaves_falls_behind_too() -> None:
    scene = Scene()
    scene.branch.start_try(12.0)
    scene.clock.advance(12)
    assert scene.branch.turned_slow()


def test_a_try_without_a_limit_never_falls_behind() -> None:
    scene = Scene()
    scene.branch.start_try(None)
    scene.clock.advance(TIMEOUT)
    assert not scene.branch.turned_slow()


def test_a_try_that_is_over_does_not_fall_behind() -> None:
    scene = Scene()
    scene.branch.start_try(12.0)
    scene.branch.end_try()
    scene.clock.advance(100)
    assert not scene.branch.turned_slow()


def test_the_next_try_has_its_own_time() -> None:
    scene = Scene()
    scene.branch.start_try(12.0)
    scene.clock.advance(12)
    assert scene.branch.turned_slow()
    scene.branch.end_try()
    scene.branch.start_try(30.0)
    assert not scene.branch.slow
    scene.clock.advance(29)
    assert not scene.branch.turned_slow()
    scene.clock.advance(1)
    assert scene.branch.turned_slow()


# What it waits for -------------------------------------------------------------------------------------------------


def test_ending_the_call_cuts_what_its_branch_waits_for() -> None:
    scene, held = Scene(), Held()
    scene.branch.wait_on(held)
    assert held.cancels == 0
    scene.call.end(CallerLeft("left"))
    assert held.cancels == 1


def test_only_the_latest_thing_is_waited_for() -> None:
    scene, first, second = Scene(), Held(), Held()
    scene.branch.wait_on(first)
    scene.branch.wait_on(second)
    scene.branch.lose(answered=True)
    assert (first.cancels, second.cancels) == (0, 1)


def test_what_is_held_after_the_end_is_cut_at_once() -> None:
    scene, held = Scene(), Held()
    scene.call.end(CallerLeft("left"))
    scene.branch.wait_on(held)
    assert held.cancels == 1


def test_a_branch_that_enters_a_call_which_has_ended_holds_nothing() -> None:
    scene, held = Scene(), Held()
    scene.call.end(CallerLeft("left"))
    Branch(scene.call, scene.clock).wait_on(held)
    assert held.cancels == 1


def test_ending_the_call_cuts_all_its_branches_and_losing_only_that_one() -> None:
    scene, first, second = Scene(), Held(), Held()
    beside = Branch(scene.call, scene.clock)
    scene.branch.wait_on(first)
    beside.wait_on(second)
    beside.lose(answered=True)
    assert (first.cancels, second.cancels) == (0, 1)
    scene.call.end(CallerLeft("left"))
    assert first.cancels == 1


def test_hold_and_end_at_once_always_cut() -> None:
    for _ in range(200):
        scene, held = Scene(), Held()
        together = threading.Barrier(2, timeout=LONG)

        def end(scene: Scene = scene, together: threading.Barrier = together) -> None:
            together.wait()
            scene.call.end(CallerLeft("left"))

        thread = threading.Thread(target=end)
        thread.start()
        together.wait()
        scene.branch.wait_on(held)
        thread.join(LONG)
        assert held.cancels >= 1


def test_a_cut_may_look_at_the_branch_that_cuts_it() -> None:
    scene = Scene()

    class Curious:
        def cancel(self) -> None:
            scene.branch.wait_on(Held())
            Branch(scene.call, scene.clock)

    scene.branch.wait_on(Curious())
    thread = threading.Thread(target=lambda: scene.call.end(CallerLeft("left")), daemon=True)
    thread.start()
    thread.join(LONG)
    assert not thread.is_alive(), "a lock is held while something is cut"


# Why it ends -------------------------------------------------------------------------------------------------------


def test_a_branch_goes_on_as_long_as_its_call_does() -> None:
    scene = Scene()
    scene.branch.check()
    assert (scene.branch.is_over(), scene.branch.reason_to_stop()) == (False, None)
    scene.gone = True
    assert scene.branch.is_over()
    with pytest.raises(CallerLeft):
        scene.branch.check()


def test_past_the_deadline_it_does_not_go_on() -> None:
    scene = Scene()
    scene.clock.advance(TIMEOUT)
    with pytest.raises(DeadlineExceeded):
        scene.branch.check()


@pytest.mark.parametrize("slow", [True, False])
def test_a_branch_that_loses_knows_whether_it_was_slow(slow: bool) -> None:
    scene = Scene()
    scene.branch.start_try(12.0)
    scene.clock.advance(12 if slow else 11)
    assert scene.branch.turned_slow() == slow
    scene.branch.lose(answered=True)
    with pytest.raises(BranchLost, match="slow" if slow else "lost") as caught:
        scene.branch.check()
    assert caught.value.slow == slow
    assert scene.branch.is_over()


def test_where_nobody_answered_being_slow_is_not_told() -> None:
    scene = Scene()
    scene.branch.start_try(12.0)
    scene.clock.advance(12)
    assert scene.branch.turned_slow()
    scene.branch.lose(answered=False)
    with pytest.raises(BranchLost, match="lost") as caught:
        scene.branch.check()
    assert not caught.value.slow


# Pauses ------------------------------------------------------------------------------------------------------------


def test_a_pause_takes_its_time() -> None:
    scene = Scene()
    scene.branch.pause(2.5)
    assert scene.call.age() == 2.5
    scene.branch.pause(0.0)
    assert scene.call.age() == 2.5


def test_a_caller_that_left_meanwhile_is_noticed_after_a_pause() -> None:
    scene = Scene()
    scene.gone = True
    with pytest.raises(CallerLeft):
        scene.branch.pause(0.0)


@pytest.mark.parametrize("reason", [CallerLeft("left"), Draining("stop"), None], ids=str)
def test_whatever_ends_a_run_wakes_it_from_its_pause(reason: GatewayError | None) -> None:
    clock = DrivenClock()
    scene = Scene(clock)
    raised: list[BaseException] = []

    def pause() -> None:
        try:
            scene.branch.pause(3.0)
        except (BranchLost, GatewayError) as why:
            raised.append(why)

    thread = threading.Thread(target=pause)
    thread.start()
    clock.until_asleep(thread.ident or 0)
    if reason is None:
        scene.branch.lose(answered=True)
    else:
        scene.call.end(reason)
    thread.join(LONG)
    assert not thread.is_alive()
    assert [type(why) for why in raised] == [type(reason) if reason else BranchLost]


def test_a_branch_that_was_cut_pauses_no_more() -> None:
    scene = Scene()
    scene.branch.lose(answered=True)
    with pytest.raises(BranchLost):
        scene.branch.pause(3.0)
    assert scene.call.age() == 0.0
