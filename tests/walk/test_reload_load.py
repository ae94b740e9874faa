"""Callers that wait for a rate limit while it changes, and reloads under load."""

import gc
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import requests

from gateway.config import schema
from gateway.limits.slots import UnitStatus
from tests.support.edge import LIMIT, until
from tests.support.reloading import Edited, answering, config, edited, limited
from tests.support.running import alias, chat, provider
from tests.support.upstream_script import ScriptedUpstream
from tests.walk.test_swaps import Load, assemblies, descriptors, gateway_threads


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        scripted.answers(answering)
        yield scripted


class TestLines:
    """Callers that wait for a rate limit while it changes."""

    def waiting(self, gateway: Edited, count: int) -> tuple[list[threading.Thread], list[int]]:
        statuses: list[int] = []

        def ask() -> None:
            with requests.Session() as session:
                address = f"{gateway.served.url}/v1/chat/completions"
                statuses.append(session.post(address, json=chat("best"), timeout=LIMIT).status_code)

        threads = [threading.Thread(target=ask) for _ in range(count)]
        for each in threads:
            each.start()
        limiter = gateway.served.gateway.runtime.limiters.of("acme")
        assert limiter is not None
        until(lambda: limiter.waiting == count)
        return threads, statuses

    def ended(self, threads: Sequence[threading.Thread]) -> None:
        for each in threads:
            each.join(LIMIT)

    def test_a_limit_that_goes_lets_its_line_through_at_once(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        with edited(tmp_path, limited(up, 1, maxWaitSeconds=3600)) as gateway:
            gateway.served.post(chat("best"))
            threads, statuses = self.waiting(gateway, 3)
            gateway.reload(config(up))
            self.ended(threads)
            assert statuses == [200, 200, 200]

    def test_a_limit_that_rises_lets_through_as_many_as_it_has_room_for(
        self, tmp_path: Path, up: ScriptedUpstream
    ) -> None:
        with edited(tmp_path, limited(up, 1, maxWaitSeconds=3600)) as gateway:
            gateway.served.post(chat("best"))
            threads, statuses = self.waiting(gateway, 3)
            gateway.reload(limited(up, 3, maxWaitSeconds=3600))
            until(lambda: statuses == [200, 200])
            limiter = gateway.served.gateway.runtime.limiters.of("acme")
            assert limiter is not None
            (row,) = limiter.status()
            assert (row.units, row.waiting) == ((UnitStatus("requestsPerMinute", 3, 3),), 1)
            gateway.reload(config(up))
            self.ended(threads)

    @pytest.mark.parametrize("gone", [True, False], ids=["gone", "switched off"])
    def test_a_provider_that_goes_hands_its_line_to_the_next_target(
        self, tmp_path: Path, up: ScriptedUpstream, gone: bool
    ) -> None:
        with ScriptedUpstream() as other:
            other.answers(answering)
            first = limited(up, 1, maxWaitSeconds=3600)
            first["providers"] = {"acme": provider(up.base_url), "other": provider(other.base_url)}
            first["modelAliases"] = [alias("best", "acme/m", "other/m", whenLimited="wait")]
            with edited(tmp_path, first) as gateway:
                gateway.served.post(chat("best"))
                threads, statuses = self.waiting(gateway, 2)
                off = {"acme": provider(up.base_url, enabled=False), "other": provider(other.base_url)}
                left = {"other": provider(other.base_url)}
                limits = [] if gone else first["rateLimits"]
                aliases = [alias("best", "other/m")]
                gateway.reload(config(up, providers=left if gone else off, modelAliases=aliases, rateLimits=limits))
                self.ended(threads)
                assert statuses == [200, 200]
                assert len(up.requests) == 1
                assert len(other.requests) == 2


class TestUnderLoad:
    @pytest.mark.usefixtures("collected")
    @pytest.mark.parametrize("reloads", [10, pytest.param(200, marks=pytest.mark.slow)])
    def test_reloads_fail_no_call_and_leave_nothing(self, tmp_path: Path, reloads: int) -> None:
        with ScriptedUpstream() as one, ScriptedUpstream() as two:
            for each in (one, two):
                each.answers(answering)
            others = configurations()
            files = [limited(one, 1_000_000), limited(two, 900_000) | {"logging": {"level": "warning"}}]
            with edited(tmp_path, files[0]) as gateway:
                load = Load(gateway.served)
                after_five = (0, 0)
                for number in range(1, reloads + 1):
                    before = load.answered
                    assert gateway.reload(files[number % 2])["generation"] == number + 1
                    until(lambda before=before: load.answered > before or bool(load.wrong))  # type: ignore[misc]
                    if number == 5:
                        after_five = gateway_threads(), descriptors()
                threads, opened = gateway_threads(), descriptors()
                load.end()
                assert load.wrong == []
                assert threads <= after_five[0]
                assert opened <= after_five[1] + 16
                until(lambda: gateway.served.gateway.current.retired == 0)
                until(lambda: assemblies() == 1)
                assert len(gateway.served.gateway.runtime.transports) == 1
                assert configurations() <= others + 2, "only the test holds the first one, and the gateway the last"

    def test_triggers_at_once_come_one_after_the_other_and_the_last_state_wins(
        self, tmp_path: Path, up: ScriptedUpstream
    ) -> None:
        with edited(tmp_path, config(up)) as gateway:
            gateway.write(config(up, modelAliases=[alias("last", "acme/m")]))
            outcomes: list[int] = []

            def ask() -> None:
                outcomes.append(gateway.served.gateway.reloader.reload().generation)

            threads = [threading.Thread(target=ask) for _ in range(8)]
            for each in threads:
                each.start()
            gateway.served.gateway.reloader.request()
            for each in threads:
                each.join(LIMIT)
            assert outcomes == [2] * 8
            assert gateway.served.get("/v1/models").json()["data"][0]["id"] == "last"


def configurations() -> int:
    """How many are in memory: a copy of a setting of one that was replaced is a setting that is not taken over."""
    gc.collect()
    return sum(isinstance(each, schema.Config) for each in gc.get_objects())
