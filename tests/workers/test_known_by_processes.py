"""What workers know together as real processes: sums that never go down, a target that rests for all, one probe."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.support.edge import until
from tests.support.running import alias, provider
from tests.support.scrapes import Key, read_scrape
from tests.support.several_workers import Workers, configuration, workers
from tests.support.upstream_script import Json, ScriptedUpstream, WaitFor, json_answer

pytestmark = [
    pytest.mark.slow,  # tests/walk/test_known_together.py has the same in one process
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one worker accepts what it can"),
]
REQUESTS = "llm_gateway_requests_total"


@pytest.fixture
def upstreams() -> Iterator[tuple[ScriptedUpstream, ScriptedUpstream]]:
    with ScriptedUpstream() as first, ScriptedUpstream() as second:
        yield first, second


def two_targets(first: ScriptedUpstream, second: ScriptedUpstream) -> Mapping[str, object]:
    return {
        **configuration(first.base_url),
        "providers": {"first": provider(first.base_url), "second": provider(second.base_url)},
        "modelAliases": [alias("best", "first/m", "second/m")],
    }


def sums(gateway: Workers) -> Mapping[Key, float]:
    status, text = gateway.get("/metrics")
    assert status == 200
    return read_scrape(text.decode()).sums


def requests(found: Mapping[Key, float]) -> float:
    return sum(value for (name, _), value in found.items() if name == REQUESTS)


def test_no_sum_goes_down_where_a_worker_is_killed_under_load(
    upstreams: tuple[ScriptedUpstream, ScriptedUpstream], tmp_path: Path
) -> None:
    """Calls and scrapes all the while, by connections that come to any worker."""
    with workers(tmp_path, two_targets(*upstreams)) as gateway:
        gateway.until_serving()
        over = threading.Event()

        def load() -> None:
            while not over.is_set():
                with suppress(OSError, HTTPException):  # it was running at the worker that is killed
                    gateway.call()

        with ThreadPoolExecutor(3) as threads:
            loads = [threads.submit(load) for _ in range(3)]
            try:
                until(lambda: requests(sums(gateway)) >= 2)  # a call is added half a second after its end
                before = sums(gateway)
                killed = gateway.processes[0]
                scrapes = 0
                while scrapes < 12 or gateway.processes.get(0, killed) == killed or requests(before) < 60:
                    if scrapes == 4:
                        os.kill(killed, signal.Signals["SIGKILL"])
                    now = sums(gateway)
                    fallen = {key: (value, now.get(key)) for key, value in before.items() if now.get(key, -1) < value}
                    assert not fallen, f"scrape {scrapes}"
                    before, scrapes = now, scrapes + 1
            finally:
                over.set()
            for each in loads:
                each.result(30)
        gateway.until_serving()


def test_a_target_rests_for_both_and_one_call_asks_it_again(
    upstreams: tuple[ScriptedUpstream, ScriptedUpstream], tmp_path: Path
) -> None:
    first, second = upstreams
    with workers(tmp_path, two_targets(first, second)) as gateway, ThreadPoolExecutor(16) as threads:
        gateway.until_serving()
        may_answer = threading.Event()
        first.plays(Json(429, {"error": {"message": "slow down"}}, [("retry-after", "4")]))
        first.plays(WaitFor(may_answer), json_answer("back"))
        assert gateway.call() == 200
        assert len(second.requests) == 1, "a pause of more than three seconds is not waited for"
        asked = len(first.requests)
        for _ in range(20):
            assert gateway.call() == 200
        assert len(first.requests) == asked, "it rests for both"

        def resting() -> bool:
            return any(
                value
                for (name, labels), value in read_scrape(gateway.get("/metrics")[1].decode()).values.items()
                if name == "llm_gateway_target_rest_seconds" and ("provider", "first") in labels
            )

        until(lambda: not resting())
        calls = [threads.submit(gateway.call) for _ in range(24)]
        first.wait_for_requests(asked + 1)
        until(lambda: sum(each.done() for each in calls) == 23)
        assert len(first.requests) == asked + 1, "one call asks"
        may_answer.set()
        assert [each.result(30) for each in calls] == [200] * 24
        assert gateway.call() == 200
        assert len(first.requests) == asked + 2


def test_the_page_and_responses_are_those_of_both(
    upstreams: tuple[ScriptedUpstream, ScriptedUpstream], tmp_path: Path
) -> None:
    with workers(tmp_path, two_targets(*upstreams)) as gateway:
        gateway.until_serving()
        until(lambda: len({gateway.get("/gateway/calls.json")[1] for _ in range(8)}) == 1)
        statuses = [json.loads(gateway.get("/gateway/status.json")[1]) for _ in range(8)]
        assert len({(each["startedAt"], each["lastCall"]) for each in statuses}) == 1
        made = set()
        previous = None
        for _ in range(12):
            asked: dict[str, object] = {"model": "best", "input": "Hello"}
            if previous is not None:
                asked["previous_response_id"] = previous
            with closing(gateway.connect()) as connection:
                connection.request("POST", "/v1/responses", json.dumps(asked), {"content-type": "application/json"})
                response = connection.getresponse()
                body = json.loads(response.read())
                assert response.status == 200, body
            previous = body["id"]
            made.add(previous.split("_")[1])
            status, found = gateway.get(f"/v1/responses/{previous}")
            assert (status, json.loads(found)) == (200, body)
        assert made == {"w00", "w01"}
        assert len(upstreams[0].requests[-1].json()["messages"]) == 23
