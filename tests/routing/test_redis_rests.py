"""Rests that gateways tell one another through a real server."""

import threading
from contextlib import closing
from typing import Any

import pytest

from gateway.core.clock import SystemClock
from gateway.routing.redis_rests import RedisRests
from gateway.routing.rest_board import MemoryBoard, Rest
from gateway.routing.router import Target
from gateway.sharing.script import plain
from gateway.sharing.subscription import Subscription
from tests.support.fleet import Fleet
from tests.support.redis_server import RedisServer, needs_redis

pytestmark = needs_redis

TARGET = Target("openai", "gpt\n4o", "work")


class Machines:
    """A board of each gateway; messages are handed over when the test says so."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.boards = [RedisRests(MemoryBoard(), each.server, fleet.clock) for each in fleet.gateways]

    def rest(self, place: int, seconds: float, why: Any = "rate_limited") -> None:
        now = self.fleet.clock.monotonic()
        self.boards[place].rest(TARGET, Rest(now + seconds, why, 2), now)
        self.fleet.gateways[place].server.ask()

    def due(self, place: int) -> float:
        found = self.boards[place].find(TARGET)
        return found.due(self.fleet.clock.monotonic()) if found else 0.0


def test_a_whole_table_is_read_after_a_connect(redis: RedisServer) -> None:
    with closing(Fleet(redis, [])) as fleet:
        machines = Machines(fleet)
        machines.rest(0, 30)
        machines.boards[1].catch_up()
        assert 29 < machines.due(1) <= 30
        found = machines.boards[1].find(TARGET)
        assert found is not None and (found.why, found.times) == ("rate_limited", 2)


def test_messages_are_heard_and_ones_own_are_not(redis: RedisServer) -> None:
    with closing(Fleet(redis, [])) as fleet:
        machines = Machines(fleet)
        done = fleet.gateways[1].link.subscription(5.0)
        fleet.gateways[1].link.send(done, plain("SUBSCRIBE", machines.boards[1].channel))
        fleet.gateways[1].link.read(done)
        machines.rest(0, 30)
        machines.boards[0].lift(TARGET)
        fleet.gateways[0].server.ask()
        heard = [fleet.gateways[1].link.read(done)[2] for _ in range(2)]
        done.disconnect()
        machines.boards[1].hear(heard[0])
        assert 29.9 < machines.due(1) <= 30
        machines.boards[1].hear(heard[1])
        assert machines.due(1) == 0
        machines.boards[0].hear(heard[0])
        assert machines.due(0) == 0, "it was lifted here since"
        assert fleet.asking.plain("HLEN", "gw:{g}:rests") == 0


@pytest.mark.parametrize(
    "message",
    [b"", b"x", b"a\nb\nrate_limited\n1\nt", b"a\n5\nsomething\n1\np\ta\tm", b"a\n5\nquota\n1\nno tabs", b"\xff"],
)
def test_messages_of_another_version_are_passed_over(redis: RedisServer, message: bytes) -> None:
    with closing(Fleet(redis, [], 1)) as fleet:
        (board,) = Machines(fleet).boards
        board.hear(message)
        assert board.find(TARGET) is None


def test_a_full_table_forgets_what_ends_first(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.routing.redis_rests.ENTRIES", 2)
    with closing(Fleet(redis, [], 1)) as fleet:
        (board,), now = Machines(fleet).boards, fleet.clock.monotonic()
        for name, seconds in (("long", 90), ("short", 30), ("new", 60)):
            board.rest(Target("p", name), Rest(now + seconds, "quota", 1), now)
            fleet.gateways[0].server.ask()
        kept = fleet.asking.plain("HKEYS", "gw:{g}:rests")
        assert sorted(each.split(b"\t")[2] for each in kept) == [b"long", b"new"]


def test_a_subscription_catches_up_listens_and_ends(redis: RedisServer) -> None:
    with closing(Fleet(redis, [])) as fleet:
        machines, clock = Machines(fleet), SystemClock()
        steps: list[str] = []
        heard = threading.Event()
        ready = threading.Event()

        def hear(body: bytes) -> None:
            steps.append(body.decode())
            heard.set()

        def caught_up() -> None:
            steps.append("caught up")
            ready.set()

        subscription = Subscription(fleet.gateways[0].link, {"news": hear}, caught_up, clock)
        subscription.start()
        assert ready.wait(5)
        fleet.asking.plain("PUBLISH", "news", "hello")
        assert heard.wait(5)
        subscription.close()
        subscription.close()
        assert steps == ["caught up", "hello"] and len(machines.boards) == 2
