"""Writes metrics for a scraper: Prometheus's text format 0.0.4, or OpenMetrics 1.0.

prometheus-client writes the labels of every series once. It is imported at the first scrape only, because a gateway
that nobody scrapes needs none of it, and none of its metrics or registries is used: what it writes comes from a
collector of ours. It takes some 10 us a line, and OpenTelemetry's histograms have 17 lines for each target. So a
histogram's labels are written in one line, the beginnings of lines are kept, and where a value has changed only the
numbers behind them are written again.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/ (2026-11).
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from gateway.observe.metrics.families import Family, Labels, Reading, Value

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

OPEN_METRICS_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
EOF: Final = "# EOF\n"
"""Ends a text of OpenMetrics."""


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of one series.

    Attributes:
        beginnings: of each, up to its number: the name and the labels.
        value: for which the text was written.
    """

    beginnings: tuple[str, ...]
    value: Value
    text: str

    @classmethod
    def of(cls, beginnings: tuple[str, ...], value: Value) -> "_Lines":
        from prometheus_client.utils import floatToGoString  # noqa: PLC0415 - see above

        ends = map(floatToGoString, _numbers(value))
        text = "".join(f"{beginning} {end}\n" for beginning, end in zip(beginnings, ends, strict=True))
        return cls(beginnings, value, text)


@dataclass(frozen=True, slots=True)
class _Collector:
    """What prometheus-client takes its metrics from. It asks nothing else of a registry."""

    metrics: "Sequence[Metric]"

    def collect(self) -> "Iterable[Metric]":
        return self.metrics


class Writer:
    """Writes what is read at each scrape. Safe to use from many threads; they come one after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the kept lines
        self._kept: dict[tuple[str, bool], tuple[str, dict[Labels, _Lines]]] = {}

    def text(self, readings: Iterable[Reading], *, open_metrics: bool) -> bytes:
        """All metrics.

        Args:
            readings: each metric once.
            open_metrics: the format; else it is 0.0.4.
        """
        with self._lock:
            parts = [self._family(family, series, open_metrics) for family, series in readings]
        return "".join([*parts, EOF if open_metrics else ""]).encode()

    def _family(self, family: Family, series: Mapping[Labels, Value], open_metrics: bool) -> str:
        head, before = self._kept.get((family.name, open_metrics), ("", {}))
        new = [labels for labels in series if labels not in before]
        if new or not head:
            head, beginnings = _written(family, new, _generator(open_metrics))
            before = {**before, **{labels: _Lines.of(beginnings[labels], series[labels]) for labels in new}}
        now = {labels: _with(before[labels], value) for labels, value in series.items()}
        self._kept[family.name, open_metrics] = head, now
        return head + "".join(each.text for each in now.values())


def _with(lines: _Lines, value: Value) -> _Lines:
    """The same series with its value now."""
    return lines if lines.value == value else _Lines.of(lines.beginnings, value)


def _written(
    family: Family, series: Iterable[Labels], generate: Callable[[_Collector], bytes]
) -> tuple[str, Mapping[Labels, tuple[str, ...]]]:
    """The lines that begin a metric, and the beginnings of the lines of each series.

    A histogram's 16 lines a series have the same labels, so they are written once, as a gauge's.
    """
    head = _text([_metric(family, {})], generate)
    written = family if family.kind != "histogram" else replace(family, kind="gauge")
    lines = _text([_metric(written, dict.fromkeys(series, 0.0))], generate).split("\n")[:-1]  # labels have no \n
    named = [line.rpartition(" ")[0] for line in lines if not line.startswith("# ")]
    if written is family:
        return head, {labels: (name,) for labels, name in zip(series, named, strict=True)}
    return head, {labels: _histogram_lines(family, name) for labels, name in zip(series, named, strict=True)}


def _histogram_lines(family: Family, named: str) -> tuple[str, ...]:
    """The beginnings of a histogram's lines.

    Args:
        named: the metric's name and the labels of one series.
    """
    labels = named.removeprefix(family.name)
    among = f"{labels.removesuffix('}')}," if labels else "{"
    bounds = (*map(str, family.buckets), "+Inf")
    buckets = (f'{family.name}_bucket{among}le="{bound}"}}' for bound in bounds)
    return (*buckets, f"{family.name}_count{labels}", f"{family.name}_sum{labels}")


def _text(metrics: "Sequence[Metric]", generate: Callable[[_Collector], bytes]) -> str:
    return generate(_Collector(metrics)).decode().removesuffix(EOF)


def _generator(open_metrics: bool) -> Callable[[_Collector], bytes]:
    from prometheus_client import exposition  # noqa: PLC0415 - see above
    from prometheus_client.openmetrics import exposition as open_metrics_exposition  # noqa: PLC0415

    written: Callable[[_Collector], bytes] = exposition.generate_latest
    if open_metrics:
        written = open_metrics_exposition.generate_latest
    return written


def _metric(family: Family, series: Mapping[Labels, float]) -> "Metric":
    from prometheus_client import metrics_core  # noqa: PLC0415 - see above

    if family.kind == "histogram":
        return metrics_core.HistogramMetricFamily(family.name, family.text, labels=family.labels)
    kind = metrics_core.CounterMetricFamily if family.kind == "counter" else metrics_core.GaugeMetricFamily
    metric = kind(family.name, family.text, labels=family.labels)
    for labels, value in series.items():
        metric.add_metric(labels, value)
    return metric


def _numbers(value: Value) -> Sequence[float]:
    """The numbers of a series' lines: of a histogram, each bucket with those below it, all values, and their sum."""
    if not isinstance(value, tuple):
        return (value,)
    buckets = list(accumulate(value[:-1]))
    return (*buckets, buckets[-1], value[-1])


def is_open_metrics(accept: str) -> bool:
    """Whether a scraper wants OpenMetrics 1.0 rather than the text format 0.0.4.

    Args:
        accept: the header (RFC 9110 section 12.5.1).
    """
    best = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    versions = {"application/openmetrics-text": {"", "1.0.0"}, "text/plain": {"", "0.0.4"}}
    for each in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        fields = dict(part.partition("=")[::2] for part in parameters)
        if kind in best and fields.get("version", "").strip('"') in versions[kind]:
            best[kind] = max(best[kind], _quality(fields.get("q", "1")))
    return best["application/openmetrics-text"] > 0.0 and (best["application/openmetrics-text"] >= best["text/plain"])


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
