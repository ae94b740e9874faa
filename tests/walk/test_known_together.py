"""What two workers know together, through their sockets: rests, numbers of all kinds, kept responses."""

import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from gateway.server.calls_json import Calls
from gateway.server.status_json import Status
from tests.support.fakes import FakeClock
from tests.support.reloading import KEY
from tests.support.running import Running, alias, chat, provider
from tests.support.scrapes import Scrape, read_scrape
from tests.support.two_workers import TwoWorkers, two_workers
from tests.support.upstream_script import Json, ScriptedUpstream, WaitFor, json_answer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="several workers need Linux or macOS")
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
LEFT = {
    "x-ratelimit-limit-requests": "100",
    "x-ratelimit-remaining-requests": "40",
    "x-ratelimit-reset-requests": "1h",
}
REQUESTS = "llm_gateway_requests_total"


class Scene:
    """Two workers, and an alias `best` with two targets, `first` before another one."""

    def __init__(self, workers: TwoWorkers, clock: FakeClock, first: ScriptedUpstream) -> None:
        self.workers = workers
        self.one, self.two = workers.both
        self.clock = clock
        self.first = first

    def call(self, worker: Running) -> None:
        """A call that is answered."""
        reply = worker.post(chat("best"))
        assert reply.status_code == 200, reply.text

    def scrape(self, worker: Running) -> Scrape:
        self.workers.settle()
        return read_scrape(worker.get("/metrics").text)

    def status(self, worker: Running) -> Status:
        self.workers.settle()
        return msgspec.json.decode(worker.get("/gateway/status.json").content, type=Status)

    def calls(self, worker: Running, query: str = "") -> Calls:
        self.workers.settle()
        return msgspec.json.decode(worker.get(f"/gateway/calls.json{query}").content, type=Calls)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    clock = FakeClock()
    with ScriptedUpstream() as first, ScriptedUpstream() as second:
        config: Mapping[str, object] = {
            "providers": {
                name: provider(each.base_url, apiKey=KEY) for name, each in (("first", first), ("second", second))
            },
            "modelAliases": [alias("best", "first/m", "second/m")],
        }
        with two_workers(config, tmp_path, monkeypatch, clock) as workers:
            yield Scene(workers, clock, first)


def test_a_target_that_has_asked_one_worker_to_wait_is_asked_by_none(scene: Scene) -> None:
    """For 30 seconds the other target answers both. Then calls come to both at once, and one of them alone asks."""
    scene.first.plays(Json(429, {"error": {"message": "slow down"}}, [("retry-after", "30")]))
    scene.call(scene.one)
    for _ in range(3):
        scene.call(scene.two)
        scene.call(scene.one)
    scene.clock.advance(29.9)
    scene.call(scene.two)
    assert len(scene.first.requests) == 1
    for worker in scene.workers.both:
        assert scene.scrape(worker).of("llm_gateway_target_resting", provider="first") == 1
        [target] = [each for model in scene.status(worker).models for each in model.targets if each.provider == "first"]
        assert target.why == "rate_limited"

    scene.clock.advance(0.2)
    may_answer = threading.Event()
    scene.first.plays(WaitFor(may_answer), json_answer("back"))
    with ThreadPoolExecutor(9) as threads:
        probe = threads.submit(scene.call, scene.two)
        scene.first.wait_for_requests(2)
        others = [threads.submit(scene.call, worker) for worker in scene.workers.both * 4]
        for other in others:
            other.result(30)
        assert len(scene.first.requests) == 2, "the probe alone"
        may_answer.set()
        probe.result(30)
    for worker in scene.workers.both:
        scene.call(worker)
    assert len(scene.first.requests) == 4


def test_whoever_is_scraped_has_the_sums_of_both(scene: Scene) -> None:
    for worker in (scene.one, scene.one, scene.two):
        scene.call(worker)
    scrapes = [scene.scrape(worker) for worker in scene.workers.both]
    assert scrapes[0].sums == scrapes[1].sums
    assert scrapes[0].of(REQUESTS) == 3
    assert scrapes[0].of("llm_gateway_request_duration_seconds_count") == 3
    assert scrapes[0].of("llm_gateway_build_info") == 1
    assert [scrapes[0].of("process_resident_memory_bytes", worker=str(number)) > 1e6 for number in range(2)] == [
        True
    ] * 2
    assert len(list(scrapes[0].each("process_cpu_seconds_total"))) == 1


def test_no_sum_goes_down_while_a_worker_is_silent_and_when_it_is_dead(scene: Scene) -> None:
    for worker in (scene.one, scene.one, scene.two):
        scene.call(worker)
    before = scene.scrape(scene.two).sums
    scene.workers.hub.silent.add(0)
    assert scene.scrape(scene.two).sums == before
    scene.workers.hub.restart(0)
    assert scene.scrape(scene.two).sums == before
    scene.call(scene.two)
    assert scene.scrape(scene.two).of(REQUESTS) == 4


def test_the_page_shows_the_same_at_both(scene: Scene) -> None:
    scene.first.answers(
        lambda request: [
            json_answer(
                "x",
                usage=USAGE,
            )
        ]
    )
    for worker in (scene.one, scene.two, scene.one):
        scene.call(worker)
    one, two = (scene.calls(worker) for worker in scene.workers.both)
    assert one == two
    assert ([call.id for call in one.calls], one.last_call) == ([3, 2, 1], 3)
    statuses = [scene.status(worker) for worker in scene.workers.both]
    assert statuses[0].series == statuses[1].series
    assert sum(statuses[0].series.answered) == 3
    assert sum(statuses[0].series.input) == 33
    assert statuses[0].started_at == statuses[1].started_at
    assert statuses[0].models == statuses[1].models
    scene.call(scene.two)
    assert [call.id for call in scene.calls(scene.one, f"?after={one.last_call}").calls] == [4]


def test_what_a_provider_has_told_one_worker_is_shown_by_both(scene: Scene) -> None:
    scene.first.plays(Json(200, json_answer("x").value, list(LEFT.items())))
    scene.call(scene.one)
    for worker in scene.workers.both:
        [account] = [each for each in scene.status(worker).accounts if each.provider == "first"]
        assert [(each.kind, each.remaining) for each in account.remaining] == [("requests", 40)]
        assert scene.scrape(worker).of("llm_gateway_provider_remaining", provider="first") == 40


def test_a_call_under_way_at_one_is_counted_at_the_other(scene: Scene) -> None:
    may_answer = threading.Event()
    scene.first.plays(WaitFor(may_answer), json_answer("late"))
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(scene.call, scene.one)
        scene.first.wait_for_requests(1)
        reply = scene.two.get("/gateway/status.json")
        assert msgspec.json.decode(reply.content, type=Status).running_calls == 1
        may_answer.set()
        call.result(30)
    assert scene.status(scene.two).running_calls == 0


def test_a_conversation_goes_on_at_the_other_worker(scene: Scene) -> None:
    asked = {"model": "best", "input": "Hello"}
    made = scene.one.post(asked, path="/v1/responses").json()
    assert made["id"].startswith("resp_w00_")
    assert scene.two.get(f"/v1/responses/{made['id']}").json() == made
    more = {"model": "best", "input": "And?", "previous_response_id": made["id"]}
    later = scene.two.post(more, path="/v1/responses").json()
    assert later["id"].startswith("resp_w01_")
    sent = scene.first.requests[-1].json()["messages"]
    assert [each["role"] for each in sent] == ["user", "assistant", "user"]
    items = scene.one.get(f"/v1/responses/{later['id']}/input_items?order=asc").json()["data"]
    assert [each["role"] for each in items] == ["user", "assistant", "user"]
    assert scene.one.get(f"/v1/responses/{later['id']}").json() == later
    assert scene.two._session.delete(f"{scene.two.url}/v1/responses/{made['id']}").json()["deleted"] is True
    assert scene.one.get(f"/v1/responses/{made['id']}").status_code == 404
    refused = scene.two.post({**more}, path="/v1/responses")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "previous_response_not_found")


def test_explain_tells_of_what_both_have_seen(scene: Scene) -> None:
    for worker, times in ((scene.one, 2), (scene.two, 1)):
        for _ in range(times):
            for _ in range(2):  # a call's two tries
                scene.first.plays(Json(500, {}))
            scene.call(worker)
    scene.first.plays(json_answer("x"))
    scene.call(scene.two)
    for worker in scene.workers.both:
        first, second = worker.get("/gateway/explain?model=best").json()["candidates"]
        assert (first["health"]["failures"], first["health"]["whole_samples"]) == (4, 1)
        assert second["health"]["whole_samples"] == 2
    assert scene.one.get("/gateway/explain?model=nobody").status_code == 404
    scene.workers.hub.silent.add(0)
    assert scene.two.get("/gateway/explain?model=best").json()["candidates"][0]["health"]["failures"] == 0
