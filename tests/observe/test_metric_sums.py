"""The sums of /metrics: what a call adds, which labels it may have, and how many series there are."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.core.answer import Usage
from gateway.core.records import DIRECT, OTHER, UNKNOWN, CallRecord, TryRecord
from gateway.observe.ledger_schema import UNPRICED
from gateway.observe.metrics import families
from gateway.observe.metrics.families import Family, Labels, Value
from gateway.observe.metrics.labels import GEN_AI_OPERATIONS, MAX_DIRECT, ModelNames, gen_ai_provider
from gateway.observe.metrics.series import MAX_SERIES, Counters, Histograms, Room, count
from gateway.observe.metrics.sums import Sums
from gateway.routing.router import Target

ASKED = TryRecord("acme", "m", "200", ms=1_500, usage=Usage(100, 20, cached=40, reasoning=5, cache_write=10))
CALL = CallRecord(
    at=1e9,
    request_id="req_1",
    asked="best",
    alias="best",
    provider="acme",
    model="m",
    endpoint="chat",
    status=200,
    error=None,
    streamed=False,
    queue_ms=250,
    first_ms=1_500,
    total_ms=2_000,
    tries=(ASKED,),
    answered=True,
    input=100,
    cached=40,
    cache_write=10,
    output=20,
    reasoning=5,
    cost=1_234_567,
)
TOKEN_TYPES = ("input", "cached_input", "cache_write", "output", "reasoning")


def sums_of(*records: CallRecord, targets: Sequence[Target] = (Target("acme", "m"),), **limits: int) -> Sums:
    sums = Sums(**limits)
    sums.configure(targets, {"acme": "gemini"})
    sums.take(list(records))
    return sums


def read(sums: Sums, family: Family) -> Mapping[Labels, Value]:
    return next(series for each, series in sums.read() if each is family)


def total(sums: Sums, family: Family) -> float:
    return sum(value for value in read(sums, family).values() if not isinstance(value, tuple))


def direct(model: str, *, status: int = 200) -> CallRecord:
    """A call that asked for `acme/model`."""
    good = status == 200
    tried = TryRecord("acme", model, str(status), ms=1)
    known = model if good else UNKNOWN  # as a record has it
    return replace(CALL, alias=DIRECT, model=known, status=status, tries=(tried,), answered=good)


# What a call adds ---------------------------------------------------------------------------------------------------


def test_a_call_is_counted_in_every_metric_that_it_has_something_for() -> None:
    sums = sums_of(CALL)
    assert read(sums, families.REQUESTS) == {("best", "chat", "200", ""): 1}
    assert read(sums, families.ATTEMPTS) == {("acme", "", "m", "200"): 1}
    assert read(sums, families.TOKENS) == {
        ("acme", "", "m", "input"): 100,
        ("acme", "", "m", "cached_input"): 40,
        ("acme", "", "m", "cache_write"): 10,
        ("acme", "", "m", "output"): 20,
        ("acme", "", "m", "reasoning"): 5,
    }
    assert read(sums, families.COST) == {("acme", "", "m"): 1.234567}
    assert read(sums, families.UNPRICED) == read(sums, families.FIRST_CONTENT) == {}
    (duration,) = read(sums, families.DURATION).items()
    assert duration == (("best", "chat", "false"), (0, 0, 0, 0, 0, 1, *[0] * 8, 2.0))
    assert read(sums, families.QUEUE_WAIT) == {("acme",): (0, 0, 1, *[0] * 11, 0.25)}
    gen_ai = ("chat", "gcp.gemini", "m")
    assert read(sums, families.GEN_AI_DURATION) == {(*gen_ai, ""): (*[0] * 8, 1, *[0] * 6, 1.5)}
    assert read(sums, families.GEN_AI_TOKENS_USED) == {
        (*gen_ai, "input"): (*[0] * 4, 1, *[0] * 10, 100),
        (*gen_ai, "output"): (*[0] * 3, 1, *[0] * 11, 20),
    }


def test_a_streams_first_content_is_measured_from_its_caller_and_from_its_provider() -> None:
    sums = sums_of(replace(CALL, streamed=True, tries=(replace(ASKED, first_ms=400),)))
    assert read(sums, families.FIRST_CONTENT) == {("best",): (0, 0, 0, 0, 0, 1, *[0] * 8, 1.5)}
    assert read(sums, families.GEN_AI_FIRST_CHUNK) == {
        ("chat", "gcp.gemini", "m"): (*[0] * 6, 1, *[0] * 8, 0.4),
    }


def test_each_try_is_an_attempt_and_only_a_request_is_measured() -> None:
    failed = TryRecord("acme", "m", "503", ms=100)
    resting = TryRecord("acme", "m", "resting")
    sums = sums_of(replace(CALL, tries=(resting, failed, ASKED)))
    assert read(sums, families.ATTEMPTS) == {
        ("acme", "", "m", "resting"): 1,
        ("acme", "", "m", "503"): 1,
        ("acme", "", "m", "200"): 1,
    }
    measured = {labels[-1] for labels in read(sums, families.GEN_AI_DURATION)}
    assert measured == {"", "503"}


def test_an_answer_without_a_price_costs_an_unknown_sum_and_not_nothing() -> None:
    sums = sums_of(replace(CALL, cost=None, cost_source=UNPRICED))
    assert read(sums, families.COST) == {}
    assert read(sums, families.UNPRICED) == {("acme", "", "m"): 1}


def test_a_call_that_cost_nothing_is_no_unpriced_one() -> None:
    sums = sums_of(replace(CALL, cost=None, answered=False, status=503, tries=()))
    assert read(sums, families.UNPRICED) == read(sums, families.COST) == {}


def test_a_call_for_nobody_has_no_provider() -> None:
    sums = sums_of(replace(CALL, alias=UNKNOWN, provider="", model="", status=404, tries=(), answered=False))
    assert read(sums, families.REQUESTS) == {(UNKNOWN, "chat", "404", ""): 1}
    assert read(sums, families.QUEUE_WAIT) == read(sums, families.TOKENS) == {}


def test_nothing_is_added_while_the_metrics_are_off() -> None:
    sums = sums_of(CALL)
    sums.configure((), {}, counting=False)
    sums.take([CALL])
    assert total(sums, families.REQUESTS) == 1


# Labels -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\n", '"', "\\", "\u202e", "\ud800"])
def test_a_model_reached_directly_has_its_name_in_one_line(end: str) -> None:
    ((provider, _, model, _),) = read(sums_of(direct(f"x{end}")), families.ATTEMPTS)
    assert provider == "acme" and model.isprintable() and model.startswith("x")


def test_only_a_hundred_models_that_callers_name_have_a_label() -> None:
    sums = sums_of(*(direct(f"x{number}") for number in range(MAX_DIRECT + 50)))
    models = {labels[2]: count for labels, count in read(sums, families.ATTEMPTS).items()}
    assert len(models) == MAX_DIRECT + 1 and models[OTHER] == 50
    sums.take([direct("x0"), CALL])
    models = {labels[2]: count for labels, count in read(sums, families.ATTEMPTS).items()}
    assert (models["x0"], models["m"], models[OTHER]) == (2, 1, 50)


def test_a_thousand_invented_names_add_two_series() -> None:
    sums = sums_of()
    unknown = replace(CALL, alias=UNKNOWN, provider="", model="", status=404, tries=(), answered=False)
    sums.take([replace(unknown, asked=f"invented-{number}") for number in range(1_000)])
    assert sum(len(series) for _, series in sums.read()) == 2
    assert total(sums, families.REQUESTS) == 1_000


def test_invented_names_of_a_known_provider_share_one_label() -> None:
    sums = sums_of(*(direct(f"invented-{number}", status=404) for number in range(1_000)))
    assert read(sums, families.ATTEMPTS) == {("acme", "", UNKNOWN, "404"): 1_000}


def test_a_name_that_nobody_has_answered_by_gets_its_label_with_the_first_answer() -> None:
    sums = sums_of(direct("x", status=404), direct("x"), direct("x", status=404))
    attempts = read(sums, families.ATTEMPTS)
    assert attempts == {("acme", "", UNKNOWN, "404"): 1, ("acme", "", "x", "200"): 1, ("acme", "", "x", "404"): 1}


def test_a_name_that_comes_into_the_configuration_has_its_label_from_then_on() -> None:
    sums = sums_of(direct("x", status=404))
    sums.configure((Target("acme", "x"),), {"acme": "mistral"})
    sums.take([direct("x", status=404)])
    assert read(sums, families.ATTEMPTS) == {("acme", "", UNKNOWN, "404"): 1, ("acme", "", "x", "404"): 1}
    assert {labels[1] for labels in read(sums, families.GEN_AI_DURATION)} == {"gcp.gemini", "mistral_ai"}


def test_a_model_that_has_gone_from_the_configuration_keeps_its_series() -> None:
    sums = sums_of(CALL)
    sums.configure((Target("acme", "new"),), {})
    sums.take([CALL])
    assert read(sums, families.ATTEMPTS) == {("acme", "", "m", "200"): 2}


# The series that are kept -------------------------------------------------------------------------------------------


def entries(record: CallRecord, names: ModelNames, vendors: Mapping[str, str]) -> Iterator[tuple[Family, Labels, int]]:
    """What a call adds, in its order and every time from its labels: the plain way."""
    alias, stream = record.alias, str(record.streamed).lower()
    yield families.REQUESTS, (alias, record.endpoint, str(record.status), record.client), 1
    yield families.DURATION, (alias, record.endpoint, stream), record.total_ms
    if record.streamed and record.first_ms is not None:
        yield families.FIRST_CONTENT, (alias,), record.first_ms
    for each in record.tries:
        good = each.outcome == "200"
        model = names.label(each.provider, each.model, answered=good)
        yield families.ATTEMPTS, (each.provider, each.account, model, each.outcome), 1
        operation = GEN_AI_OPERATIONS.get(record.endpoint, record.endpoint)
        labels = (operation, gen_ai_provider(each.provider, vendors), model)
        if each.ms is not None:
            yield families.GEN_AI_DURATION, (*labels, "" if good else each.outcome), each.ms
            if each.first_ms is not None:
                yield families.GEN_AI_FIRST_CHUNK, labels, each.first_ms
            if each.usage is not None:
                yield families.GEN_AI_TOKENS_USED, (*labels, "input"), each.usage.prompt
                yield families.GEN_AI_TOKENS_USED, (*labels, "output"), each.usage.completion
    if record.provider:
        yield families.QUEUE_WAIT, (record.provider,), record.queue_ms
        model = names.label(record.provider, record.model, answered=record.answered)
        target = (record.provider, record.account, model)
        for kind, tokens in zip(TOKEN_TYPES, record_tokens(record), strict=True):
            if tokens:
                yield families.TOKENS, (*target, kind), tokens
        if record.cost is not None:
            yield families.COST, target, record.cost
        elif record.cost_source == UNPRICED:
            yield families.UNPRICED, target, 1


def record_tokens(record: CallRecord) -> Sequence[int | None]:
    return (record.input, record.cached, record.cache_write, record.output, record.reasoning)


class Plain:
    """Sums that keep nothing but the series."""

    def __init__(self, max_series: int, max_in_all: int) -> None:
        room = Room(max_in_all)
        self.series: dict[Family, Counters | Histograms] = {
            family: (Histograms if family.buckets else Counters)(family, room, max_series) for family in families.SUMMED
        }
        self.names = ModelNames(lambda: None)
        self.vendors: Mapping[str, str] = {}

    def add(self, record: CallRecord) -> None:
        for family, labels, value in entries(record, self.names, self.vendors):
            series = self.series[family]
            if isinstance(series, Histograms):
                count(series.cell(labels), series.bounds, value)
            else:
                series.cell(labels)[0] += value


NAMES = st.sampled_from(["m", "x", "y", UNKNOWN])
COUNTS = st.none() | st.integers(0, 3_000)
TRIES = st.builds(
    TryRecord,
    provider=st.just("acme"),
    model=NAMES,
    outcome=st.sampled_from(["200", "503"]),
    account=st.just("work"),
    ms=COUNTS,
    first_ms=COUNTS,
    usage=st.none() | st.builds(Usage, st.integers(0, 3_000), st.integers(0, 3_000)),
)
RECORDS = st.builds(
    CallRecord,
    at=st.just(1e9),
    request_id=st.just("r"),
    asked=st.just("a"),
    alias=st.sampled_from(["best", DIRECT, UNKNOWN]),
    provider=st.sampled_from(["acme", "other", ""]),
    model=NAMES,
    endpoint=st.sampled_from(["chat", "embeddings"]),
    status=st.sampled_from([200, 503]),
    error=st.none(),
    streamed=st.booleans(),
    queue_ms=st.integers(0, 3_000),
    first_ms=COUNTS,
    total_ms=st.integers(0, 700_000),
    tries=st.lists(TRIES, max_size=3).map(tuple),
    answered=st.booleans(),
    input=COUNTS,
    cached=COUNTS,
    cache_write=COUNTS,
    output=COUNTS,
    reasoning=COUNTS,
    client=st.sampled_from(["", "ada"]),
    account=st.sampled_from(["", "work"]),
    cost=COUNTS,
    cost_source=st.sampled_from([None, UNPRICED]),
)
CONFIGURED = st.tuples(
    st.lists(st.builds(Target, st.just("acme"), st.sampled_from(["m", "n", "x"])), max_size=2),
    st.sampled_from([{}, {"acme": "gemini"}]),
)


@given(st.lists(st.lists(RECORDS, max_size=8) | CONFIGURED, max_size=8), st.integers(2, 12), st.integers(12, 90))
def test_kept_series_are_those_that_each_call_would_find_by_itself(
    steps: list[list[CallRecord] | tuple[list[Target], dict[str, str]]], max_series: int, max_in_all: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.observe.metrics.labels.MAX_DIRECT", 2)
        patch.setattr("gateway.observe.metrics.sums.KEPT", 3)
        sums, plain = Sums(max_series, max_in_all), Plain(max_series, max_in_all)
        for step in steps:
            if isinstance(step, tuple):
                plain.names.configure(step[0])
                plain.vendors = step[1]
                sums.configure(*step)
            else:
                sums.take(step)
                for record in step:
                    plain.add(record)
        assert sums.read() == [(family, series.read()) for family, series in plain.series.items()]


# How many series ----------------------------------------------------------------------------------------------------


def test_past_the_series_of_a_metric_new_ones_are_counted_together(caplog: pytest.LogCaptureFixture) -> None:
    sums = sums_of(*(replace(CALL, status=status) for status in range(100, 120)), max_series=10)
    found = read(sums, families.REQUESTS)
    assert len(found) == 10 and found[(OTHER,) * 4] == 11
    assert total(sums, families.REQUESTS) == 20
    sums.take([replace(CALL, status=status) for status in range(100, 120)])
    assert len(read(sums, families.REQUESTS)) == 10 and total(sums, families.REQUESTS) == 40
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "llm_gateway_requests_total" in caplog.text and OTHER in caplog.text


def test_the_series_of_all_metrics_have_a_limit_too(caplog: pytest.LogCaptureFixture) -> None:
    tries = [TryRecord("acme", "m", str(number), ms=1) for number in range(200)]
    sums = sums_of(*(replace(CALL, alias=f"a{number}", tries=tuple(tries)) for number in range(200)), max_in_all=300)
    assert sum(len(series) for _, series in sums.read()) <= 300
    assert total(sums, families.REQUESTS) == 200 and total(sums, families.ATTEMPTS) == 200 * 200
    assert len(caplog.records) == 1


def test_the_limits_are_those_that_the_documents_name() -> None:
    room = Room()
    counters = Counters(families.REQUESTS, room)
    for number in range(MAX_SERIES + 100):
        counters.cell((str(number), "", "", ""))[0] += 1
    assert len(counters.read()) == MAX_SERIES == 5_000


@given(st.lists(st.integers(0, 1_000_000), max_size=50))
def test_a_histogram_counts_every_value_in_the_first_bucket_that_holds_it(milliseconds: list[int]) -> None:
    histogram = Histograms(families.DURATION, Room())
    for value in milliseconds:
        count(histogram.cell(("a", "chat", "true")), histogram.bounds, value)
    values = [value / 1_000 for value in milliseconds]
    cells = histogram.read().get(("a", "chat", "true"), (*[0] * 14, 0.0))
    bounds = (0.0, *families.SECONDS, 1e9)
    brute = [sum(low < value <= high or (low == value == 0) for value in values) for low, high in pairwise(bounds)]
    assert list(cells[:-1]) == brute
    assert cells[-1] == sum(milliseconds) / 1_000
