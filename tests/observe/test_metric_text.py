"""The text of /metrics: what prometheus-client's parsers read in it, scrape after scrape."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import exposition
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as open_metrics_exposition

from gateway.observe.metrics import families, process
from gateway.observe.metrics.families import Labels, Reading, Value
from gateway.observe.metrics.text import Writer, is_open_metrics
from tests.support.scrapes import Scrape, read_scrape
from tests.support.wine import not_under_wine

FORMATS = [False, True]
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What its scraper sends in these versions (scrape/scrape.go of prometheus/prometheus, 2026-11)."""


def written(writer: Writer, *readings: Reading, open_metrics: bool) -> Scrape:
    return read_scrape(writer.text(readings, open_metrics=open_metrics).decode(), open_metrics=open_metrics)


@pytest.mark.parametrize("open_metrics", FORMATS)
def test_every_metric_is_there_with_its_kind_before_anything_has_happened(open_metrics: bool) -> None:
    empty: list[Reading] = [(family, {}) for family in (*families.SUMMED, *families.READ)]
    empty += process.readings(1e9)
    scrape = written(Writer(), *empty, open_metrics=open_metrics)
    kinds = {family.name.removesuffix("_total"): family.kind for family in (*families.SUMMED, *families.READ)}
    assert scrape.kinds.items() >= kinds.items()
    assert scrape.of("process_resident_memory_bytes") > 1e6 and scrape.of("process_cpu_seconds_total") > 0


@pytest.mark.parametrize("open_metrics", FORMATS)
def test_a_histogram_says_for_each_bound_how_many_values_are_not_above_it(open_metrics: bool) -> None:
    cells = (1, 0, 2, *[0] * 10, 1, 700.5)
    reading: Reading = (families.FIRST_CONTENT, {("best",): cells})
    name = "llm_gateway_first_content_seconds"
    scrape = written(Writer(), reading, open_metrics=open_metrics)
    found = [scrape.of(f"{name}_bucket", model="best", le=le) for le in ("0.05", "0.1", "0.25", "600.0", "+Inf")]
    assert found == [1, 1, 3, 3, 4]
    assert (scrape.of(f"{name}_count"), scrape.of(f"{name}_sum")) == (4, 700.5)


labels = st.tuples(*[st.text(max_size=5)] * 3)
values = st.integers(0, 10**12)


@given(st.lists(st.dictionaries(labels, values, max_size=4), min_size=1, max_size=4), st.booleans())
def test_a_writer_that_has_written_before_writes_what_a_new_one_would(
    scrapes: list[dict[Labels, Value]], open_metrics: bool
) -> None:
    """Whatever labels come, go and come again, and whatever stands in them."""
    writer = Writer()
    for series in scrapes:
        reading: Reading = (families.COST, _encodable(series))
        again = written(writer, reading, open_metrics=open_metrics)
        assert again.sums == written(Writer(), reading, open_metrics=open_metrics).sums
        assert sorted(again.each("llm_gateway_cost_usd_total")) == sorted(reading[1].values())


@given(labels, st.booleans())
def test_a_histograms_lines_are_those_that_the_library_would_write(given_labels: Labels, open_metrics: bool) -> None:
    (key,) = _encodable({given_labels: 0})
    bounds = [*map(str, families.SECONDS), "+Inf"]
    theirs = HistogramMetricFamily(families.DURATION.name, families.DURATION.text, labels=families.DURATION.labels)
    theirs.add_metric(key, [(bound, 3) for bound in bounds], 0.75)
    generate = open_metrics_exposition.generate_latest if open_metrics else exposition.generate_latest
    expected = read_scrape(generate(Collected([theirs])).decode(), open_metrics=open_metrics)
    ours = written(Writer(), (families.DURATION, {key: (3, *[0] * 13, 0.75)}), open_metrics=open_metrics)
    assert ours.sums == expected.sums


class Collected:
    """A registry of what was made by hand."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _encodable(series: dict[Labels, Value]) -> dict[Labels, Value]:
    """Without lone surrogates, which no label of ours has."""
    return {tuple(each.encode("utf-8", "replace").decode() for each in key): value for key, value in series.items()}


@pytest.mark.parametrize(
    ("accept", "open_metrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text; version=1.0.0", True),
        ('application/openmetrics-text; version="1.0.0"', True),
        ("application/openmetrics-text; version=0.0.1", False),
        ("application/openmetrics-text; version=2.0.0", False),
        ("application/openmetrics-text; q=0", False),
        ("application/openmetrics-text; q=nonsense", False),
        ("text/plain; q=0.9, application/openmetrics-text; q=0.5", False),
        ("text/plain; q=0.5, Application/OpenMetrics-Text; Q=0.9", True),
        (PROMETHEUS_2, True),
        (PROMETHEUS_3, True),
    ],
)
def test_a_scraper_gets_the_format_that_it_prefers(accept: str, open_metrics: bool) -> None:
    assert is_open_metrics(accept) is open_metrics


def test_our_own_figures_of_the_process_stand_in_for_the_librarys() -> None:
    figures = {family.name: value for family, value in process.read(1e9)}
    assert figures["process_start_time_seconds"] == 1e9
    assert figures["process_cpu_seconds_total"] > 0
    if sys.platform != "linux":  # where they are the only ones
        assert figures["process_resident_memory_bytes"] > 1e6


@pytest.mark.skipif(sys.platform == "linux", reason="the library has it there")
@not_under_wine("GetProcessHandleCount says that there are none")
def test_open_handles_are_counted_where_the_library_does_not() -> None:
    figures = {family.name: value for family, value in process.read(1e9)}
    assert figures["process_open_fds"] > 0
