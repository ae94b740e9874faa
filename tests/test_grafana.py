"""The dashboard: every query finds metrics that a gateway has, by labels that they have."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.observe.ledger_schema import UNPRICED
from tests.observe.test_metric_sums import CALL
from tests.support.running import alias, chat, provider, running
from tests.support.scrapes import Scrape, read_scrape
from tests.support.upstream_script import Request, ScriptedUpstream, Step, json_answer, sse_answer

DASHBOARD = json.loads((Path(__file__).parent.parent / "docs/grafana.json").read_text(encoding="utf-8"))
PROMETHEUS_LABELS = {"job", "instance"}
"""What Prometheus itself adds to every series of a scrape."""
WORDS = {
    "by",
    "changes",
    "histogram_quantile",
    "increase",
    "label_values",
    "le",
    "max",
    "or",
    "rate",
    "sum",
    "time",
    "vector",
}
"""What the queries are made of besides metrics and labels."""
STRING = re.compile(r'"[^"]*"')
SELECTOR = re.compile(r"(?P<metric>[a-z_]+)\{(?P<matchers>[^}]*)\}")
MATCHER = re.compile(r'(?P<label>[a-z_]+)(?:=~|!~|!=|=)"(?P<value>[^"]*)"')
GROUPED = re.compile(r"\bby \((?P<labels>[^)]*)\)")
VARIABLE = re.compile(r"label_values\((?P<metric>[a-z_]+)(?:\{[^}]*\})?, (?P<label>[a-z_]+)\)")
COSTLY = replace(CALL, provider="acme", cost=1_000)
USAGE: dict[str, Any] = {
    "prompt_tokens": 9,
    "completion_tokens": 5,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 4},
}


def queries() -> Iterator[Any]:
    """Every query, with its place."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield pytest.param(target["expr"], id=f"{panel['id']}{target['refId']}")
    for annotation in DASHBOARD["annotations"]["list"]:
        yield pytest.param(annotation["expr"], id=annotation["name"])


def variables() -> Iterator[Mapping[str, str]]:
    return (each for each in DASHBOARD["templating"]["list"] if each["type"] == "query")


@pytest.fixture(scope="module")
def scrape(tmp_path_factory: pytest.TempPathFactory) -> Scrape:
    """One of a gateway whose every metric has something to say."""
    tokens = tmp_path_factory.mktemp("tokens") / "token.json"
    tokens.write_text(json.dumps({"access_token": "t-0123456789", "expiry": "2099-01-01T00:00:00Z"}), encoding="utf-8")

    def answering(request: Request) -> tuple[Step, ...]:
        streamed = request.json().get("stream")
        return tuple(sse_answer("one", usage=USAGE)) if streamed else (json_answer("one", usage=USAGE),)

    with ScriptedUpstream() as up:
        up.answers(answering)
        config = {
            "providers": {
                "acme": provider(up.base_url, apiKey="k"),
                "logged": provider(up.base_url, authType="token_file", tokenFile=str(tokens)),
            },
            "modelAliases": [alias("best", "acme/m"), alias("own", "logged/m")],
            "rateLimits": [{"provider": "acme", "requestsPerMinute": 100}],
        }
        with running(config) as gateway:
            for model in ("best", "own"):
                for stream in (True, False):
                    assert gateway.post(chat(model, stream=stream)).status_code == 200
            gateway.settle()
            gateway.gateway.runtime.sums.take([COSTLY, replace(COSTLY, cost=None, cost_source=UNPRICED)])
            return read_scrape(gateway.get("/metrics").text)


def labels_of(scrape: Scrape, metric: str) -> set[str]:
    """The labels of a metric, or none where there is no series of it."""
    return {name for found, labels in scrape.values if found == metric for name, _ in labels} | (
        PROMETHEUS_LABELS if any(found == metric for found, _ in scrape.values) else set()
    )


@pytest.mark.parametrize("query", [*queries()])
def test_a_query_finds_its_metrics_by_labels_that_they_have(scrape: Scrape, query: str) -> None:
    selectors = list(SELECTOR.finditer(query))
    assert selectors
    found: set[str] = set()
    for selector in selectors:
        labels = labels_of(scrape, selector["metric"])
        matchers = {each["label"]: each["value"] for each in MATCHER.finditer(selector["matchers"])}
        assert matchers.keys() <= labels, f"{selector['metric']} has {labels}"
        assert matchers.keys() >= PROMETHEUS_LABELS
        found |= labels
    for group in GROUPED.finditer(query):
        assert set(group["labels"].split(", ")) <= found
    rest = STRING.sub("", SELECTOR.sub("", GROUPED.sub("", query)))
    rest = re.sub(r"\[\$__\w+\]", "", rest)
    assert set(re.findall(r"[a-z_]+", rest)) <= WORDS


@pytest.mark.parametrize("query", [*queries()])
def test_a_query_that_names_a_value_names_one_that_there_is(scrape: Scrape, query: str) -> None:
    for selector in SELECTOR.finditer(query):
        for matcher in MATCHER.finditer(selector["matchers"]):
            if matcher["value"].startswith(("$", "[")):
                continue  # a variable of the dashboard; the statuses of failures, of which there are none here
            values = {
                dict(labels).get(matcher["label"]) for name, labels in scrape.values if name == selector["metric"]
            }
            assert set(matcher["value"].split("|")) <= values


def test_the_variables_find_their_values(scrape: Scrape) -> None:
    named = {each["name"] for each in DASHBOARD["templating"]["list"]}
    for variable in variables():
        match = VARIABLE.fullmatch(variable["query"])
        assert match is not None and match["label"] in labels_of(scrape, match["metric"])
    assert set(re.findall(r"\$(?!__)(\w+)", json.dumps(DASHBOARD))) <= named


def test_legends_name_labels_of_their_queries(scrape: Scrape) -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            groups = GROUPED.search(target["expr"])
            metric = SELECTOR.search(target["expr"])
            assert metric is not None
            kept = set(groups["labels"].split(", ")) if groups else labels_of(scrape, metric["metric"])
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept
