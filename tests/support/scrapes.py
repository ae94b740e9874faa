"""What a scrape says, read by prometheus-client's own parsers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families
from prometheus_client.parser import text_string_to_metric_families as plain_families

Key = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Scrape:
    """One scrape.

    Attributes:
        values: of each sample, by its name and labels.
        kinds: of each metric, by its name without `_total`.
    """

    values: Mapping[Key, float]
    kinds: Mapping[str, str]

    def of(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name that have these labels."""
        return sum(self.each(name, **labels))

    def each(self, name: str, **labels: str) -> Iterator[float]:
        for (found, given), value in self.values.items():
            if found == name and given >= frozenset(labels.items()):
                yield value

    @property
    def sums(self) -> Mapping[Key, float]:
        """The samples of counters and histograms, without those of the process."""
        counting = {name for name, kind in self.kinds.items() if kind in ("counter", "histogram")}
        return {
            key: value
            for key, value in self.values.items()
            if _family(key[0]) in counting and not key[0].startswith("process_")
        }


def read_scrape(text: str, *, open_metrics: bool = False) -> Scrape:
    """The samples of a text, whose lines are all valid and none of which comes twice."""
    values: dict[Key, float] = {}
    kinds: dict[str, str] = {}
    for family in (open_metrics_families if open_metrics else plain_families)(text):
        kinds[family.name] = family.type
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in values, f"{key} comes twice"
            values[key] = sample.value
    return Scrape(values, kinds)


def _family(name: str) -> str:
    for end in ("_total", "_bucket", "_count", "_sum"):
        if name.endswith(end):
            return name.removesuffix(end)
    return name
