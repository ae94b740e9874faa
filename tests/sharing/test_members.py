"""The gateways of a group: who is there, and whether their limits are the same."""

from contextlib import closing

import pytest

from gateway.config.rate_limit import RateLimit
from tests.support.fleet import Fleet
from tests.support.redis_server import RedisServer, needs_redis

pytestmark = needs_redis


def test_each_counts_those_that_are_there(redis: RedisServer) -> None:
    with closing(Fleet(redis, [], 3)) as fleet:
        assert [each.server.members.count for each in fleet.gateways] == [3, 3, 3]
        going = fleet.gateways.pop()
        going.server.close()
        fleet.beat()
        assert [each.server.members.count for each in fleet.gateways] == [2, 2]


def test_while_the_server_is_away_those_that_were_there_last_count(redis: RedisServer) -> None:
    with closing(Fleet(redis, [], 2)) as fleet:
        first = fleet.gateways[0].server
        fleet.cut(is_cut=True)
        fleet.beat()
        assert first.members.count == 2 and not first.members.all_are_back
        fleet.gateways[0].link.is_cut = False
        fleet.empty()
        fleet.beat()
        assert first.is_up and first.members.count == 2 and not first.members.all_are_back
        fleet.cut(is_cut=False)
        for _ in range(4):
            fleet.beat()
        assert first.members.all_are_back


def test_a_beat_that_was_forgotten_tells_that_the_server_was_emptied(redis: RedisServer) -> None:
    with closing(Fleet(redis, [], 1)) as fleet:
        server = fleet.gateways[0].server
        assert server.generation == 1 and not server.guards(60)
        fleet.empty()
        fleet.beat()
        assert server.generation == 2 and server.guards(60)


def test_limits_that_differ_are_warned_of_once(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Fleet(redis, [RateLimit(provider="p", requests_per_minute=5)])) as fleet:
        fleet.gateways[1].limiters.configure([RateLimit(provider="p", requests_per_minute=7)])
        for _ in range(3):
            fleet.beat()
        found = sorted(each for each in caplog.messages if "each gateway uses its own number" in each)
        assert len(found) == 2
        assert "requestsPerMinute of p is 5 here (gateway 0/" in found[0] and "and 7 at gateway 1/" in found[0]


def test_a_gateway_that_has_slept_finds_what_it_wrote(redis: RedisServer) -> None:
    with closing(Fleet(redis, [RateLimit(provider="p", requests_per_minute=5)])) as fleet:
        first, second = fleet.gateways
        assert first.takes()
        fleet.advance(40)
        second.server.look()
        assert second.server.members.count == 1
        first.server.look()
        assert first.server.generation == 1 and sum(second.takes() for _ in range(9)) == 4
