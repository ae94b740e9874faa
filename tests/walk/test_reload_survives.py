"""What outlives a configuration: streams, windows, connections, what is known of targets."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.routing.router import Target
from tests.support.edge import LIMIT, until
from tests.support.reloading import KEY, TEXT, Stream, answering, config, edited, limited
from tests.support.running import alias, chat, provider
from tests.support.upstream_script import Json, ScriptedUpstream, json_answer

REFUSED = Json(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        scripted.answers(answering)
        yield scripted


class TestSurviving:
    def test_a_stream_ends_whole_although_its_alias_and_provider_are_gone(
        self, tmp_path: Path, up: ScriptedUpstream
    ) -> None:
        with ScriptedUpstream() as other, edited(tmp_path, config(up)) as gateway:
            other.answers(answering)
            stream = Stream(gateway, up)
            gateway.reload(config(other, "other", modelAliases=[alias("fast", "other/m")]))
            assert gateway.served.post(chat("best")).status_code == 404
            assert gateway.served.gateway.current.retired == 1
            assert stream.ends_whole()
            until(lambda: gateway.served.gateway.current.retired == 0)

    def test_a_stop_waits_for_the_streams_of_every_generation(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        with edited(tmp_path, config(up)) as gateway:
            streams = [Stream(gateway, up)]
            for number in range(3):
                gateway.reload(config(up, modelAliases=[alias("best", f"acme/m{number}")]))
                streams.append(Stream(gateway, up))
            assert gateway.served.gateway.current.retired == 3
            cut: list[int] = []
            stopping = threading.Thread(target=lambda: cut.append(gateway.served.gateway.drain()))
            stopping.start()
            until(lambda: gateway.served.gateway.runtime.drain_state.draining)
            assert [stream.ends_whole() for stream in streams] == [True] * 4
            stopping.join(LIMIT)
            assert cut == [0]

    def test_a_stop_waits_as_long_as_the_newest_file_says(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        with edited(tmp_path, config(up)) as gateway:
            stream = Stream(gateway, up)
            gateway.reload({**config(up), "gateway": {"threads": 16, "reload": "manual", "drainSeconds": 0}})
            assert gateway.served.gateway.drain() == 1
            assert not stream.ends_whole()

    def test_a_window_half_used_is_half_used_after_five_reloads(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        with edited(tmp_path, limited(up, 4, maxQueueSize=0)) as gateway:
            for _ in range(2):
                assert gateway.served.post(chat("best")).status_code == 200
            for number in range(5):
                gateway.reload(limited(up, 4, maxQueueSize=0) | {"modelAliases": [alias("best", f"acme/{number}")]})
            statuses = [gateway.served.post(chat("best")).status_code for _ in range(3)]
            assert statuses == [200, 200, 429]
            assert gateway.generation == 6

    def test_connections_of_a_provider_that_is_asked_as_before(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        with edited(tmp_path, config(up)) as gateway:
            gateway.served.post(chat("best"))
            for number in range(3):
                gateway.reload(limited(up, 100 + number) | {"modelAliases": [alias("best", f"acme/{number}")]})
                gateway.served.post(chat("best"))
            assert up.connections == 1
            slower = provider(up.base_url, apiKey=KEY, timeouts={"connectSeconds": 3})
            gateway.reload(config(up, providers={"acme": slower}))
            gateway.served.post(chat("best"))
            assert up.connections == 2
            assert len(gateway.served.gateway.runtime.transports) == 1

    def test_what_is_known_of_targets_and_what_a_new_key_makes_of_it(
        self, tmp_path: Path, up: ScriptedUpstream
    ) -> None:
        good = "sk-second-0123456789"
        up.answers(lambda request: (REFUSED,) if KEY in request.headers["authorization"] else (json_answer(TEXT),))
        with edited(tmp_path, config(up)) as gateway:
            health = gateway.served.gateway.runtime.health
            assert gateway.served.post(chat("best")).status_code == 401
            assert health.describe(Target("acme", "m")).why == "key_refused"
            gateway.reload(limited(up, 100))
            assert health.describe(Target("acme", "m")).why == "key_refused", "the target is the same"
            gateway.reload(config(up, providers={"acme": provider(up.base_url, apiKey=good)}))
            assert health.describe(Target("acme", "m")).why is None
            assert gateway.served.post(chat("best")).status_code == 200

    def test_old_secrets_are_still_masked(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        with edited(
            tmp_path, config(up, providers={"acme": provider(up.base_url, apiKey="ordinary-word-1")})
        ) as gateway:
            mask = gateway.served.gateway.runtime.masker.mask
            for number in range(2, 5):
                gateway.reload(config(up, providers={"acme": provider(up.base_url, apiKey=f"ordinary-word-{number}")}))
            assert mask("ordinary-word-1 ordinary-word-3 ordinary-word-4") == "*** *** ***"

    def test_answers_that_are_kept_are_there_for_requests_that_build_on_them(
        self, tmp_path: Path, up: ScriptedUpstream
    ) -> None:
        with edited(tmp_path, config(up)) as gateway:
            first = gateway.served.post({"model": "best", "input": "Hello"}, path="/v1/responses").json()
            gateway.reload(limited(up, 100))
            assert gateway.served.get(f"/v1/responses/{first['id']}").status_code == 200
            more = {"model": "best", "input": "And?", "previous_response_id": first["id"]}
            assert gateway.served.post(more, path="/v1/responses").status_code == 200
            off = {"threads": 16, "reload": "manual", "responseStore": {"maxMiB": 0}}
            gateway.reload({**config(up), "gateway": off})
            assert gateway.served.get(f"/v1/responses/{first['id']}").status_code == 404
