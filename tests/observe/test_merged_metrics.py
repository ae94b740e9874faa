"""The metrics of several workers: what is added, what is not, and what the dead have left."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.core.answer import Usage
from gateway.core.records import CallRecord, TryRecord
from gateway.observe.metrics import families, process
from gateway.observe.metrics.families import Family, Labels, Reading, Value
from gateway.observe.metrics.merged import BY_NAME, encoded, folded, merged
from gateway.observe.metrics.sums import Sums
from gateway.routing.router import Target
from tests.observe.test_metric_sums import CALL

TARGETS = [Target("acme", model) for model in "abc"]


def sums(calls: Sequence[CallRecord]) -> Sequence[Reading]:
    found = Sums()
    found.configure(TARGETS, {"acme": "gemini"})
    found.take(list(calls))
    return found.read()


def by_name(readings: Sequence[Reading]) -> dict[str, Mapping[Labels, Value]]:
    return {family.name: dict(series) for family, series in readings}


def one(family: Family, value: float, *labels: str) -> bytes:
    return encoded([(family, {labels: value})])


@st.composite
def calls(draw: st.DrawFn) -> CallRecord:
    model = draw(st.sampled_from("abc"))
    milliseconds = st.integers(0, 700_000)
    usage = Usage(draw(st.integers(0, 10**6)), draw(st.integers(0, 10**6)))
    tried = TryRecord("acme", model, draw(st.sampled_from(["200", "503"])), ms=draw(milliseconds), usage=usage)
    return replace(
        CALL,
        model=model,
        status=draw(st.sampled_from([200, 429, 503])),
        total_ms=draw(milliseconds),
        queue_ms=draw(milliseconds),
        streamed=draw(st.booleans()),
        first_ms=draw(milliseconds),
        cost=draw(st.integers(0, 10**9)),
        input=usage.prompt,
        tries=(tried,),
    )


@given(st.lists(st.tuples(st.integers(0, 3), calls()), max_size=20), st.permutations(range(4)), st.booleans())
def test_it_makes_no_difference_who_has_seen_a_call(
    seen: list[tuple[int, CallRecord]], order: list[int], dead: bool
) -> None:
    """Any split over workers, added in any order, some of them dead: as one process that has seen all."""
    alone = by_name(sums([call for _, call in seen]))
    answers = [encoded(sums([call for number, call in seen if number == each])) for each in order]
    living = dict(enumerate(answers))
    if dead:
        living = {0: answers[0], 1: answers[1], -1: folded(answers[2:])}
    assert by_name(merged(living, workers=4)) == alone


def test_of_one_worker_alone_it_is_what_that_worker_has() -> None:
    readings: list[Reading] = [*sums([CALL]), (families.LIMIT_USED, {}), *process.readings(1e9)]
    found = merged({0: encoded(readings)}, workers=1)
    assert [(family, dict(series)) for family, series in found] == [
        (family, dict(series)) for family, series in readings
    ]


def test_calls_under_way_are_added_and_what_all_share_is_not() -> None:
    assert by_name(merged({0: one(families.ACTIVE_REQUESTS, 2), 1: one(families.ACTIVE_REQUESTS, 3)}, workers=2)) == {
        "llm_gateway_active_requests": {(): 5}
    }
    for family in (families.LIMIT_USED, families.BUILD_INFO, families.RELOADS):
        found = by_name(merged({0: one(family, 2, "x"), 1: one(family, 3, "x")}, workers=2))
        assert found == {family.name: {("x",): 3}}


def test_one_failed_reload_is_a_failed_reload() -> None:
    answers = {0: one(families.RELOAD_SUCCESSFUL, 1), 1: one(families.RELOAD_SUCCESSFUL, 0)}
    assert by_name(merged(answers, workers=2)) == {families.RELOAD_SUCCESSFUL.name: {(): 0}}


def test_memory_is_each_workers_own_and_processor_time_is_added() -> None:
    answers = {
        number: encoded([(process.RESIDENT, {(): 1e6 + number}), (process.CPU, {(): 0.25})]) for number in range(2)
    }
    found = merged(answers, workers=2)
    assert by_name(found) == {
        "process_resident_memory_bytes": {("0",): 1e6, ("1",): 1e6 + 1},
        "process_cpu_seconds_total": {(): 0.5},
    }
    assert {family.name: family.labels for family, _ in found}["process_resident_memory_bytes"] == ("worker",)


def test_the_dead_have_sums_and_no_calls_under_way() -> None:
    left = encoded([(families.REQUESTS, {("a", "chat", "200", ""): 7}), (families.ACTIVE_REQUESTS, {(): 4})])
    found = by_name(merged({0: one(families.ACTIVE_REQUESTS, 1), -1: left}, workers=2))
    assert found[families.ACTIVE_REQUESTS.name] == {(): 1}
    assert found[families.REQUESTS.name] == {("a", "chat", "200", ""): 7}
    assert families.ACTIVE_REQUESTS.name not in by_name(merged({-1: folded([left])}, workers=2))


def test_every_metric_can_be_read_again() -> None:
    assert len(BY_NAME) == len(families.SUMMED) + len(families.READ) + len(process.FAMILIES)
