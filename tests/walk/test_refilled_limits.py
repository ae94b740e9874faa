"""A window of a day outlives the process: the ledger knows what was sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.reloading import config, edited
from tests.support.running import Running, chat
from tests.support.upstream_script import ScriptedUpstream, Status, json_answer

USAGE = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        upstream.answers(lambda request: [json_answer("hi", usage=USAGE)])
        yield upstream


def units(gateway: Running, model: str = "m") -> dict[str, int]:
    limiter = gateway.gateway.runtime.limiters.of("acme", model)
    assert limiter is not None
    return {unit.unit: unit.used for row in limiter.status() for unit in row.units}


def by_day(up: ScriptedUpstream, **numbers: object) -> dict[str, object]:
    return config(up, rateLimits=[{"provider": "acme", "maxQueueSize": 0, **numbers}])


def test_a_restart_gives_no_second_day(up: ScriptedUpstream, tmp_path: Path) -> None:
    settings = by_day(up, requestsPerDay=3, tokensPerDay=1_000_000)
    with edited(tmp_path, settings) as gateway:
        assert [gateway.served.post(chat("best")).status_code for _ in range(2)] == [200, 200]
    with edited(tmp_path, settings) as gateway:
        assert units(gateway.served) == {"requestsPerDay": 2, "tokensPerDay": 84}
        assert [gateway.served.post(chat("best")).status_code for _ in range(2)] == [200, 429]
    assert len(up.requests) == 3


def test_every_request_of_a_call_counts_and_what_never_left_does_not(up: ScriptedUpstream, tmp_path: Path) -> None:
    up.plays(Status(500))
    with edited(tmp_path, by_day(up, requestsPerDay=2)) as gateway:
        assert gateway.served.post(chat("best")).status_code == 200, "the second try"
        assert [gateway.served.post(chat("best")).status_code for _ in range(3)] == [429] * 3
    with edited(tmp_path, by_day(up, requestsPerDay=9)) as gateway:
        assert units(gateway.served) == {"requestsPerDay": 2}


def test_a_row_counts_its_models_alone(up: ScriptedUpstream, tmp_path: Path) -> None:
    with edited(tmp_path, config(up)) as gateway:
        assert gateway.served.post(chat("acme/one")).status_code == 200
        assert gateway.served.post(chat("acme/other")).status_code == 200
    with edited(tmp_path, by_day(up, model="one*", requestsPerDay=5)) as gateway:
        assert units(gateway.served, "one") == {"requestsPerDay": 1}


def test_a_reload_that_brings_a_day_knows_what_was_sent_before(up: ScriptedUpstream, tmp_path: Path) -> None:
    with edited(tmp_path, config(up)) as gateway:
        assert gateway.served.post(chat("best")).status_code == 200
        assert gateway.reload(by_day(up, requestsPerDay=5))["status"] == 200
        assert units(gateway.served) == {"requestsPerDay": 1}
        assert gateway.reload(by_day(up, requestsPerDay=6))["status"] == 200
        assert units(gateway.served) == {"requestsPerDay": 1}, "it is counted once"


def test_a_ledger_that_cannot_be_read_keeps_nobody_from_starting(up: ScriptedUpstream, tmp_path: Path) -> None:
    (tmp_path / "usage.db").write_bytes(b"no ledger at all" * 100)
    with edited(tmp_path, by_day(up, requestsPerDay=5)) as gateway:
        assert units(gateway.served) == {"requestsPerDay": 0}
        assert gateway.served.post(chat("best")).status_code == 200
