"""A reload of all workers: every one turns, or none does."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.workers.turnover import PREPARE_SECONDS, Turnover

EVENTS = st.lists(st.tuples(st.sampled_from(["built", "failed", "gone"]), st.integers(0, 3)), max_size=12)


@given(st.sets(st.integers(0, 3)), EVENTS)
def test_it_turns_if_and_only_if_all_that_live_have_built_it(workers: set[int], events: list[tuple[str, int]]) -> None:
    turnover = Turnover(1, workers, 0.0)
    said: dict[int, str] = {}
    for kind, number in events:
        decided = turnover.decision
        if kind == "built":
            turnover.built(number)
        elif kind == "failed":
            turnover.failed(number, "no")
        else:
            turnover.gone(number)
        if number in workers and number not in said:
            said[number] = kind
        assert decided is None or turnover.decision == decided, "it is decided once"
    if set(said) < workers:
        assert turnover.decision is None
        turnover.expire(PREPARE_SECONDS)
        assert turnover.decision == "drop"
        assert {each for each, why in turnover.faults.items() if why != "no"} == workers - set(said)
    else:
        assert turnover.decision == ("drop" if "failed" in said.values() else "turn")
    assert turnover.ready <= {each for each, kind in said.items() if kind == "built"}


def test_without_a_worker_that_serves_it_is_served_by_those_that_start() -> None:
    assert Turnover(1, (), 0.0).decision == "turn"


def test_before_its_time_is_over_it_stays_open() -> None:
    turnover = Turnover(1, {0}, 5.0)
    turnover.expire(5.0 + PREPARE_SECONDS - 0.01)
    assert turnover.decision is None
