"""The workers as states: who is started when, who serves, and what is said of deaths."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.workers.fleet import LONGEST_PAUSE, MANY_DEATHS, SOUND_SECONDS, TELL, Command, Fleet, pause_after
from tests.support.examples import examples


def serving(count: int, generation: int = 1) -> Fleet:
    """A fleet of which all serve."""
    fleet = Fleet(count)
    fleet.tick(0.0)
    for number in range(count):
        fleet.started(number, generation)
        fleet.built(number, generation, 0.0)
    assert fleet.serving == tuple(range(count))
    return fleet


def starts(fleet: Fleet, now: float) -> list[int]:
    return [each.number for each in fleet.tick(now) if each.do == "start"]


def test_nobody_serves_before_all_are_built() -> None:
    fleet = Fleet(2)
    assert starts(fleet, 0.0) == [0, 1]
    for number in (0, 1):
        fleet.started(number, 1)
    assert fleet.built(1, 1, 0.0) == []
    assert not fleet.opened
    assert fleet.built(0, 1, 0.0) == [Command("go", 0), Command("go", 1), TELL]
    assert fleet.opened


def test_the_pauses_grow_to_half_a_minute() -> None:
    assert [pause_after(deaths) for deaths in (1, 2, 3, 4, 5, 6, 7, 50)] == [0, 1, 2, 4, 8, 16, LONGEST_PAUSE, 30]


def test_one_that_has_served_for_a_minute_is_started_again_at_once() -> None:
    fleet, now = serving(2), 0.0
    for pause in (0.0, 1.0, 2.0):
        fleet.ended(0, now)
        assert starts(fleet, now + pause - 0.01) == []
        now += pause
        assert starts(fleet, now) == [0]
    fleet.started(0, 1)
    fleet.built(0, 1, now)
    fleet.ended(0, now + SOUND_SECONDS)
    assert starts(fleet, now + SOUND_SECONDS) == [0]


def test_five_deaths_in_a_minute_make_it_degraded_until_all_have_served_for_one() -> None:
    fleet = serving(2)
    for number in range(MANY_DEATHS):
        assert not fleet.degraded
        fleet.ended(1, number * 10.0)
        starts(fleet, number * 10.0 + LONGEST_PAUSE)
    assert fleet.degraded
    last = (MANY_DEATHS - 1) * 10.0
    assert fleet.tick(last + SOUND_SECONDS) == []
    assert fleet.degraded, "it does not serve"
    fleet.started(1, 1)
    fleet.built(1, 1, last + SOUND_SECONDS)
    assert fleet.tick(last + SOUND_SECONDS) == [TELL]
    assert not fleet.degraded


def test_four_deaths_in_a_minute_and_one_later_do_not() -> None:
    fleet = serving(2)
    for now in (0.0, 10.0, 20.0, 30.0, SOUND_SECONDS):
        fleet.ended(1, now)
        starts(fleet, now + LONGEST_PAUSE)
    assert not fleet.degraded


def test_one_that_was_built_with_an_earlier_configuration_is_started_anew_and_that_is_no_death() -> None:
    fleet = serving(2)
    fleet.ended(0, 0.0)
    assert starts(fleet, 0.0) == [0]
    fleet.started(0, 1)
    fleet.turned([1], 2)
    assert fleet.built(0, 2, 1.0) == [Command("kill", 0), TELL]
    fleet.ended(0, 1.0)
    assert starts(fleet, 1.0) == [0]
    assert fleet.workers[0].deaths == 1


def test_one_that_is_built_during_a_reload_waits_for_its_end() -> None:
    fleet = serving(2)
    fleet.ended(0, 0.0)
    starts(fleet, 0.0)
    fleet.started(0, 1)
    fleet.hold()
    assert fleet.built(0, 1, 1.0) == []
    assert fleet.release(1, 1.0) == [Command("go", 0), TELL]


@pytest.mark.parametrize("state", ["starting", "serving", "leaving"])
def test_while_it_stops_nobody_is_started(state: str) -> None:
    fleet = serving(1)
    if state == "starting":
        fleet.ended(0, 0.0)
        starts(fleet, 0.0)
    fleet.stopping = True
    if state == "leaving":
        assert fleet.leaving(0, 0.0) == [TELL]
        assert fleet.absent == (0,)
    fleet.ended(0, 0.0)
    assert starts(fleet, 1000.0) == []
    assert fleet.next_due is None


class Life(RuleBasedStateMachine):
    """Any order of starts, deaths, reloads and time: who has a process, and who may serve."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet(3)
        self.now = 0.0
        self.generation = 1
        self.running: dict[int, int] = {}  # by worker: the generation of its process
        self.accepting: set[int] = set()
        self.doomed: set[int] = set()
        self.held = False

    def do(self, commands: object) -> None:
        assert isinstance(commands, (list, tuple))
        for each in commands:
            if each.do == "start":
                assert each.number not in self.running, "one process a worker"
                assert not self.fleet.stopping
                self.running[each.number] = self.generation
                self.fleet.started(each.number, self.generation)
            elif each.do == "go":
                assert self.running[each.number] == self.generation, "nobody serves an earlier configuration"
                assert not self.held
                self.accepting.add(each.number)
            elif each.do == "kill":
                self.doomed.add(each.number)

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 5.0, 31.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.do(self.fleet.tick(self.now))

    @rule(number=st.integers(0, 2))
    def is_built(self, number: int) -> None:
        if self.fleet.workers[number].state == "starting":
            self.do(self.fleet.built(number, self.generation, self.now))

    @rule(number=st.integers(0, 2))
    def dies(self, number: int) -> None:
        if self.running.pop(number, None) is not None:
            self.accepting.discard(number)
            self.doomed.discard(number)
            self.do(self.fleet.ended(number, self.now))

    @rule(number=st.integers(0, 2))
    def leaves(self, number: int) -> None:
        if number in self.accepting:
            self.accepting.discard(number)
            self.do(self.fleet.leaving(number, self.now))

    @rule()
    @precondition(lambda self: not self.held and self.fleet.opened)
    def a_reload_begins(self) -> None:
        self.held = True
        self.fleet.hold()

    @rule(served=st.booleans())
    @precondition(lambda self: self.held)
    def a_reload_ends(self, served: bool) -> None:
        self.held = False
        if served:
            self.generation += 1
            for number in self.accepting:
                self.running[number] = self.generation
            self.fleet.turned(sorted(self.accepting), self.generation)
        self.do(self.fleet.release(self.generation, self.now))

    @rule()
    @precondition(lambda self: self.fleet.opened)
    def stops(self) -> None:
        self.fleet.stopping = True

    @invariant()
    def its_states_are_what_there_is(self) -> None:
        assert set(self.fleet.serving) == self.accepting
        assert set(self.fleet.absent) == {0, 1, 2} - self.accepting
        assert set(self.fleet.among("waiting")) == {0, 1, 2} - set(self.running)

    @invariant()
    def whoever_is_away_comes_back(self) -> None:
        waiting = self.fleet.among("waiting")
        if waiting and not self.fleet.stopping:
            assert self.fleet.next_due is not None
            assert self.fleet.next_due <= self.now + LONGEST_PAUSE


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=examples(150), stateful_step_count=30, deadline=None)
