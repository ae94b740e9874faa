"""What several workers have seen as one: of one alone it is what that has, and the dead leave their calls."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.observe.quota import Key, Quota
from gateway.observe.recent import MAX_CALLS, MinuteCounts, Numbered
from gateway.view.activity import Activity, Seen, encoded, folded, merged
from gateway.view.calls import call_of
from tests.observe.test_recent import CALL

NOTHING = Activity(calls=[], minutes=[], running=0, streams=0, dropped=0, fault=None, said=[], targets=[])


def calls(*ids: int) -> Activity:
    """The newest first, as a worker tells them."""
    return replace(NOTHING, calls=[call_of(Numbered(id, CALL)) for id in sorted(ids, reverse=True)])


def minute(number: int, *first_ms: int, answered: int = 1) -> MinuteCounts:
    return MinuteCounts(number, answered, 0, 0, 0, 5, 7, first_ms)


def of(*activities: Activity, dead: Sequence[Activity] = ()) -> Activity:
    answers = {number: encoded(each) for number, each in enumerate(activities)}
    return merged(answers | {-number: encoded(each) for number, each in enumerate(dead, start=1)})


def test_of_one_worker_alone_it_is_what_that_has() -> None:
    alone = Activity(
        calls=calls(3, 1).calls,
        minutes=[minute(7, 100, 300), minute(8)],
        running=3,
        streams=1,
        dropped=2,
        fault="the disk is full",
        said=[(Key("acme", "", "m", "requests"), Quota(100, 40, None, 5.0))],
        targets=[Seen("acme", "m", "", 2, 0.5, 0.9, 30)],
    )
    assert of(alone) == alone


def test_calls_of_all_come_by_their_numbers_and_no_more_than_are_shown() -> None:
    found = of(calls(*range(1, 80, 2)), calls(*range(2, 81, 2)))
    assert [each.id for each in found.calls] == list(range(80, 80 - MAX_CALLS, -1))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 70), st.integers(0, 900)), max_size=30))
def test_a_minute_has_what_all_have_seen_in_it(seen: list[tuple[int, int, int]]) -> None:
    workers = [
        replace(NOTHING, minutes=[minute(number, ms) for each, number, ms in seen if each == worker])
        for worker in range(3)
    ]
    one = [minute(number, ms) for worker in range(3) for each, number, ms in seen if each == worker]
    found = of(*workers)
    assert found == of(replace(NOTHING, minutes=one))
    assert len(found.minutes) <= 60
    assert sorted(each.number for each in found.minutes) == [each.number for each in found.minutes]


def test_the_dead_leave_their_calls_and_have_none_under_way() -> None:
    left = [
        replace(calls(1, 3), running=2, streams=1, dropped=4, fault="the disk is full", minutes=[minute(7, 100)]),
        replace(calls(2), minutes=[minute(7, 300)]),
    ]
    apart = of(replace(calls(4), running=1), dead=left)
    assert [each.id for each in apart.calls] == [4, 3, 2, 1]
    assert (apart.running, apart.streams, apart.dropped, apart.fault) == (1, 0, 4, None)
    one = merged({0: encoded(replace(calls(4), running=1)), -2: folded([encoded(each) for each in left])})
    assert one == apart


def test_of_what_providers_have_said_the_latest_holds() -> None:
    key = Key("acme", "", "m", "requests")
    early, late = (replace(NOTHING, said=[(key, Quota(100, left, None, at))]) for left, at in ((40, 5.0), (90, 6.0)))
    assert dict(of(late, early).said)[key].remaining == dict(of(early, late).said)[key].remaining == 90


def test_of_a_target_the_most_failures_and_the_times_of_most_samples_are_shown() -> None:
    few, many = Seen("acme", "m", "", 4, 9.0, 9.0, 2), Seen("acme", "m", "", 1, 0.5, 0.9, 30)
    for order in ((few, many), (many, few)):
        found = of(*(replace(NOTHING, targets=[each]) for each in order))
        assert list(found.targets) == [Seen("acme", "m", "", 4, 0.5, 0.9, 30)]
