"""The board of rests, and what several processes that share one know of each other's targets."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.provider_failures import (
    CredentialRefused,
    Evidence,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    Unavailable,
    UnsupportedByTarget,
)
from gateway.routing.breaker import FIRST_OPENING, IN_A_ROW, LOOK_AGAIN
from gateway.routing.health import Health, HealthTicket
from gateway.routing.rest_board import PROBE_SECONDS, MemoryBoard, Rest, RestBoard
from gateway.routing.router import Target
from gateway.routing.shared_rests import SharedRests
from tests.support.fakes import FakeClock

A, B = Target("a", "m"), Target("b", "m")
WORK, HOME = Target("a", "m", "work"), Target("a", "m", "home")
DOWN = Unavailable("down")


def limited(seconds: float | None = 30) -> RateLimited:
    return RateLimited("too many", evidence=Evidence(status=429, retry_after=seconds))


class FasterOthers(MemoryBoard):
    """A board on which other processes take every probe of an account first."""

    def probe(self, target: Target, now: float) -> bool:
        return not target.account and super().probe(target, now)


class Processes:
    """Two processes with a board between them, and the time of both.

    Args:
        boards: the one board as each sees it.
    """

    def __init__(self, *boards: RestBoard) -> None:
        self.clock = FakeClock()
        self.board = boards[0]
        self.one, self.two = (Health(self.clock, lambda: 0.0, board) for board in boards)

    def enter(self, health: Health, target: Target = A, *, forced: bool = False) -> HealthTicket:
        ticket = health.enter(target, forced=forced)
        assert ticket is not None, f"{target} is not ready"
        return ticket

    def fail(self, health: Health, failure: ProviderFailure, target: Target = A, *, times: int = 1) -> None:
        for _ in range(times):
            self.enter(health, target, forced=True).failed(failure)

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def due(self, target: Target = A) -> tuple[float | None, float | None]:
        return self.one.due([target]), self.two.due([target])


@pytest.fixture(params=["memory", "shared"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Processes]:
    if request.param == "memory":
        yield Processes(*[MemoryBoard()] * 2)
        return
    if sys.platform == "win32":
        pytest.skip("files are not shared between processes on Windows")
    boards = [SharedRests(tmp_path / "rests", number) for number in range(2)]
    yield Processes(*boards)
    for board in boards:
        board.close()


class TestRests:
    def test_what_one_was_refused_the_other_does_not_ask(self, both: Processes) -> None:
        both.fail(both.one, limited())
        assert both.due() == (30, 30)
        assert both.two.order([A, B]) == ([B], [A])
        assert both.two.enter(A) is None

    def test_after_it_one_call_of_all_asks_and_then_everybody(self, both: Processes) -> None:
        both.fail(both.one, limited())
        both.later(30)
        probe = both.enter(both.two)
        assert both.one.enter(A) is None
        assert both.two.enter(A) is None
        assert both.due() == (LOOK_AGAIN, LOOK_AGAIN)
        probe.answered()
        assert both.due() == (0, 0)
        assert both.one.enter(A) is not None
        assert both.one.enter(A) is not None

    def test_a_probe_that_has_content_need_not_end(self, both: Processes) -> None:
        both.fail(both.one, limited())
        both.later(30)
        both.enter(both.two).first_content(0.5, streamed=True)
        assert both.due() == (0, 0)

    def test_a_probe_that_is_refused_makes_all_wait_again_and_longer(self, both: Processes) -> None:
        both.fail(both.one, limited(None))
        assert both.due() == (5, 5)
        both.later(5)
        both.enter(both.two).failed(limited(None))
        assert both.due() == (10, 10)

    def test_a_probe_without_a_verdict_is_followed_by_another(self, both: Processes) -> None:
        both.fail(both.one, limited())
        both.later(30)
        both.enter(both.two).close()
        both.enter(both.one).failed(UnsupportedByTarget("no pictures"))
        assert both.due() == (0, 0)
        assert both.two.enter(A) is not None
        assert both.one.enter(A) is None

    def test_a_forced_call_is_let_in_beside_the_probe(self, both: Processes) -> None:
        both.fail(both.one, limited())
        both.later(30)
        both.enter(both.two)
        both.enter(both.one, forced=True).answered()
        assert both.due() == (0, 0)

    def test_a_good_end_of_an_earlier_call_lifts_no_later_limit(self, both: Processes) -> None:
        early = both.enter(both.two)
        both.fail(both.one, limited())
        early.answered()
        assert both.due() == (30, 30)

    def test_the_other_process_shows_it_as_its_own(self, both: Processes) -> None:
        both.fail(both.one, limited())
        assert both.two.describe(A) == both.one.describe(A)
        assert both.two.describe(A).why == "rate_limited"

    def test_a_probe_of_a_process_that_is_gone_ends_by_its_time(self, both: Processes) -> None:
        both.fail(both.one, limited())
        both.later(30)
        both.enter(both.two)
        both.later(PROBE_SECONDS)
        assert both.one.enter(A) is not None

    def test_a_provider_that_is_asked_elsewhere_is_known_to_nobody(self, both: Processes) -> None:
        both.fail(both.one, limited())
        both.one.forget({"a"})
        assert both.one.due([A]) == 0
        assert both.board.find(A) is None


class TestOpenings:
    def test_each_counts_its_own_failures(self, both: Processes) -> None:
        both.fail(both.one, DOWN, times=IN_A_ROW - 1)
        both.fail(both.two, DOWN, times=IN_A_ROW - 1)
        assert both.due() == (0, 0)

    def test_all_rest_when_one_has_opened(self, both: Processes) -> None:
        both.fail(both.one, DOWN, times=IN_A_ROW)
        assert both.due() == (FIRST_OPENING, FIRST_OPENING)
        assert both.two.describe(A).state == "open"

    def test_the_probe_of_another_that_fails_doubles_it(self, both: Processes) -> None:
        both.fail(both.one, DOWN, times=IN_A_ROW)
        for health, length in ((both.two, 10), (both.one, 20), (both.two, 30)):
            both.later(both.due()[0] or 0)
            probe = both.enter(health)
            assert probe.probing
            probe.failed(DOWN)
            assert both.due() == (length, length)

    def test_the_probe_of_another_that_answers_closes_it(self, both: Processes) -> None:
        both.fail(both.one, DOWN, times=IN_A_ROW)
        both.later(FIRST_OPENING)
        both.enter(both.two).answered()
        both.fail(both.one, DOWN)
        assert both.one.describe(A).state == "closed"
        assert both.one.describe(A).failures == 1

    def test_any_good_answer_closes_it(self, both: Processes) -> None:
        early = both.enter(both.two)
        both.fail(both.one, DOWN, times=IN_A_ROW)
        early.answered()
        assert both.due() == (0, 0)

    def test_a_failure_of_an_earlier_call_does_not_lengthen_it(self, both: Processes) -> None:
        early = [both.enter(both.two) for _ in range(IN_A_ROW)]
        both.fail(both.one, DOWN, times=IN_A_ROW)
        both.later(1)
        for ticket in early:
            ticket.failed(DOWN)
        assert both.due() == (FIRST_OPENING - 1, FIRST_OPENING - 1)

    def test_a_refusal_that_only_a_working_provider_gives_closes_it(self, both: Processes) -> None:
        both.fail(both.one, DOWN, times=IN_A_ROW)
        both.later(FIRST_OPENING)
        both.enter(both.two, WORK).failed(limited())
        assert both.due(HOME) == (0, 0)
        assert both.due(WORK) == (30, 30)


class TestAccounts:
    def test_a_quota_of_an_account_is_about_all_its_models(self, both: Processes) -> None:
        both.fail(both.one, QuotaExhausted("used up"), WORK)
        assert both.due(Target("a", "other", "work")) == (60, 60)
        assert both.due(HOME) == (0, 0)
        assert both.two.describe(WORK).why == "quota"

    def test_others_wait_for_the_end_of_its_probe(self, both: Processes) -> None:
        both.fail(both.one, CredentialRefused("no"), WORK)
        both.later(30)
        probe = both.enter(both.two, WORK)
        probe.first_content(0.1, streamed=True)
        assert both.due(WORK) == (LOOK_AGAIN, LOOK_AGAIN)
        probe.answered()
        assert both.due(WORK) == (0, 0)

    def test_a_call_that_may_not_probe_the_account_keeps_no_probe_of_the_server(self) -> None:
        both = Processes(*[FasterOthers()] * 2)
        both.fail(both.one, QuotaExhausted("used up"), WORK)
        both.later(55)
        both.fail(both.one, DOWN, A, times=IN_A_ROW)
        both.later(5)
        assert both.two.enter(WORK) is None
        assert both.two.enter(HOME) is not None


def a_rest(until: float) -> Rest:
    return Rest(until, "rate_limited", 1)


class TestBoards:
    def test_of_two_times_the_longer_stands(self) -> None:
        board = MemoryBoard()
        board.rest(A, a_rest(30), now=0)
        board.rest(A, a_rest(20), now=5)
        assert board.find(A) == Rest(30, "rate_limited", 1, serial=2)

    def test_a_time_that_is_over_does_not_stand(self) -> None:
        board = MemoryBoard()
        board.rest(A, a_rest(30), now=0)
        board.rest(A, a_rest(29), now=30)
        found = board.find(A)
        assert found is not None
        assert found.until == 29

    def test_a_full_one_forgets_what_has_not_changed_for_longest(self) -> None:
        board = MemoryBoard(size=2)
        for target in (A, B, A, WORK):
            board.rest(target, a_rest(30), now=0)
        assert [bool(board.find(target)) for target in (A, B, WORK)] == [True, False, True]

    def test_nothing_is_lifted_probed_or_released_where_nothing_stands(self) -> None:
        board = MemoryBoard()
        board.release(A)
        assert (board.lift(A), board.probe(A, 0.0), board.find(A)) == (None, False, None)


EVENTS = ("answered", "limited", "down", "closed", "content")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(EVENTS), st.sampled_from([0, 1, 5, 30])), max_size=60))
def test_one_call_probes_and_both_know_the_same(steps: list[tuple[bool, str, int]]) -> None:
    """Calls of two processes, one after the other and overlapping, against one target."""
    both = Processes(*[MemoryBoard()] * 2)
    under_way: list[HealthTicket] = []
    for first, event, seconds in steps:
        mine, other = (both.one, both.two) if first else (both.two, both.one)
        before = both.board.find(A)
        ticket = mine.enter(A)
        if ticket is not None:
            under_way.append(ticket)
            if before is not None and before.needs_probe(both.clock.monotonic()):
                assert other.enter(A) is None, "one call probes"
        if before is not None:
            assert both.due()[0] == both.due()[1]
        if under_way:
            _report(under_way.pop(0) if event != "content" else under_way[0], event)
        both.later(seconds)
    for ticket in under_way:
        ticket.close()
    both.later(100)
    assert both.one.enter(A) is not None, "no probe is under way, and no time longer than this one was named"


def _report(ticket: HealthTicket, event: str) -> None:
    reports: dict[str, Callable[[], None]] = {
        "answered": ticket.answered,
        "limited": lambda: ticket.failed(limited()),
        "down": lambda: ticket.failed(DOWN),
        "closed": ticket.close,
        "content": lambda: ticket.first_content(0.1, streamed=True),
    }
    reports[event]()
